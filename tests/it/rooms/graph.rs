//! Which file of a room needs which.

use std::collections::{BTreeMap, BTreeSet};

use super::scan::Source;

type Module = Vec<String>;

/// From each file to those that it uses, in the order of their paths.
pub(super) struct Graph {
    paths: Vec<String>,
    needs: Vec<BTreeSet<usize>>,
}

impl Graph {
    pub(super) fn new(sources: &[Source]) -> Self {
        let at: BTreeMap<_, _> = sources
            .iter()
            .zip(0..)
            .map(|(it, at)| (&it.module, at))
            .collect();
        let made = |used: &[String]| made_in(sources, &at, used, 0);
        let needs = |source: &Source| {
            let used = source.uses.iter().filter_map(|used| made(&used.path));
            let own = |other: &usize| sources[*other].room() == source.room();
            used.filter(own)
                .filter(|other| sources[*other].module != source.module)
                .collect()
        };
        Self {
            paths: sources.iter().map(|source| source.path.clone()).collect(),
            needs: sources.iter().map(needs).collect(),
        }
    }

    /// A line for each cycle of more than `most` files.
    pub(super) fn cycles(&self, most: usize) -> String {
        let reach: Vec<_> = (0..self.paths.len()).map(|from| self.reach(from)).collect();
        let cycle = |from: usize| -> BTreeSet<usize> {
            let back = |to: &usize| reach[*to].contains(&from);
            reach[from].iter().copied().filter(back).collect()
        };
        let cycles: BTreeSet<_> = (0..self.paths.len()).map(cycle).collect();
        let line = |cycle: &BTreeSet<usize>| {
            let files: Vec<_> = cycle.iter().map(|at| self.paths[*at].as_str()).collect();
            files.join(" ") + "\n"
        };
        cycles
            .iter()
            .filter(|cycle| cycle.len() > most)
            .map(line)
            .collect()
    }

    fn reach(&self, from: usize) -> BTreeSet<usize> {
        let (mut reached, mut next) = (BTreeSet::new(), vec![from]);
        while let Some(at) = next.pop() {
            let new = self.needs[at].iter().filter(|to| reached.insert(**to));
            next.extend(new.copied().collect::<Vec<_>>());
        }
        reached
    }
}

/// The file in which it is made, through re-exports.
fn made_in(
    sources: &[Source],
    at: &BTreeMap<&Module, usize>,
    used: &[String],
    depth: usize,
) -> Option<usize> {
    let prefixes = (1..=used.len()).rev();
    let mut known = prefixes.filter_map(|end| Some((end, *at.get(&used[..end].to_vec())?)));
    let (end, file) = known.next()?;
    let name = used.get(end);
    let exported = |(name_of, _): &&(String, Module)| Some(name_of) == name;
    match sources[file].exports.iter().find(exported) {
        Some((_, path)) if depth < 9 && path[..] != used[..=end] => {
            made_in(sources, at, path, depth + 1)
        }
        _ => Some(file),
    }
}

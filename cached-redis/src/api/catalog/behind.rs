//! What cannot stand beside a queue of writes.

use super::Catalog;
use super::problems::{Problem, surely};
use super::types::differ;
use crate::observe::behind::{WriteBehind, write_behinds};
use crate::observe::registry::Function;
use crate::wire::template::Template;

impl Catalog {
    /// The functions that read what `behind` writes.
    pub(crate) fn readers_of(
        &self,
        behind: &WriteBehind,
    ) -> impl Iterator<Item = &'static Function> {
        let keys = surely(&behind.function.info);
        let readers = self.functions.iter().copied();
        readers.filter(move |reader| surely(&reader.info).meets(&keys))
    }

    /// The functions that are in its way, and why.
    pub(crate) fn in_the_way_of(&self, behind: &WriteBehind) -> Vec<(&'static str, &'static str)> {
        let keys = Template::pattern(behind.function.info.template);
        let meets = |target: &&str| Template::pattern(target).meets(&keys);
        let mut found = Vec::new();
        for writer in self.writers {
            let stores = writer.through || writer.info.needs_guarded();
            if stores && writer.info.targets.iter().any(meets) {
                let problem = "bars or stores a key that is written behind: of one key, all writers that do more than \
                               invalidate are under `#[write_behind]`";
                found.push((writer.info.path, problem));
            }
        }
        for reader in self.readers_of(behind) {
            if reader.info.versioned || !reader.info.tags.is_empty() {
                let problem = "has tags or a version, and its key is written behind: what is pending has neither";
                found.push((reader.info.path, problem));
            }
        }
        found
    }

    pub(super) fn behind(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for behind in write_behinds() {
            let beside = self.in_the_way_of(behind).into_iter();
            problems.extend(beside.map(|(path, text)| Problem::new(path, text.to_owned())));
            for reader in self.readers_of(behind) {
                let Some([a, b]) = differ(&behind.function, reader) else {
                    continue;
                };
                let (info, path) = (&behind.function.info, reader.info.path);
                let text = format!(
                    "writes `{a}` behind to \"{}\", where `{path}` keeps `{b}`",
                    info.template
                );
                problems.push(Problem::new(info.path, text));
            }
        }
        problems
    }
}

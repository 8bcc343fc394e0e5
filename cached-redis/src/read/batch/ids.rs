//! The ids of a batch, by the entries that answer them: those whose keys are the same share one.

use std::mem;
use std::ops::Range;

/// See the module.
pub(crate) struct Ids<K> {
    all: Vec<K>,
    /// Where those of each entry end; `None`: each has an entry of its own.
    ends: Option<Vec<usize>>,
}

impl<K> Ids<K> {
    /// By the place of the entry of each; `None`: those are in order. Of those that are the `same`, one is kept.
    pub(super) fn grouped(
        ids: Vec<K>,
        places: Option<Vec<usize>>,
        same: fn(&K, &K) -> bool,
    ) -> Self {
        let Some(places) = places else {
            return Self {
                all: ids,
                ends: None,
            };
        };
        let mut groups = Vec::<Vec<K>>::with_capacity(ids.len());
        for (id, place) in ids.into_iter().zip(places) {
            match groups.get_mut(place) {
                None => groups.push(vec![id]),
                Some(group) if group.iter().any(|known| same(known, &id)) => {}
                Some(group) => group.push(id),
            }
        }
        Self::joined(groups.into_iter())
    }

    fn joined(groups: impl Iterator<Item = impl IntoIterator<Item = K>>) -> Self {
        let (mut all, mut ends) = (Vec::new(), Vec::new());
        for group in groups {
            all.extend(group);
            ends.push(all.len());
        }
        Self {
            all,
            ends: Some(ends),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Where those of one entry are.
    pub(super) fn places(&self, entry: usize) -> Range<usize> {
        let Some(ends) = &self.ends else {
            return entry..entry + 1;
        };
        let start = entry.checked_sub(1).map_or(0, |before| ends[before]);
        start..ends[entry]
    }

    pub(super) fn at(&self, entry: usize) -> &[K] {
        &self.all[self.places(entry)]
    }

    /// All of them; none are left.
    pub(super) fn take(&mut self) -> Vec<K> {
        mem::take(&mut self.all)
    }

    pub(super) fn into_iter(self) -> impl Iterator<Item = K> {
        self.all.into_iter()
    }
}

impl<K: Clone> Ids<K> {
    /// Those of some entries.
    pub(super) fn of(&self, entries: &[usize]) -> Vec<K> {
        let ids = entries.iter().flat_map(|entry| self.at(*entry));
        ids.cloned().collect()
    }

    /// The same by their entries, in their order.
    pub(super) fn apart(&self, entries: &[usize]) -> Self {
        Self::joined(entries.iter().map(|entry| self.at(*entry).iter().cloned()))
    }
}

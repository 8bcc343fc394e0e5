//! Keys, each with the latest number it was added under, in the order of the numbers.
//!
//! A ledger is bounded and yet loses nothing: when a key does not fit, all that it holds is folded
//! into one note that stands for every key there is.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::util::keyed::Keyed;

pub(super) struct Ledger<N> {
    bound: usize,
    numbers: HashMap<Arc<str>, N, Keyed>,
    order: BTreeSet<(N, Arc<str>)>,
    folded: Option<Folded<N>>,
}

/// Stands for every key, up to this number.
struct Folded<N> {
    number: N,
    /// How many keys it was made of.
    keys: usize,
}

impl<N: Copy + Ord> Ledger<N> {
    pub(super) fn new(bound: usize) -> Self {
        Self {
            bound,
            numbers: HashMap::default(),
            order: BTreeSet::new(),
            folded: None,
        }
    }

    /// Adds `key`, or gives it the greater of its numbers.
    pub(super) fn add(&mut self, number: N, key: &str) {
        let key: Arc<str> = match self.numbers.get_key_value(key) {
            Some((_, known)) if *known >= number => return,
            Some((same, known)) => {
                let same = Arc::clone(same);
                self.order.remove(&(*known, Arc::clone(&same)));
                same
            }
            None if self.numbers.len() >= self.bound => {
                return self.fold(number, 1);
            }
            None => key.into(),
        };
        self.order.insert((number, Arc::clone(&key)));
        self.numbers.insert(key, number);
    }

    /// Adds every key there is, under `number` or the greatest that is held, because of so many keys.
    pub(super) fn fold(&mut self, number: N, keys: usize) {
        let before = self.folded.as_ref().map(|folded| folded.number);
        let held = self.order.last().map(|(number, _)| *number);
        self.folded = Some(Folded {
            number: before.into_iter().chain(held).fold(number, N::max),
            keys: self.len() + keys,
        });
        self.numbers.clear();
        self.order.clear();
    }

    /// The number of a key that is held by itself.
    pub(super) fn number(&self, key: &str) -> Option<N> {
        self.numbers.get(key).copied()
    }

    /// The keys under `number`.
    pub(super) fn under(&self, number: N) -> impl Iterator<Item = &Arc<str>> {
        // No key sorts before the empty one.
        let from = self.order.range((number, Arc::from(""))..);
        from.take_while(move |(held, _)| *held == number)
            .map(|(_, key)| key)
    }

    /// Drops the keys under `number`; gives them.
    pub(super) fn take(&mut self, number: N) -> Vec<Arc<str>> {
        let keys: Vec<_> = self.under(number).cloned().collect();
        for key in &keys {
            self.numbers.remove(key);
            self.order.remove(&(number, Arc::clone(key)));
        }
        keys
    }

    /// Drops everything that has a smaller number; gives the count of those keys.
    pub(super) fn settle_all(&mut self, number: N) -> usize {
        let before = self.len();
        self.folded.take_if(|folded| folded.number < number);
        // No key sorts before the empty one.
        let rest = self.order.split_off(&(number, Arc::from("")));
        for (_, key) in std::mem::replace(&mut self.order, rest) {
            self.numbers.remove(&key);
        }
        before - self.len()
    }

    /// Takes everything out: its keys, and how many were folded, if any.
    pub(super) fn drain(&mut self) -> (Vec<String>, Option<usize>) {
        let keys = self.all().collect();
        self.numbers.clear();
        self.order.clear();
        (keys, self.folded.take().map(|folded| folded.keys))
    }

    pub(super) fn holds(&self, key: &str) -> bool {
        self.folded.is_some() || self.numbers.contains_key(key)
    }

    /// Its keys and their numbers, the smallest first.
    pub(super) fn numbered(&self) -> impl Iterator<Item = (N, String)> {
        let order = self.order.iter();
        order.map(|(number, key)| (*number, key.to_string()))
    }

    /// Its keys, in the same order.
    pub(super) fn all(&self) -> impl Iterator<Item = String> {
        self.numbered().map(|(_, key)| key)
    }

    pub(super) fn is_folded(&self) -> bool {
        self.folded.is_some()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.numbers.is_empty() && self.folded.is_none()
    }

    /// How many keys it holds or was made of.
    pub(super) fn len(&self) -> usize {
        let folded = self.folded.as_ref().map_or(0, |folded| folded.keys);
        self.numbers.len() + folded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(bound: usize, entries: &[(u64, &str)]) -> Ledger<u64> {
        let mut ledger = Ledger::new(bound);
        for (number, key) in entries {
            ledger.add(*number, key);
        }
        ledger
    }

    #[test]
    fn keys_come_in_the_order_of_their_latest_numbers() {
        let ledger = ledger(9, &[(1, "a"), (2, "b"), (2, "c"), (3, "a"), (1, "b")]);
        assert!(ledger.all().eq(["b", "c", "a"]));
        assert_eq!(ledger.len(), 3);
    }

    #[test]
    fn keys_go_by_their_numbers() {
        let mut ledger = ledger(9, &[(1, "a"), (2, "b"), (2, "c"), (3, "d")]);
        assert_eq!(ledger.number("b"), Some(2));
        assert!(ledger.under(2).map(|key| &**key).eq(["b", "c"]));
        assert_eq!(ledger.take(2).len(), 2);
        assert!(ledger.take(2).is_empty() && !ledger.holds("b"));
        assert!(ledger.all().eq(["a", "d"]));
        assert_eq!(ledger.settle_all(3), 1);
        assert!(ledger.all().eq(["d"]));
    }

    #[test]
    fn what_does_not_fit_stands_for_every_key() {
        let mut ledger = ledger(2, &[(1, "a"), (2, "b"), (3, "a")]);
        assert!(!ledger.is_folded(), "a known key needs no room");
        ledger.add(4, "c");
        assert!(ledger.is_folded() && ledger.holds("anything"));
        assert_eq!(ledger.len(), 3);
        assert_eq!(ledger.number("a"), None, "only all of it can be settled");
    }

    #[test]
    fn a_fold_has_the_greatest_number_it_was_made_of() {
        let mut ledger = ledger(1, &[(5, "a"), (2, "b")]);
        assert_eq!(ledger.settle_all(5), 0);
        assert!(ledger.is_folded());
        ledger.fold(3, 0);
        assert_eq!(ledger.settle_all(5), 0);
        assert_eq!(ledger.settle_all(6), 2);
        assert!(ledger.is_empty());
    }

    #[test]
    fn what_was_added_after_the_start_of_a_sweep_remains() {
        let mut ledger = ledger(2, &[(1, "a"), (2, "b"), (3, "c")]);
        let sweep = 4;
        ledger.add(5, "d");
        assert_eq!(ledger.settle_all(sweep), 3);
        assert!(!ledger.is_folded() && !ledger.holds("a"));
        assert!(ledger.all().eq(["d"]));
    }

    #[test]
    fn without_room_every_key_folds() {
        let mut ledger = ledger(0, &[(1, "a")]);
        assert!(ledger.is_folded());
        assert_eq!(ledger.settle_all(2), 1);
        assert!(ledger.is_empty());
    }
}

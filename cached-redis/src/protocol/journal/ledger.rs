//! Keys, each with the latest number it was added under, in the order of the numbers.
//!
//! A ledger is bounded and yet loses nothing: when a key does not fit, all that it holds is folded
//! into one note that stands for every key there is.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

pub(super) struct Ledger<N> {
    bound: usize,
    numbers: HashMap<Arc<str>, N>,
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
            numbers: HashMap::new(),
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

    /// Drops those of `keys` that have a smaller number; gives their count.
    pub(super) fn settle(&mut self, number: N, keys: &[String]) -> usize {
        let before = self.numbers.len();
        for key in keys {
            if let Some((key, held)) = self.numbers.get_key_value(key.as_str())
                && *held < number
            {
                let entry = (*held, Arc::clone(key));
                self.numbers.remove(&entry.1);
                self.order.remove(&entry);
            }
        }
        before - self.numbers.len()
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

    /// Moves everything to `other`, under `number`; gives the count of those keys.
    pub(super) fn pour<M: Copy + Ord>(&mut self, other: &mut Ledger<M>, number: M) -> usize {
        let count = self.len();
        if let Some(folded) = self.folded.take() {
            other.fold(number, folded.keys);
        }
        self.numbers.clear();
        for (_, key) in std::mem::take(&mut self.order) {
            other.add(number, &key);
        }
        count
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

    fn settled(ledger: &mut Ledger<u64>, number: u64, keys: &[&str]) -> usize {
        let keys: Vec<_> = keys.iter().map(ToString::to_string).collect();
        ledger.settle(number, &keys)
    }

    #[test]
    fn keys_come_in_the_order_of_their_latest_numbers() {
        let ledger = ledger(9, &[(1, "a"), (2, "b"), (2, "c"), (3, "a"), (1, "b")]);
        assert!(ledger.all().eq(["b", "c", "a"]));
        assert_eq!(ledger.len(), 3);
    }

    #[test]
    fn only_smaller_numbers_are_settled() {
        let mut ledger = ledger(9, &[(1, "a"), (2, "b"), (3, "c")]);
        assert_eq!(settled(&mut ledger, 2, &["a", "b", "c", "d"]), 1);
        assert!(!ledger.holds("a") && ledger.holds("b") && ledger.holds("c"));
        assert_eq!(settled(&mut ledger, 9, &["c"]), 1);
        assert!(ledger.all().eq(["b"]));
        assert_eq!(ledger.settle_all(3), 1);
        assert!(ledger.is_empty());
    }

    #[test]
    fn what_does_not_fit_stands_for_every_key() {
        let mut ledger = ledger(2, &[(1, "a"), (2, "b"), (3, "a")]);
        assert!(!ledger.is_folded(), "a known key needs no room");
        ledger.add(4, "c");
        assert!(ledger.is_folded() && ledger.holds("anything"));
        assert_eq!(ledger.len(), 3);
        assert_eq!(settled(&mut ledger, 9, &["a", "b", "c"]), 0);
        assert!(ledger.holds("a"), "only all of it can be settled");
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

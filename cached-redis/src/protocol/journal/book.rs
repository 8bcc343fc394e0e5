//! A ledger of keys, and of patterns of keys beside them.
//!
//! Every read of this process compares its key with the patterns while they are kept, so there is
//! room for few: one more folds them into the note that stands for every key there is.
//!
//! What was [added together](Book::add_together) stays so until all of it is settled at once: were a key of
//! it settled alone, others could make it anew of what is still to be removed, and keep that.

use std::collections::{BTreeSet, HashSet};

use super::ledger::Ledger;
use crate::wire::key::Pattern;
use crate::wire::targets::Targets;

/// How many patterns are kept one by one.
pub(super) const MOST_PATTERNS: usize = 32;

pub(super) struct Book<N> {
    pub(super) keys: Ledger<N>,
    patterns: Vec<(N, Pattern)>,
}

impl<N: Copy + Ord> Book<N> {
    pub(super) fn new(bound: usize) -> Self {
        Self {
            keys: Ledger::new(bound),
            patterns: Vec::new(),
        }
    }

    /// Adds `targets`, or gives those that it holds the greater of their numbers.
    pub(super) fn add(&mut self, number: N, targets: &Targets) {
        for key in &targets.keys {
            self.keys.add(number, key);
        }
        for pattern in &targets.patterns {
            self.add_pattern(number, pattern);
        }
    }

    /// Adds `targets` as one thing, and with it whatever shares one of them: under the greatest number.
    pub(super) fn add_together(&mut self, number: N, targets: &Targets) {
        let known = self.numbers(targets);
        let greatest = known.last().map_or(number, |known| number.max(*known));
        for before in known.into_iter().filter(|known| *known < greatest) {
            for key in self.keys.take(before) {
                self.keys.add(greatest, &key);
            }
            let patterns = self.patterns.iter_mut();
            let same = patterns.filter(|(held, _)| *held == before);
            same.for_each(|(held, _)| *held = greatest);
        }
        self.add(greatest, targets);
    }

    /// Those under which `targets` are held.
    fn numbers(&self, targets: &Targets) -> BTreeSet<N> {
        if self.is_empty() {
            return BTreeSet::new();
        }
        let keys = targets.keys.iter().filter_map(|key| self.keys.number(key));
        let patterns = self.patterns.iter();
        let patterns = patterns.filter(|(_, known)| targets.patterns.contains(known));
        keys.chain(patterns.map(|(held, _)| *held)).collect()
    }

    fn add_pattern(&mut self, number: N, pattern: &Pattern) {
        let mut held = self.patterns.iter_mut();
        if let Some((held, _)) = held.find(|(_, known)| known == pattern) {
            *held = number.max(*held);
        } else if self.patterns.len() < MOST_PATTERNS {
            self.patterns.push((number, pattern.clone()));
        } else {
            let held = std::mem::take(&mut self.patterns);
            let count = held.len() + 1;
            let number = held.into_iter().map(|(held, _)| held).fold(number, N::max);
            self.keys.fold(number, count);
        }
    }

    /// Drops what has a smaller number, if all of it is among `targets`; gives its count.
    pub(super) fn settle(&mut self, number: N, targets: &Targets) -> usize {
        let mut numbers = self.numbers(targets);
        numbers.retain(|held| *held < number);
        if numbers.is_empty() {
            return 0;
        }
        let keys: HashSet<_> = targets.keys.iter().map(String::as_str).collect();
        numbers.retain(|held| self.are_all(*held, &keys, &targets.patterns));
        let settled = numbers.iter().map(|held| self.keys.take(*held).len());
        settled.sum::<usize>() + self.drop_if(|held, _| numbers.contains(&held))
    }

    /// Whether `keys` and `patterns` are all that stands under `number`.
    fn are_all(&self, number: N, keys: &HashSet<&str>, patterns: &[Pattern]) -> bool {
        let mut held = self.patterns.iter();
        self.keys.under(number).all(|key| keys.contains(&**key))
            && held.all(|(held, known)| *held != number || patterns.contains(known))
    }

    /// Drops everything that has a smaller number; gives the count.
    pub(super) fn settle_all(&mut self, number: N) -> usize {
        self.keys.settle_all(number) + self.drop_if(|held, _| held < number)
    }

    fn drop_if(&mut self, drops: impl Fn(N, &Pattern) -> bool) -> usize {
        let before = self.patterns.len();
        self.patterns.retain(|(held, known)| !drops(*held, known));
        before - self.patterns.len()
    }

    /// Moves everything to `other`, as one thing under `number`; gives the count.
    pub(super) fn pour<M: Copy + Ord>(&mut self, other: &mut Book<M>, number: M) -> usize {
        let count = self.patterns.len() + self.keys.len();
        let patterns = std::mem::take(&mut self.patterns);
        let (keys, folded) = self.keys.drain();
        let patterns = patterns.into_iter().map(|(_, pattern)| pattern).collect();
        other.add_together(number, &Targets { keys, patterns });
        if let Some(keys) = folded {
            other.keys.fold(number, keys);
        }
        count
    }

    pub(super) fn holds(&self, key: &str) -> bool {
        self.keys.holds(key)
            || self
                .patterns
                .iter()
                .any(|(_, pattern)| pattern.matches(key))
    }

    /// Whether any of `targets` waits, as such or in what stands for it.
    pub(super) fn keeps(&self, targets: &Targets) -> bool {
        let waits = |(_, known): &(N, Pattern)| targets.patterns.contains(known);
        self.keys.is_folded()
            || targets.keys.iter().any(|key| self.holds(key))
            || self.patterns.iter().any(waits)
    }

    /// The patterns that are kept one by one.
    pub(super) fn all_patterns(&self) -> impl Iterator<Item = &Pattern> {
        self.patterns.iter().map(|(_, pattern)| pattern)
    }

    /// Each key and pattern that is kept one by one, and its number.
    pub(super) fn parts(&self) -> impl Iterator<Item = (N, Targets)> {
        let patterns = self.patterns.iter();
        let patterns = patterns.map(|(number, pattern)| (*number, pattern.clone().into()));
        let keys = self.keys.numbered();
        keys.map(|(number, key)| (number, vec![key].into()))
            .chain(patterns)
    }

    /// How many patterns are kept one by one.
    pub(super) fn patterns(&self) -> usize {
        self.patterns.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.patterns.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Targets {
        Pattern::new("it", text).into()
    }

    #[test]
    fn a_pattern_holds_the_keys_that_match_until_a_greater_number_settles_it() {
        let mut book = Book::new(9);
        book.add(2, &pattern("a:*"));
        book.add(4, &pattern("a:*"));
        book.add(3, &pattern("a:*"));
        assert!(book.holds("it:a:1") && !book.holds("it:b:1"));
        assert_eq!(book.settle(9, &pattern("a*")), 0, "another one");
        assert_eq!(book.settle(4, &pattern("a:*")), 0);
        assert_eq!(book.settle(5, &pattern("a:*")), 1);
        assert!(book.is_empty() && !book.holds("it:a:1"));
    }

    #[test]
    fn what_was_added_together_is_settled_together_or_not_at_all() {
        let keys = |keys: &[&str]| -> Targets {
            let keys: Vec<_> = keys.iter().map(ToString::to_string).collect();
            keys.into()
        };
        let (ab, bc, all) = (keys(&["a", "b"]), keys(&["b", "c"]), keys(&["a", "b", "c"]));
        for order in [[1, 2], [2, 1]] {
            let mut book = Book::new(9);
            book.add_together(order[0], &ab);
            assert_eq!(book.settle(9, &keys(&["a"])), 0, "alone");
            book.add_together(order[1], &bc);
            book.add_together(3, &keys(&["d"]));
            let parts: BTreeSet<_> = book.parts().map(|(number, _)| number).collect();
            assert!(parts.into_iter().eq([2, 3]), "one thing of what shares `b`");
            assert_eq!(book.settle(9, &ab) + book.settle(2, &all), 0);
            assert_eq!(book.settle(3, &all), 3);
            assert!(!book.holds("a") && book.holds("d"));
        }
    }

    #[test]
    fn a_pattern_and_keys_are_one_thing_too() {
        let mut book = Book::new(9);
        let mut both = pattern("a:*");
        both.extend(vec!["it:k".to_owned()].into());
        book.add_together(1, &both);
        assert_eq!(book.settle(9, &pattern("a:*")), 0);
        book.add_together(2, &pattern("a:*"));
        assert_eq!(
            book.settle(2, &both),
            0,
            "both are kept under the later one"
        );
        assert_eq!(book.settle(3, &both), 2);
        assert!(book.is_empty());
    }

    #[test]
    fn one_more_than_there_is_room_for_stands_for_every_key() {
        let mut book = Book::new(9);
        for number in 0..MOST_PATTERNS {
            book.add(number, &pattern(&format!("{number}:*")));
        }
        assert!(!book.keys.is_folded());
        book.add(3, &pattern("x:*"));
        assert!(book.keys.is_folded() && book.patterns() == 0 && book.holds("it:b"));
        assert_eq!(book.settle_all(MOST_PATTERNS - 1), 0);
        assert_eq!(book.settle_all(MOST_PATTERNS), MOST_PATTERNS + 1);
        assert!(book.is_empty());
    }

    #[test]
    fn patterns_are_poured_with_the_keys() {
        let (mut book, mut other) = (Book::new(9), Book::new(9));
        book.add('a', &pattern("a:*"));
        book.keys.add('b', "it:b");
        assert_eq!(book.pour(&mut other, 7), 2);
        assert!(book.is_empty() && other.holds("it:a:1") && other.holds("it:b"));
        assert_eq!((other.settle_all(7), other.settle_all(8)), (0, 2));
    }
}

//! A ledger of keys, and of patterns of keys beside them.
//!
//! Every read of this process compares its key with the patterns while they are kept, so there is
//! room for few: one more folds them into the note that stands for every key there is.

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

    /// Drops those of `targets` that have a smaller number; gives their count.
    pub(super) fn settle(&mut self, number: N, targets: &Targets) -> usize {
        let Targets { keys, patterns } = targets;
        self.keys.settle(number, keys)
            + self.drop_if(|held, known| held < number && patterns.contains(known))
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

    /// Moves everything to `other`, under `number`; gives the count.
    pub(super) fn pour<M: Copy + Ord>(&mut self, other: &mut Book<M>, number: M) -> usize {
        let patterns = std::mem::take(&mut self.patterns);
        for (_, pattern) in &patterns {
            other.add_pattern(number, pattern);
        }
        patterns.len() + self.keys.pour(&mut other.keys, number)
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

//! Keys that are being changed, by a write that is not committed yet.
//!
//! Whoever loads one of them inside that write sees what may be rolled back, and outside of it what is
//! about to be old. Neither is for the cache: reads bypass these keys, as those whose invalidation is
//! to be replayed.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Journal;
use crate::key::Pattern;

/// Keys that reads of this process bypass until it is dropped.
pub(crate) struct Hold {
    journal: Arc<Journal>,
    keys: BTreeSet<String>,
    patterns: Vec<Pattern>,
}

impl Hold {
    /// Of no key yet.
    pub(crate) fn new(journal: &Arc<Journal>) -> Self {
        Self {
            journal: Arc::clone(journal),
            keys: BTreeSet::new(),
            patterns: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, key: String) {
        if !self.keys.contains(&key) {
            self.journal.hold(&key);
            self.keys.insert(key);
        }
    }

    /// All keys that match.
    pub(crate) fn add_pattern(&mut self, pattern: Pattern) {
        if !self.patterns.contains(&pattern) {
            self.journal.hold_pattern(&pattern);
            self.patterns.push(pattern);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.patterns.is_empty()
    }

    /// Each pattern once.
    pub(crate) fn patterns(&self) -> Vec<Pattern> {
        self.patterns.clone()
    }

    /// Each key once.
    pub(crate) fn keys(&self) -> Vec<String> {
        self.keys.iter().cloned().collect()
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.journal.release(&self.keys, &self.patterns);
    }
}

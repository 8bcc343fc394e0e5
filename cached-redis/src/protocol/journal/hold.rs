//! Keys that are being changed, by a write that is not committed yet.
//!
//! Whoever loads one of them inside that write sees what may be rolled back, and outside of it what is
//! about to be old. Neither is for the cache: reads bypass these keys, as those whose invalidation is
//! to be replayed.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Journal;
use crate::wire::key::Pattern;

/// Keys that reads of this process bypass until it is dropped; each once.
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

    /// Whether it is new.
    pub(crate) fn add(&mut self, key: &str) -> bool {
        let is_new = !self.keys.contains(key);
        if is_new {
            self.journal.hold(key);
            self.keys.insert(key.to_owned());
        }
        is_new
    }

    /// The same of all keys that match.
    pub(crate) fn add_pattern(&mut self, pattern: &Pattern) -> bool {
        let is_new = !self.patterns.contains(pattern);
        if is_new {
            self.journal.hold_pattern(pattern);
            self.patterns.push(pattern.clone());
        }
        is_new
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if self.keys.is_empty() && self.patterns.is_empty() {
            return;
        }
        self.journal.release(self.keys.iter(), self.patterns.iter());
    }
}

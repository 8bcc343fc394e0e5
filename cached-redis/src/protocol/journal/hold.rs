//! Keys that are being changed, by a write that is not committed yet.
//!
//! Whoever loads one of them inside that write sees what may be rolled back, and outside of it what is
//! about to be old. Neither is for the cache: reads bypass these keys, as those whose invalidation is
//! to be replayed.

use std::collections::HashSet;
use std::sync::Arc;

use super::Journal;
use crate::wire::key::Pattern;
use crate::wire::targets::Targets;

/// Keys that reads of this process bypass until it is dropped; each once.
pub(crate) struct Hold {
    journal: Arc<Journal>,
    keys: HashSet<String>,
    patterns: Vec<Pattern>,
}

impl Hold {
    /// Of no key yet.
    pub(crate) fn new(journal: &Arc<Journal>) -> Self {
        Self {
            journal: Arc::clone(journal),
            keys: HashSet::new(),
            patterns: Vec::new(),
        }
    }

    /// Gives those that are new.
    pub(crate) fn add(&mut self, mut targets: Targets) -> Targets {
        targets.keys.retain(|key| self.keys.insert(key.clone()));
        targets.patterns.retain(|pattern| {
            let is_new = !self.patterns.contains(pattern);
            self.patterns.extend(is_new.then(|| pattern.clone()));
            is_new
        });
        self.journal.hold(&targets);
        targets
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if self.keys.is_empty() && self.patterns.is_empty() {
            return;
        }
        self.journal.release(self.keys.iter(), &self.patterns);
    }
}

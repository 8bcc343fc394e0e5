//! Keys that are being changed, by a write that is not committed yet.
//!
//! Whoever loads one of them inside that write sees what may be rolled back, and outside of it what is
//! about to be old. Neither is for the cache: reads bypass these keys, as those whose invalidation is
//! to be replayed.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use super::Journal;
use crate::observe::registry::Site;
use crate::wire::key::Pattern;

/// Keys that reads of this process bypass until it is dropped; each once, with who was the first to
/// change it.
pub(crate) struct Hold {
    journal: Arc<Journal>,
    keys: BTreeMap<String, &'static Site>,
    patterns: Vec<(Pattern, &'static Site)>,
}

impl Hold {
    /// Of no key yet.
    pub(crate) fn new(journal: &Arc<Journal>) -> Self {
        Self {
            journal: Arc::clone(journal),
            keys: BTreeMap::new(),
            patterns: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, key: String, site: &'static Site) {
        if let Entry::Vacant(vacant) = self.keys.entry(key) {
            self.journal.hold(vacant.key());
            vacant.insert(site);
        }
    }

    /// All keys that match.
    pub(crate) fn add_pattern(&mut self, pattern: Pattern, site: &'static Site) {
        if self.patterns.iter().all(|(held, _)| *held != pattern) {
            self.journal.hold_pattern(&pattern);
            self.patterns.push((pattern, site));
        }
    }

    pub(crate) fn patterns(&self) -> Vec<(Pattern, &'static Site)> {
        self.patterns.clone()
    }

    pub(crate) fn keys(&self) -> Vec<(String, &'static Site)> {
        let keys = self.keys.iter();
        keys.map(|(key, site)| (key.clone(), *site)).collect()
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let patterns = self.patterns.iter().map(|(pattern, _)| pattern);
        self.journal.release(self.keys.keys(), patterns);
    }
}

//! The events that are purged together.

use std::collections::BTreeSet;

use cached_redis::events::{Invalidated, Notice};
use tokio::time::Instant;

use crate::cdn::{Names, bucket};

/// No more events are added when there are so many names.
const FULL: usize = 1000;

pub(super) struct Round {
    namespace: String,
    /// Where each stands for all that it has named.
    names: BTreeSet<String>,
    pub(super) events: Vec<Invalidated>,
    /// When it is purged again.
    pub(super) due: Instant,
}

impl Round {
    pub(super) fn new(namespace: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            names: BTreeSet::new(),
            events: Vec::new(),
            due: Instant::now(),
        }
    }

    pub(super) fn of_all(namespace: &str) -> Self {
        let mut round = Self::new(namespace);
        round.names.insert(Names(namespace).all());
        round
    }

    pub(super) fn add(&mut self, notice: Notice) {
        let names = Names(&self.namespace);
        match notice {
            Notice::Invalidated(event) => {
                let keys = event.keys.iter().map(|key| names.key(key));
                let tags = event.tags.iter().map(|tag| names.tag(tag));
                self.names.extend(keys.chain(tags));
                // Nobody can tell which names a pattern meets.
                self.names
                    .extend((!event.patterns.is_empty()).then(|| names.all()));
                self.events.push(event);
            }
            // Whatever else there is to be told.
            _ => _ = self.names.insert(names.all()),
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.names.len() >= FULL
    }

    /// What is to be purged, each once; all of the namespace is one name.
    pub(super) fn names(&self) -> Vec<String> {
        let all = Names(&self.namespace).all();
        if self.names.contains(&all) {
            return vec![all];
        }
        let buckets = self.names.iter().map(|name| bucket(name));
        let names: BTreeSet<_> = self.names.iter().cloned().chain(buckets).collect();
        names.into_iter().collect()
    }
}

//! The entry past its TTL that a reader holds, which it serves if no load succeeds in time.

use std::time::Duration;

use super::{Lookup, Seen};
use crate::protocol::budget::Budget;
use crate::wire::entry::Live;

impl Lookup<'_> {
    /// What was found last is past its TTL. The reader holds its value and serves it if no load
    /// succeeds in time.
    pub(crate) fn expired(&mut self, live: Live, patience: Option<Duration>) {
        let patience = patience.unwrap_or(self.inner.settings.wait);
        self.budget.begin_with(patience);
        self.held = Some(Box::new(live));
        self.unusable(Seen::Expired);
    }

    /// The entry that the reader holds.
    pub(crate) fn held(&self) -> Option<&Live> {
        self.held.as_deref()
    }

    /// The value that the reader held is gone: it waits for a load as everybody does.
    pub(crate) fn lost(&mut self) {
        self.search.restart();
        self.held = None;
        self.budget = Budget::new(self.inner.settings.wait);
    }

    /// Whether the entry that the reader holds still stands, and is not to be invalidated either.
    pub(crate) async fn stands(&self) -> bool {
        let seen = self.look().await;
        seen.is_ok_and(|seen| self.is_held(&seen) && self.may_keep())
    }

    /// Whether this is the entry that the reader holds.
    pub(crate) fn is_held(&self, seen: &Seen) -> bool {
        match (seen, &self.held) {
            (Seen::Live(live), Some(held)) => live.header.token == held.header.token,
            _ => false,
        }
    }

    /// Whether no invalidation of the key is to be replayed.
    pub(crate) fn may_keep(&self) -> bool {
        self.inner.journal.pass(self.key).is_some()
    }
}

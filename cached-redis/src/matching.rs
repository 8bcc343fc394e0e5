//! The write flow of patterns: what a write makes outdated is all keys that match.
//!
//! It holds what every invalidation holds, by the means of a [`sweep`]: it is sent from a task of its
//! own, and what the store does not confirm goes on in the [`journal`](crate::journal), as the
//! pattern, before anybody learns that it ended. A sweep that failed half-way begins anew.

use std::sync::Arc;
use std::time::Duration;

use crate::error::StoreError;
use crate::event::Event;
use crate::feed::outbox::{self, Announcement};
use crate::handle::Inner;
use crate::key::Pattern;
use crate::registry::Site;
use crate::write::{Invalidation, Sending};
use crate::{Error, after_commit, sweep, write};

/// Invalidates all keys that match `pattern`.
pub(crate) async fn invalidate(
    inner: &Arc<Inner>,
    site: &'static Site,
    pattern: Pattern,
) -> Result<Invalidation, Error> {
    if let Some(key) = pattern.exact() {
        return write::invalidate(inner, site, vec![key], None).await;
    }
    let Err(patterns) = after_commit::collect_patterns(inner, vec![pattern], false) else {
        return Ok(Invalidation::Collected);
    };
    let sent = inner
        .runtime
        .spawn(sending(inner, site, Vec::new(), patterns, None, false));
    // An error means that the runtime is shutting down.
    sent.await.map_err(|_| StoreError::Unavailable.into())
}

/// Invalidates `keys` in one round trip, and then what matches `patterns`. The hold-off is for keys:
/// it could not be left where nothing stands. To be spawned; dropped before its end, it is told.
pub(crate) fn sending(
    inner: &Arc<Inner>,
    site: &'static Site,
    keys: Vec<String>,
    patterns: Vec<Pattern>,
    hold_off: Option<Duration>,
    publish: bool,
) -> impl Future<Output = Invalidation> + use<> {
    let sending = (!keys.is_empty()).then(|| {
        let sending = Sending::new(inner, site, keys, hold_off);
        sending.publishing(publish)
    });
    let matching = |pattern| Matching::new(inner, site, pattern, publish);
    let sweeps: Vec<_> = patterns.into_iter().map(matching).collect();
    async move {
        let mut outcome = Invalidation::Done;
        if let Some(sending) = sending {
            outcome = sending.send().await;
        }
        for sweep in sweeps {
            outcome = outcome.and(sweep.send().await);
        }
        outcome
    }
}

/// A sweep on its way. However it ends, it is told: a task that a runtime drops at its shutdown
/// drops this too, before its end.
struct Matching {
    inner: Arc<Inner>,
    site: &'static Site,
    pattern: Pattern,
    /// Whether others are to hear of the end.
    publish: bool,
    ended: bool,
}

impl Matching {
    fn new(inner: &Arc<Inner>, site: &'static Site, pattern: Pattern, publish: bool) -> Self {
        Self {
            inner: Arc::clone(inner),
            site,
            pattern,
            publish,
            ended: false,
        }
    }

    async fn send(mut self) -> Invalidation {
        let attempt = self.inner.journal.begin();
        let answer = sweep::sweep(&self.inner, self.site, &self.pattern, None).await;
        let confirmed = answer.and_then(|()| {
            let settled = self.inner.journal.confirm_pattern(attempt, &self.pattern);
            settled.ok_or(StoreError::Lost)
        });
        self.ended = true;
        let ended = match confirmed {
            Ok(settled) => {
                if settled > 0 {
                    self.inner.emit(self.site, &Event::Replayed(settled));
                }
                Invalidation::Done
            }
            Err(error) => {
                // Reads of these keys bypass the cache from here on, so before anybody learns of the end.
                if self.inner.journal.keep_pattern(attempt, &self.pattern) {
                    self.inner.emit(self.site, &Event::JournalOverflow);
                }
                self.inner.emit(self.site, &Event::Deferred(1, &error));
                Invalidation::Deferred
            }
        };
        if self.publish {
            let announcement = Announcement::of_pattern(&self.inner, self.site, &self.pattern);
            outbox::publish(&self.inner, announcement).await;
        }
        ended
    }
}

impl Drop for Matching {
    fn drop(&mut self) {
        if !self.ended {
            let event = Event::Lost(1, &StoreError::Unavailable);
            self.inner.emit(self.site, &event);
        }
    }
}

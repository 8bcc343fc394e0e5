//! The write flow of patterns: what a write makes outdated is all keys that match.
//!
//! It holds what every invalidation holds, by the means of a [`sweep`]: it is sent from a task of its
//! own, and what the store does not confirm goes on in the [`journal`](crate::journal), as the
//! pattern, before anybody learns that it ended. A sweep that failed half-way begins anew.

use std::sync::Arc;

use crate::error::StoreError;
use crate::event::Event;
use crate::feed::outbox::{self, Announcement};
use crate::handle::Inner;
use crate::journal::Attempt;
use crate::key::Pattern;
use crate::registry::Site;
use crate::write::{Invalidation, Removal, Sending};
use crate::{Error, sweep, write};

/// Invalidates all keys that match `pattern`.
pub(crate) async fn invalidate(
    inner: &Arc<Inner>,
    site: &'static Site,
    pattern: Pattern,
) -> Result<Invalidation, Error> {
    if let Some(key) = pattern.exact() {
        return write::invalidate(inner, site, vec![key], None).await;
    }
    let removal = Removal::of(site, Vec::new(), vec![pattern]);
    write::send(inner, removal).await
}

/// Removes the keys in one round trip, and then what matches the patterns. To be spawned; dropped
/// before its end, it is deferred.
pub(crate) fn sending(
    inner: &Arc<Inner>,
    removal: Removal,
) -> impl Future<Output = Invalidation> + use<> {
    let Removal {
        keys,
        patterns,
        hold_off,
        publish,
    } = removal;
    let some = !keys.is_empty();
    let sending = some.then(|| Sending::of(inner, keys, hold_off).publishing(publish));
    let matching = |(pattern, site)| Matching::new(inner, site, pattern, publish.is_some());
    let sweeps: Vec<_> = patterns.into_iter().map(matching).collect();
    let task = inner.runtime.work.begin();
    async move {
        let mut outcome = Invalidation::Done;
        if let Some(sending) = sending {
            outcome = sending.send().await;
        }
        for sweep in sweeps {
            outcome = outcome.and(sweep.send().await);
        }
        drop(task);
        outcome
    }
}

/// A sweep on its way. However it ends, it is not lost: a task that a runtime drops at its shutdown
/// drops this too, before its end, and it is deferred.
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
            Ok(_) => Invalidation::Done,
            Err(error) => self.defer(attempt, &error),
        };
        if self.publish {
            outbox::publish(&self.inner, self.announcement()).await;
        }
        ended
    }

    /// Reads of these keys bypass the cache from here on, so before anybody learns of the end.
    fn defer(&self, attempt: Attempt, error: &StoreError) -> Invalidation {
        if self.inner.journal.keep_pattern(attempt, &self.pattern) {
            self.inner.emit(self.site, &Event::JournalOverflow);
        }
        self.inner.emit(self.site, &Event::Deferred(1, error));
        self.inner.runtime.tend();
        Invalidation::Deferred
    }

    fn announcement(&self) -> Announcement {
        Announcement::of_pattern(&self.inner, self.site, &self.pattern)
    }
}

impl Drop for Matching {
    fn drop(&mut self) {
        if !self.ended {
            let attempt = self.inner.journal.begin();
            self.defer(attempt, &StoreError::Unavailable);
            if self.publish {
                outbox::keep(&self.inner, self.announcement());
            }
        }
    }
}

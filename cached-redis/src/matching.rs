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
use crate::journal::{Attempt, Hold};
use crate::key::Pattern;
use crate::registry::Site;
use crate::sent::{Parcel, Sent};
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

/// Removes the keys in one round trip, and then what matches the patterns, from a task of its own. `hold`
/// bars them until then.
pub(crate) fn sent(inner: &Arc<Inner>, removal: Removal, hold: Option<Hold>) -> Sent {
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
    let own = sending.iter().filter_map(|it| it.event.clone());
    let parcel = Parcel {
        keys: sending
            .as_ref()
            .map(|it| Arc::clone(&it.keys))
            .unwrap_or_default(),
        patterns: sweeps.iter().map(|it| it.pattern.clone()).collect(),
        hold_off,
        events: own
            .chain(sweeps.iter().filter_map(|it| it.event.clone()))
            .collect(),
    };
    let all = async move {
        let mut outcome = Invalidation::Done;
        if let Some(sending) = sending {
            outcome = sending.send().await;
        }
        for sweep in sweeps {
            outcome = outcome.and(sweep.send().await);
        }
        outcome
    };
    Sent::by(all, inner, parcel, hold)
}

/// A sweep on its way. However it ends, it is not lost: a task that a runtime drops at its shutdown
/// drops this too, before its end, and it is deferred.
struct Matching {
    inner: Arc<Inner>,
    site: &'static Site,
    pattern: Pattern,
    /// What others are to hear of the end, if they are.
    event: Option<Announcement>,
    ended: bool,
}

impl Matching {
    fn new(inner: &Arc<Inner>, site: &'static Site, pattern: Pattern, publish: bool) -> Self {
        Self {
            inner: Arc::clone(inner),
            site,
            event: publish.then(|| Announcement::of_pattern(inner, site, &pattern)),
            pattern,
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
        if let Some(event) = self.event.take() {
            outbox::publish(&self.inner, event).await;
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
}

impl Drop for Matching {
    fn drop(&mut self) {
        if !self.ended {
            let attempt = self.inner.journal.begin();
            self.defer(attempt, &StoreError::Unavailable);
            if let Some(event) = self.event.take() {
                outbox::keep(&self.inner, event);
            }
        }
    }
}

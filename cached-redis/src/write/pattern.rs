//! The write flow of patterns: what a write makes outdated is all keys that match.
//!
//! It holds what every invalidation holds, by the means of [`remove`]: it is sent from a task of its
//! own, and what the store does not confirm goes on in the [`journal`](crate::protocol::journal), as the
//! pattern, before anybody learns that it ended. A sweep that failed half-way begins anew.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::handle::Inner;
use crate::engine::remove;
use crate::error::{Error, StoreError};
use crate::observe::event::Event;
use crate::observe::registry::Site;
use crate::protocol::journal::Attempt;
use crate::protocol::outbox::Announcement;
use crate::wire::key::Pattern;
use crate::write::attempt::Sending;
use crate::write::dispatch::{Parcel, Sent};
use crate::write::guard::WriteGuard;
use crate::write::invalidation::Invalidation;
use crate::write::removal::Removal;
use crate::write::{invalidate, publish};

/// Invalidates all keys that match `pattern`.
pub(crate) async fn invalidate(
    inner: &Arc<Inner>,
    site: &'static Site,
    pattern: Pattern,
) -> Result<Invalidation, Error> {
    if let Some(key) = pattern.exact() {
        return invalidate::invalidate(inner, site, vec![key], None).await;
    }
    let removal = Removal::of(inner, site, Vec::new(), vec![pattern]);
    invalidate::send(removal).await
}

/// Removes what is outdated, as one thing, from a task of its own, and ends its guards then: their keys are
/// barred until all else is removed.
pub(crate) fn sent(mut removal: Removal) -> Sent {
    let (hold, guards) = (removal.hold.take(), std::mem::take(&mut removal.guards));
    if let ([guard], true) = (&guards[..], removal.is_empty()) {
        return guard.end();
    }
    let again = (!guards.is_empty()).then(|| removal.again(&guards));
    let inner = Arc::clone(&removal.inner);
    let on_its_way = OnItsWay::new(removal);
    let parcel = on_its_way.parcel(&guards);
    let cache = Arc::clone(&inner);
    let all = async move {
        let mut outcome = on_its_way.send(&cache).await;
        // All at once: an inner one that ends later is barred until then.
        let ends: Vec<_> = guards.iter().map(WriteGuard::end).collect();
        for end in ends {
            outcome = outcome.and(end.await);
        }
        // What was stored under its keys meanwhile may have been read until it ended.
        let lapsed = guards.iter().any(WriteGuard::has_lapsed);
        if let Some(again) = again.filter(|_| lapsed) {
            outcome = outcome.and(OnItsWay::new(again).send(&cache).await);
        }
        outcome
    };
    Sent::by(all, &inner, parcel, hold)
}

/// All parts of one removal.
struct OnItsWay {
    sending: Option<Sending>,
    sweeps: Vec<Matching>,
    hold_off: Option<Duration>,
}

impl OnItsWay {
    fn new(removal: Removal) -> Self {
        let Removal {
            inner,
            keys,
            patterns,
            hold_off,
            publish,
            ..
        } = removal;
        let some = !keys.is_empty();
        let matching = |(pattern, site)| Matching::new(&inner, site, pattern, publish.is_some());
        Self {
            sending: some.then(|| Sending::of(&inner, keys, hold_off, publish)),
            sweeps: patterns.into_iter().map(matching).collect(),
            hold_off,
        }
    }

    fn keys(&self) -> &[String] {
        self.sending.as_ref().map_or(&[], |sending| &sending.keys)
    }

    /// All of it, the keys of `guards` with it.
    fn parcel(&self, guards: &[WriteGuard]) -> Parcel {
        let own = self.sending.iter().map(Sending::parcel);
        let mut parcel = Parcel {
            patterns: self.sweeps.iter().map(|it| it.pattern.clone()).collect(),
            events: self
                .sweeps
                .iter()
                .filter_map(|it| it.event.clone())
                .collect(),
            ..Parcel::default()
        };
        own.chain(guards.iter().map(WriteGuard::parcel))
            .for_each(|it| parcel.add(it));
        parcel
    }

    async fn send(self, inner: &Inner) -> Invalidation {
        let attempt = inner.journal.begin();
        let patterns = self.sweeps.iter().map(|it| (&it.pattern, it.site));
        let answer = remove::remove(inner, self.keys(), patterns.collect(), self.hold_off).await;
        let mut outcome = Invalidation::Done;
        if let Some(sending) = self.sending {
            outcome = sending.answered(attempt, answer.clone()).await;
        }
        for sweep in self.sweeps {
            outcome = outcome.and(sweep.answered(attempt, answer.clone()).await);
        }
        outcome
    }
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
            event: publish.then(|| Announcement::of_pattern(&inner.outbox, site, &pattern)),
            pattern,
            ended: false,
        }
    }

    /// Ends with what the store has answered.
    async fn answered(mut self, attempt: Attempt, answer: Result<(), StoreError>) -> Invalidation {
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
            publish::publish(&self.inner, event).await;
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
                publish::keep(&self.inner, event);
            }
        }
    }
}

//! An invalidation on its way: however it ends, what the store has not confirmed is in the journal.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::yield_now;

use crate::engine::handle::Inner;
use crate::engine::remove;
use crate::error::StoreError;
use crate::observe::event::Event;
use crate::observe::registry::{DIRECT, Site};
use crate::protocol::journal::Attempt;
use crate::protocol::outbox::Announcement;
use crate::store::many::MOST;
use crate::write::dispatch::Parcel;
use crate::write::invalidation::Invalidation;
use crate::write::publish;

/// An invalidation on its way. However it ends, it is not lost: a task that a runtime drops at its
/// shutdown drops this too, before its end, and it is deferred. For runtimes that nobody drives see
/// [`dispatch`](crate::write::dispatch).
pub(crate) struct Sending {
    inner: Arc<Inner>,
    pub(crate) keys: Arc<[String]>,
    /// How many of the keys each writer is counted for.
    shares: Vec<(&'static Site, usize)>,
    hold_off: Option<Duration>,
    /// What others are to hear of it, if they are.
    pub(crate) event: Option<Announcement>,
    ended: bool,
}

impl Sending {
    pub(crate) fn new(
        inner: &Arc<Inner>,
        site: &'static Site,
        keys: Arc<[String]>,
        hold_off: Option<Duration>,
        event: Option<Announcement>,
    ) -> Self {
        Self {
            inner: Arc::clone(inner),
            shares: vec![(site, keys.len())],
            keys,
            hold_off,
            event,
            ended: false,
        }
    }

    /// Of the keys of several writers. `publish`: in whose name an event goes out once it is confirmed.
    pub(crate) fn of(
        inner: &Arc<Inner>,
        keys: Vec<(String, &'static Site)>,
        hold_off: Option<Duration>,
        publish: Option<&'static Site>,
    ) -> Self {
        let mut shares = Vec::<(&Site, usize)>::new();
        for (_, site) in &keys {
            match shares
                .iter_mut()
                .find(|(known, _)| std::ptr::eq(*known, *site))
            {
                Some((_, keys)) => *keys += 1,
                None => shares.push((site, 1)),
            }
        }
        let keys: Arc<[_]> = keys.into_iter().map(|(key, _)| key).collect();
        Self {
            inner: Arc::clone(inner),
            event: publish.map(|site| Announcement::new(&inner.outbox, site, &keys)),
            keys,
            shares,
            hold_off,
            ended: false,
        }
    }

    /// What it sends.
    pub(crate) fn parcel(&self) -> Parcel {
        Parcel {
            keys: vec![Arc::clone(&self.keys)],
            hold_off: self.hold_off,
            events: self.event.iter().cloned().collect(),
            ..Parcel::default()
        }
    }

    pub(crate) async fn send(self) -> Invalidation {
        let attempt = self.inner.journal.begin();
        let answer = remove::remove(&self.inner, &self.keys, Vec::new(), self.hold_off).await;
        self.answered(attempt, answer).await
    }

    /// Ends with what the store has answered.
    pub(crate) async fn answered(
        mut self,
        attempt: Attempt,
        answer: Result<(), StoreError>,
    ) -> Invalidation {
        let confirmed = match answer {
            Ok(()) => self.confirm(attempt).await,
            Err(error) => Err(error),
        };
        self.ended = true;
        let ended = match &confirmed {
            Ok(()) => {
                self.tell(Event::Invalidated);
                Invalidation::Done
            }
            Err(error) => self.defer(attempt, error),
        };
        self.announce().await;
        ended
    }

    /// Settles what is kept of the keys; an error if the server has changed meanwhile.
    async fn confirm(&self, attempt: Attempt) -> Result<(), StoreError> {
        for (at, piece) in self.keys.chunks(MOST).enumerate() {
            // Lets others run before the second piece of many keys, and before each that follows.
            if at > 0 {
                yield_now().await;
            }
            let confirmed = self.inner.journal.confirm(attempt, piece);
            confirmed.ok_or(StoreError::Lost)?;
        }
        Ok(())
    }

    /// To be called at the end: the keys of one that is deferred are in the journal, which this waits for.
    async fn announce(&mut self) {
        if let Some(event) = self.event.take() {
            publish::publish(&self.inner, event).await;
        }
    }

    /// Ends with the value that was written in the place of what stood there.
    pub(crate) async fn stored(mut self, attempt: Attempt) -> Invalidation {
        self.ended = true;
        let ended = match self.inner.journal.replaced(attempt, &self.keys) {
            true => {
                self.tell(|_| Event::Fill);
                Invalidation::Done
            }
            false => self.defer(attempt, &StoreError::Lost),
        };
        self.announce().await;
        ended
    }

    /// Reads of these keys bypass the cache from here on, so before anybody learns of the end.
    fn defer(&self, attempt: Attempt, error: &StoreError) -> Invalidation {
        if self.inner.journal.keep(attempt, &self.keys, self.hold_off) {
            self.inner.emit(&DIRECT.site, &Event::JournalOverflow);
        }
        self.tell(|keys| Event::Deferred(keys, error));
        self.inner.runtime.tend();
        Invalidation::Deferred
    }

    /// To each writer, for its share of the keys.
    fn tell<'a>(&self, event: impl Fn(usize) -> Event<'a>) {
        for (site, keys) in self.shares.iter().filter(|(_, keys)| *keys > 0) {
            self.inner.emit(site, &event(*keys));
        }
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        if !self.ended && !self.keys.is_empty() {
            let attempt = self.inner.journal.begin();
            self.defer(attempt, &StoreError::Unavailable);
            if let Some(event) = self.event.take() {
                publish::keep(&self.inner, event);
            }
        }
    }
}

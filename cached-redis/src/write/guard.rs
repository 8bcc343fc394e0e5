//! The write in two phases: bar the keys, write, open them again.
//!
//! In one phase, a writer that dies between its commit and its invalidation leaves the old value
//! until its TTL (c1 of the model). Here a tombstone replaces the entry *before* the write, so there
//! is no old value left for anybody to find, and nobody can store one while it stands:
//!
//! ```text
//! begin ────► the function runs and commits ────► end
//!     hold    hold    hold    …                   if it never comes: the tombstone runs out, and
//!     at each third of the hold                   the next reader loads what was committed
//! ```
//!
//! A task gives the signs of life, on the runtime in which the write began. The end is sent from where the
//! write ends, so it waits for no other runtime, which may have ended or be driven by nobody. A sign that
//! comes after the end finds no tombstone of its own.
//!
//! A write-through is a write in two phases that ends with its value; see [`through`](crate::write::through)
//! for when that may take the tombstone's place.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use crate::engine::encode::EncodedEntry;
use crate::engine::handle::Inner;
use crate::engine::remove;
use crate::error::{Error, StoreError, Unguarded};
use crate::observe::event::Event;
use crate::observe::registry::Site;
use crate::protocol::outbox::Announcement;
use crate::store::{Answer, Put, Store as _};
use crate::util::lock::Mutex;
use crate::wire::entry::Token;
use crate::wire::targets::Targets;
use crate::write::attempt::{Part, Sending};
use crate::write::dispatch::{Parcel, Sent};
use crate::write::invalidation::Invalidation;

/// A write whose keys are barred; made by [`Cache::begin_write`](crate::Cache::begin_write).
///
/// Dropped without [`finish`](Self::finish), the write may have been committed: the keys are
/// invalidated all the same, in the background.
#[must_use = "dropped at once, the write would not be guarded while it runs"]
pub struct WriteGuard(Arc<GuardedWrite>);

impl WriteGuard {
    /// Bars all of `keys`, or says why it cannot; then none stays barred.
    pub(crate) async fn begin(
        inner: &Arc<Inner>,
        site: &'static Site,
        keys: Vec<String>,
        hold_off: Option<Duration>,
    ) -> Result<Self, Unguarded> {
        if !inner.settings.guarded {
            return Err(Unguarded::NotEnabled);
        }
        Self::bar(inner, site, keys, hold_off).await
    }

    /// The same where others may remove the tombstones.
    pub(crate) async fn bar(
        inner: &Arc<Inner>,
        site: &'static Site,
        mut keys: Vec<String>,
        hold_off: Option<Duration>,
    ) -> Result<Self, Unguarded> {
        // The second end of one key would find no tombstone.
        keys.sort_unstable();
        keys.dedup();
        let guard = Self(Arc::new(GuardedWrite {
            inner: Arc::clone(inner),
            site,
            targets: Arc::new(keys.into()),
            token: Token::next(),
            hold_off: watch::Sender::new(hold_off),
            event: OnceLock::new(),
            settled: OnceLock::new(),
            state: Mutex::default(),
        }));
        // Dropped from here on, it ends the write.
        match Box::pin(guard.0.begin()).await {
            Ok(()) => inner.runtime.spawn(Arc::clone(&guard.0).give_signs()),
            Err(error) => {
                guard.0.give_up();
                return Err(Unguarded::Store(error));
            }
        };
        Ok(guard)
    }

    /// For so long after the end nobody stores what is loaded under the keys: a source whose
    /// replicas lag may still answer with the old value.
    pub fn replica_lag(self, lag: Duration) -> Self {
        self.0.hold_off.send_replace(Some(lag));
        self
    }

    /// Publishes the end of the write as an event: see
    /// [events](crate::docs::events).
    pub fn publish(self) -> Self {
        let Self(write) = &self;
        let event = || Announcement::new(&write.inner.outbox, write.site, &write.targets);
        write.event.get_or_init(event);
        self
    }

    /// Waits at the end of the write until no process can serve what was there before from its memory either: see
    /// [settled writers](crate::docs::writing#settled).
    pub fn settled(self) -> Self {
        self.0.settled.get_or_init(|| ());
        self
    }

    /// Ends the write, after its commit: no read that starts when this has returned `Ok`, in any
    /// process, returns a value that was loaded before.
    ///
    /// # Errors
    ///
    /// None at present. A store that does not confirm is no error but [`Invalidation::Deferred`]; the
    /// keys are barred until their hold is over.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the write ends all the same.
    pub async fn finish(self) -> Result<Invalidation, Error> {
        let settles = self.0.settled.get().map(|()| Arc::clone(&self.0.inner));
        Ok(self.end().settled(settles).await)
    }

    /// The value that is to be there at the end.
    pub(crate) fn with(self, written: Option<EncodedEntry>) -> Self {
        self.0.state.lock().written = written;
        self
    }

    /// The same as [`finish`](Self::finish), of one that is looked at later.
    pub(crate) fn end(&self) -> Sent {
        self.0.close()
    }

    /// Whether its keys were not barred all the time, as is known when it has ended.
    pub(crate) fn has_lapsed(&self) -> bool {
        self.0.state.lock().lapsed
    }

    /// What its end sends.
    pub(crate) fn parcel(&self) -> Parcel {
        self.0.parcel()
    }

    pub(crate) fn keys(&self) -> &[String] {
        self.0.keys()
    }

    /// What its end removes.
    pub(crate) fn part(&self) -> Part {
        Part {
            site: self.0.site,
            targets: Targets::clone(&self.0.targets),
            publish: false,
        }
    }
}

impl Drop for WriteGuard {
    fn drop(&mut self) {
        if !self.0.state.lock().ended {
            // Nobody waits for it: it is sent all the same.
            drop(self.end());
        }
    }
}

impl fmt::Debug for WriteGuard {
    /// Says nothing of what is written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteGuard").finish_non_exhaustive()
    }
}

/// That of a guard and of its tasks.
struct GuardedWrite {
    inner: Arc<Inner>,
    site: &'static Site,
    /// Keys alone.
    targets: Arc<Targets>,
    token: Token,
    /// What there is to be at the end.
    hold_off: watch::Sender<Option<Duration>>,
    /// What others are to hear of the end.
    event: OnceLock<Announcement>,
    /// Set: its end is awaited until it has settled.
    settled: OnceLock<()>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    ended: bool,
    /// Whether the keys were not barred for a while, so that others may have written unnoticed.
    lapsed: bool,
    /// What it ends with.
    written: Option<EncodedEntry>,
}

impl GuardedWrite {
    async fn begin(&self) -> Answer<()> {
        let (store, hold) = (&self.inner.store, self.hold());
        store.begin(self.keys(), self.token, hold).await?;
        // Those who read in the write itself are to see what it changes.
        self.inner.journal.barred(&self.targets);
        // Loads that run can no longer be stored, so nobody should wait for them.
        self.inner.flights.abandon_all(self.keys());
        Ok(())
    }

    /// It did not begin, but some keys may be barred. Unanswered, their hold runs out by itself.
    fn give_up(self: &Arc<Self>) {
        self.state.lock().ended = true;
        let (write, task) = (Arc::clone(self), self.inner.runtime.work.begin());
        self.inner.runtime.spawn(async move {
            write.open_again().await;
            drop(task);
        });
    }

    async fn open_again(&self) {
        let _ = self.inner.store.end(self.keys(), self.token, None).await;
    }

    /// If this process dies, the hold stands in for the hold-off too.
    fn hold(&self) -> Duration {
        let lag = self.hold_off.borrow().unwrap_or_default();
        self.inner.settings.hold.saturating_add(lag)
    }

    /// The task: until the end.
    async fn give_signs(self: Arc<Self>) {
        let mut changes = self.hold_off.subscribe();
        while !self.state.lock().ended {
            tokio::select! {
                // It cannot fail: the sender is here. At the end there is a change too.
                _ = changes.changed() => {}
                () = sleep(self.inner.settings.hold / 3) => {}
            }
            self.beat().await;
        }
    }

    async fn beat(&self) {
        if self.state.lock().ended {
            return;
        }
        let (store, hold) = (&self.inner.store, self.hold());
        // Without an answer the next beat tries again.
        if store.hold(self.keys(), self.token, hold).await == Ok(false) && self.lapse() {
            // Barred again, and what was stored meanwhile is gone.
            let _ = self.begin().await;
            if self.state.lock().ended {
                self.open_again().await;
            }
        }
    }

    fn close(self: &Arc<Self>) -> Sent {
        let written = {
            let mut state = self.state.lock();
            state.ended = true;
            state.written.take()
        };
        // Ends the task.
        self.hold_off.send_modify(|_| {});
        let (parcel, event) = (self.parcel(), self.event.get().cloned());
        let (inner, hold_off) = (&self.inner, parcel.hold_off);
        let sending = Sending::new(inner, self.site, &self.targets, hold_off, event);
        let end = Arc::clone(self).end(sending, hold_off, written);
        Sent::by(end, inner, parcel, None)
    }

    fn parcel(&self) -> Parcel {
        Parcel {
            targets: vec![Arc::clone(&self.targets)],
            hold_off: *self.hold_off.borrow(),
            events: self.event.get().cloned().into_iter().collect(),
        }
    }

    fn keys(&self) -> &[String] {
        &self.targets.keys
    }

    async fn end(
        self: Arc<Self>,
        sending: Sending,
        hold_off: Option<Duration>,
        written: Option<EncodedEntry>,
    ) -> Invalidation {
        let attempt = self.inner.journal.begin();
        let size = written.as_ref().map_or(0, |written| written.entry.len());
        let ended = match written {
            Some(written) => self.put(written).await,
            None => self.open(hold_off).await,
        };
        // It was told if it was noticed before.
        if ended == Ok(Put::Lapsed) && !std::mem::replace(&mut self.state.lock().lapsed, true) {
            self.tell_lapsed();
        }
        let lapsed = self.state.lock().lapsed;
        let ended = match ended {
            // What was stored meanwhile goes as one thing.
            Ok(_) if lapsed && !remove::are_together(&self.inner, self.keys()) => {
                return sending.send().await;
            }
            Ok(ended) => ended,
            // The hold runs out by itself; the invalidation goes the way of all others.
            Err(_) => {
                self.state.lock().lapsed = true;
                return sending.send().await;
            }
        };
        // Loads that began before the tombstone stood cannot be stored any more.
        self.inner.flights.abandon_all(self.keys());
        match ended {
            Put::Stored => sending.stored(attempt, size).await,
            Put::Ended | Put::Lapsed => sending.answered(attempt, Ok(())).await,
        }
    }

    async fn open(&self, hold_off: Option<Duration>) -> Answer<Put> {
        let stood = self.inner.store.end(self.keys(), self.token, hold_off);
        Ok(match stood.await? {
            true => Put::Ended,
            false => Put::Lapsed,
        })
    }

    /// Ends with the value, unless something speaks against it.
    async fn put(&self, written: EncodedEntry) -> Answer<Put> {
        let (store, epoch) = (&self.inner.store, written.header.epoch);
        let ended = match self.keys() {
            [key] if self.may_put(key, epoch) => {
                let size = written.entry.len();
                let put = store.put(key, self.token, written.entry, written.life);
                match put.await {
                    Err(error @ StoreError::TooLarge) => {
                        let event = self.inner.not_stored(self.site, key, size, &error);
                        self.inner.emit(self.site, &event);
                        return self.open(None).await;
                    }
                    Ok(Put::Stored) if store.epoch(key) != epoch => return Err(StoreError::Lost),
                    // The bars of its slot are not where it is.
                    Err(error) if error.is_apart() => self.open(None).await?,
                    put => put?,
                }
            }
            _ => self.open(None).await?,
        };
        if ended != Put::Stored {
            self.inner.emit(self.site, &Event::Refused);
        }
        Ok(ended)
    }

    fn may_put(&self, key: &str, epoch: u32) -> bool {
        !self.state.lock().lapsed
            && self.inner.store.epoch(key) == epoch
            && self.inner.journal.pass(key).is_some()
    }

    /// The tombstone was gone before the end, which then is one without a value. `false`: it was gone
    /// after the end.
    fn lapse(&self) -> bool {
        let (ended, known) = {
            let mut state = self.state.lock();
            let ended = state.ended;
            (ended, ended || std::mem::replace(&mut state.lapsed, true))
        };
        if !known {
            self.tell_lapsed();
        }
        !ended
    }

    fn tell_lapsed(&self) {
        // Elsewhere any invalidation removes a tombstone.
        if self.inner.settings.guarded {
            self.inner.emit(self.site, &Event::GuardLapsed);
        }
    }
}

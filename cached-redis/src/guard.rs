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
//! One task per write sends all of this, in this order. The caller only has the other end of a
//! channel: finished, dropped or panicking, it closes the channel, and the task ends the write.
//!
//! A write-through is a write in two phases that ends with its value; see [`through`](crate::through)
//! for when that may take the tombstone's place.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::entry::Token;
use crate::error::{Error, StoreError, Unguarded};
use crate::event::Event;
use crate::handle::Inner;
use crate::pack::Packed;
use crate::registry::Site;
use crate::store::{Put, Store as _};
use crate::work::{Begun, Cue};
use crate::write::{Invalidation, Sending};

/// A write whose keys are barred; made by [`Cache::begin_write`](crate::Cache::begin_write).
///
/// Dropped without [`finish`](Self::finish), the write may have been committed: the keys are
/// invalidated all the same, in the background.
#[must_use = "dropped at once, the write would not be guarded while it runs"]
pub struct WriteGuard {
    /// Dropped first: the end counts as under way from then on.
    _closing: Cue,
    /// Closing it ends the write. It says what hold-off there is to be then.
    hold_off: watch::Sender<Option<Duration>>,
    /// What was written, if the write ends with it.
    value: oneshot::Sender<Packed>,
    /// Whether others are to hear of the end.
    publish: Arc<AtomicBool>,
    task: JoinHandle<Option<Invalidation>>,
}

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
        let (hold_off, watched) = watch::channel(hold_off);
        let (begun, answer) = oneshot::channel();
        let (value, written) = oneshot::channel();
        let publish = Arc::<AtomicBool>::default();
        let (closing, closed) = inner.runtime.work.cue();
        let write = GuardedWrite {
            inner: Arc::clone(inner),
            site,
            keys,
            token: Token::next(),
            hold_off: watched,
            closed,
            written,
            publish: Arc::clone(&publish),
            held: false,
            lapsed: false,
        };
        let task = inner.runtime.spawn(write.run(begun));
        // Without an answer the runtime is shutting down.
        let answer = answer.await.unwrap_or(Err(StoreError::Unavailable));
        answer.map_err(Unguarded::Store)?;
        Ok(Self {
            _closing: closing,
            hold_off,
            value,
            publish,
            task,
        })
    }

    /// For so long after the end nobody stores what is loaded under the keys: a source whose
    /// replicas lag may still answer with the old value.
    pub fn replica_lag(self, lag: Duration) -> Self {
        self.hold_off.send_replace(Some(lag));
        self
    }

    /// Publishes the end of the write as an event: see
    /// [`Cache::publishing`](crate::Cache::publishing).
    pub fn publish(self) -> Self {
        self.publish.store(true, Ordering::Relaxed);
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
        // An error means that the runtime that it began in is shutting down.
        let ended = self.close(None).await;
        Ok(ended.ok().flatten().unwrap_or(Invalidation::Deferred))
    }

    /// Ends the write, with its value if there is one; the task that does it.
    pub(crate) fn close(self, written: Option<Packed>) -> JoinHandle<Option<Invalidation>> {
        if let Some(written) = written {
            // Nobody takes it if the runtime is shutting down.
            let _ = self.value.send(written);
        }
        self.task
    }
}

impl fmt::Debug for WriteGuard {
    /// Says nothing of what is written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteGuard").finish_non_exhaustive()
    }
}

/// The task's side.
struct GuardedWrite {
    inner: Arc<Inner>,
    site: &'static Site,
    keys: Vec<String>,
    token: Token,
    hold_off: watch::Receiver<Option<Duration>>,
    closed: oneshot::Receiver<Begun>,
    written: oneshot::Receiver<Packed>,
    publish: Arc<AtomicBool>,
    /// Whether the keys are barred, and so are to be invalidated.
    held: bool,
    /// Whether the keys were not barred for a while, so that others may have written unnoticed.
    lapsed: bool,
}

impl GuardedWrite {
    /// `None`: it did not begin.
    async fn run(mut self, begun: oneshot::Sender<Result<(), StoreError>>) -> Option<Invalidation> {
        let answer = self.begin().await;
        let began = answer.is_ok();
        // Nobody to tell: the caller was dropped, and the channel below is closed.
        let _ = begun.send(answer);
        if !began {
            // Some keys may be barred. Unanswered, their hold runs out by itself.
            let _ = self.inner.store.end(&self.keys, self.token, None).await;
            return None;
        }
        self.held = true;
        self.hold_until_closed().await;
        let _work = self.closed.try_recv();
        Some(self.end().await)
    }

    async fn begin(&self) -> Result<(), StoreError> {
        let (store, hold) = (&self.inner.store, self.hold());
        store.begin(&self.keys, self.token, hold).await?;
        // Loads that run can no longer be stored, so nobody should wait for them.
        self.inner.flights.abandon_all(&self.keys);
        Ok(())
    }

    /// If this process dies, the hold stands in for the hold-off too.
    fn hold(&self) -> Duration {
        let lag = self.hold_off.borrow().unwrap_or_default();
        self.inner.settings.hold.saturating_add(lag)
    }

    async fn hold_until_closed(&mut self) {
        loop {
            tokio::select! {
                changed = self.hold_off.changed() => match changed {
                    Ok(()) => self.beat().await,
                    Err(_) => return,
                },
                () = sleep(self.inner.settings.hold / 3) => self.beat().await,
            }
        }
    }

    async fn beat(&mut self) {
        let (store, hold) = (&self.inner.store, self.hold());
        // Without an answer the next beat tries again.
        if let Ok(false) = store.hold(&self.keys, self.token, hold).await {
            self.lapse();
            // Barred again, and what was stored meanwhile is gone.
            let _ = self.begin().await;
        }
    }

    async fn end(mut self) -> Invalidation {
        let hold_off = *self.hold_off.borrow();
        let sending = self.sending(hold_off);
        self.held = false;
        let attempt = self.inner.journal.begin();
        let ended = match self.written.try_recv() {
            Ok(written) => self.put(written).await,
            Err(_) => self.open(hold_off).await,
        };
        let Ok(ended) = ended else {
            // The hold runs out by itself; the invalidation goes the way of all others.
            return sending.send().await;
        };
        if ended == Put::Lapsed {
            self.lapse();
        }
        // Loads that began before the tombstone stood cannot be stored any more.
        self.inner.flights.abandon_all(&self.keys);
        match ended {
            Put::Stored => sending.stored(attempt).await,
            Put::Ended | Put::Lapsed => sending.answered(attempt, Ok(())).await,
        }
    }

    fn sending(&self, hold_off: Option<Duration>) -> Sending {
        let publish = self.publish.load(Ordering::Relaxed);
        let sending = Sending::new(&self.inner, self.site, self.keys.clone(), hold_off);
        sending.publishing(publish.then_some(self.site))
    }

    async fn open(&self, hold_off: Option<Duration>) -> Result<Put, StoreError> {
        let stood = self.inner.store.end(&self.keys, self.token, hold_off);
        Ok(match stood.await? {
            true => Put::Ended,
            false => Put::Lapsed,
        })
    }

    /// Ends with the value, unless something speaks against it.
    async fn put(&self, written: Packed) -> Result<Put, StoreError> {
        let (store, epoch) = (&self.inner.store, written.header.epoch);
        let ended = match &self.keys[..] {
            [key] if self.may_put(key, epoch) => {
                let size = written.entry.len();
                let put = store.put(key, self.token, written.entry, written.life);
                match put.await {
                    Err(error @ StoreError::TooLarge) => {
                        let event = self.inner.not_stored(self.site, key, size, &error);
                        self.inner.emit(self.site, &event);
                        return self.open(None).await;
                    }
                    put => put?,
                }
            }
            _ => self.open(None).await?,
        };
        if ended != Put::Stored {
            self.inner.emit(self.site, &Event::Refused);
        } else if store.epoch() != epoch {
            return Err(StoreError::Lost);
        }
        Ok(ended)
    }

    fn may_put(&self, key: &str, epoch: u32) -> bool {
        !self.lapsed && self.inner.store.epoch() == epoch && self.inner.journal.pass(key).is_some()
    }

    fn lapse(&mut self) {
        let first = !std::mem::replace(&mut self.lapsed, true);
        // Elsewhere any invalidation removes a tombstone.
        if first && self.inner.settings.guarded {
            self.inner.emit(self.site, &Event::GuardLapsed);
        }
    }
}

impl Drop for GuardedWrite {
    /// A runtime may end with the task in it. Not sent, the invalidation is deferred.
    fn drop(&mut self) {
        if self.held {
            let hold_off = *self.hold_off.borrow();
            drop(self.sending(hold_off));
        }
    }
}

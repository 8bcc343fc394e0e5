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

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::entry::Token;
use crate::error::{Error, StoreError, Unguarded};
use crate::event::Event;
use crate::handle::Inner;
use crate::registry::Site;
use crate::store::Store as _;
use crate::write::{Invalidation, Sending};

/// A write whose keys are barred; made by [`Cache::begin_write`](crate::Cache::begin_write).
///
/// Dropped without [`finish`](Self::finish), the write may have been committed: the keys are
/// invalidated all the same, in the background.
#[derive(Debug)]
#[must_use = "dropped at once, the write would not be guarded while it runs"]
pub struct WriteGuard {
    /// Closing it ends the write. It says what hold-off there is to be then.
    hold_off: watch::Sender<Option<Duration>>,
    task: JoinHandle<Option<Invalidation>>,
}

impl WriteGuard {
    /// Bars all of `keys`, or says why it cannot; then none stays barred.
    pub(crate) async fn begin(
        inner: &Arc<Inner>,
        site: &'static Site,
        mut keys: Vec<String>,
        hold_off: Option<Duration>,
    ) -> Result<Self, Unguarded> {
        if !inner.settings.guarded {
            return Err(Unguarded::NotEnabled);
        }
        // The second end of one key would find no tombstone.
        keys.sort_unstable();
        keys.dedup();
        let (hold_off, watched) = watch::channel(hold_off);
        let (begun, answer) = oneshot::channel();
        let write = GuardedWrite {
            inner: Arc::clone(inner),
            site,
            keys,
            token: Token::next(),
            hold_off: watched,
            lapsed: false,
        };
        let task = inner.runtime.spawn(write.run(begun));
        // Without an answer the runtime is shutting down.
        let answer = answer.await.unwrap_or(Err(StoreError::Unavailable));
        answer.map_err(Unguarded::Store)?;
        Ok(Self { hold_off, task })
    }

    /// For so long after the end nobody stores what is loaded under the keys: a source whose
    /// replicas lag may still answer with the old value.
    pub fn replica_lag(self, lag: Duration) -> Self {
        self.hold_off.send_replace(Some(lag));
        self
    }

    /// Ends the write, after its commit: no read that starts when this has returned `Ok`, in any
    /// process, returns a value that was loaded before.
    ///
    /// # Errors
    ///
    /// When the runtime is shutting down. A store that does not confirm is no error but
    /// [`Invalidation::Deferred`]; the keys are barred until their hold is over.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the write ends all the same.
    pub async fn finish(self) -> Result<Invalidation, Error> {
        drop(self.hold_off);
        // An error means that the runtime is shutting down.
        let ended = self.task.await.unwrap_or(None);
        ended.ok_or(StoreError::Unavailable.into())
    }
}

/// The task's side.
struct GuardedWrite {
    inner: Arc<Inner>,
    site: &'static Site,
    keys: Vec<String>,
    token: Token,
    hold_off: watch::Receiver<Option<Duration>>,
    /// Whether it was told already that the keys were not barred for a while.
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
        self.hold_until_closed().await;
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
        let (keys, hold_off) = (self.keys.clone(), *self.hold_off.borrow());
        let sending = Sending::new(&self.inner, self.site, keys, hold_off);
        let attempt = self.inner.journal.begin();
        match self.inner.store.end(&self.keys, self.token, hold_off).await {
            Ok(stood) => {
                if !stood {
                    self.lapse();
                }
                // Loads that began before the tombstone stood cannot be stored any more.
                self.inner.flights.abandon_all(&self.keys);
                sending.answered(attempt, Ok(()))
            }
            // The hold runs out by itself; the invalidation goes the way of all others.
            Err(_) => sending.send().await,
        }
    }

    fn lapse(&mut self) {
        if !std::mem::replace(&mut self.lapsed, true) {
            self.inner.emit(self.site, &Event::GuardLapsed);
        }
    }
}

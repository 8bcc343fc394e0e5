//! Mutual exclusion across processes, for work beyond the cache.
//!
//! A lock is a lease with a heartbeat and a number. The lease is held by the store's clock, so that a
//! holder that dies blocks others no longer than that. But a holder that only stalls, in a pause of its
//! runtime or behind a network, may wake up after its lease and go on as if it still had the lock; no
//! lock that times out can prevent that. Therefore each grant has a **fencing token**, a number that
//! grows strictly ([`lock`](crate::wire::lock)): the resource remembers the greatest it has seen and
//! refuses smaller ones (Kleppmann, "How to do distributed locking", 2016).
//!
//! One task per lock sends heartbeats and release, one after the other, so that no late heartbeat can
//! follow the release. The holder has the other end of a channel: released, dropped or panicking, it
//! closes the channel. The task and the holder both know until when the lock is held for certain: the
//! moment *before* the last confirmed heartbeat was sent, plus the lease.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::engine::handle::{Cache, Inner};
use crate::error::{Error, StoreError};
use crate::observe::event::Event;
use crate::observe::registry::DIRECT;
use crate::policy::LONGEST_TTL;
use crate::store::{Answer, Store as _};
use crate::util::backoff::Backoff;
use crate::util::work::{Begun, Cue};
use crate::wire::entry::Token;
use crate::wire::key;
use crate::wire::lock::Grant;

/// What distinguishes the key of a lock from that of an entry.
const MARK: &str = "#lock:";

impl Cache {
    /// Takes the lock of `key`, waiting for whoever holds it for at most the
    /// [`wait_budget`](crate::Builder::wait_budget). See [locks](crate::docs::values#locks) for what it
    /// is good for and what not.
    ///
    /// Locks have nothing to do with the entry under the same key; they stand under
    /// `namespace:#lock:key`. They are not reentrant, and waiters are not served in any order.
    ///
    /// ```
    /// # use cached_redis::Cache;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cached_redis::Error> {
    /// # let cache = Cache::builder().url("memory://").build().await?;
    /// let lock = cache.lock("report:2026-11").await?;
    /// // UPDATE … SET …, fence = $1 WHERE id = $2 AND fence < $1
    /// println!("writing with {}", lock.fencing_token());
    /// lock.release().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Contended`] when somebody else held it all the time; [`Error::Store`] at once when the
    /// store does not answer or refuses.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, a lock that was granted meanwhile is released.
    pub async fn lock(&self, key: impl AsRef<str>) -> Result<Lock, Error> {
        self.lock_within(key, self.inner.settings.wait).await
    }

    /// As [`lock`](Self::lock), waiting for at most `patience`; with zero it asks once.
    ///
    /// # Errors
    ///
    /// As [`lock`](Self::lock).
    ///
    /// # Cancel safety
    ///
    /// As [`lock`](Self::lock).
    pub async fn lock_within(
        &self,
        key: impl AsRef<str>,
        patience: Duration,
    ) -> Result<Lock, Error> {
        let key = key::marked_key(&self.inner.namespace, MARK, key.as_ref());
        let until = Instant::now() + patience.min(LONGEST_TTL);
        let mut asking = Asking::new(&self.inner, key);
        let mut backoff = Backoff::contention();
        loop {
            let asked = Instant::now();
            match asking.ask().await? {
                Grant::Ours(number) => return Ok(asking.granted(number, asked)),
                Grant::Theirs(_) if Instant::now() >= until => return Err(Error::Contended),
                // What is not renewed is free then.
                Grant::Theirs(left) => sleep(backoff.next().min(left)).await,
            }
        }
    }
}

/// Asks once for a lock under this whole key; else for how long somebody else has it.
pub(crate) async fn ask_once(inner: &Arc<Inner>, key: &str) -> Answer<Result<Lock, Duration>> {
    let mut asking = Asking::new(inner, key.to_owned());
    let asked = Instant::now();
    Ok(match asking.ask().await? {
        Grant::Ours(number) => Ok(asking.granted(number, asked)),
        Grant::Theirs(left) => Err(left),
    })
}

/// A lock that is asked for. Dropping it releases it: an answer that never came may have been a
/// grant.
struct Asking {
    inner: Arc<Inner>,
    key: String,
    holder: Token,
    /// Whether the lock may be ours.
    open: bool,
}

impl Asking {
    fn new(inner: &Arc<Inner>, key: String) -> Self {
        Self {
            inner: Arc::clone(inner),
            key,
            holder: Token::next(),
            open: false,
        }
    }

    async fn ask(&mut self) -> Answer<Grant> {
        self.open = true;
        let (store, lease) = (&self.inner.store, self.inner.settings.lease);
        let answer = store.lock(&self.key, self.holder, lease).await;
        self.open = match &answer {
            Ok(Grant::Ours(_)) => true,
            Ok(Grant::Theirs(_)) => false,
            Err(error) => !error.is_definite(),
        };
        answer
    }

    /// The store has granted it, when asked at that moment: keep it alive.
    fn granted(mut self, number: u64, asked: Instant) -> Lock {
        self.open = false;
        let (held, until) = watch::channel(asked + self.inner.settings.lease);
        let (release, released) = self.inner.runtime.work.cue();
        let holding = Holding {
            inner: Arc::clone(&self.inner),
            key: std::mem::take(&mut self.key),
            holder: self.holder,
            held,
            released,
        };
        Lock {
            number,
            holder: self.holder,
            until,
            release,
            task: self.inner.runtime.spawn(holding.run()),
        }
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        if self.open {
            let holder = self.holder;
            let key: Arc<str> = std::mem::take(&mut self.key).into();
            // Unanswered, the lease runs out by itself.
            self.inner.finish(move |inner| {
                let key = Arc::clone(&key);
                async move { inner.store.unlock(&key, holder).await.is_ok() }
            });
        }
    }
}

/// A lock that is held; made by [`Cache::lock`]. Dropping it releases it in the background.
#[must_use = "dropped at once, the lock is released at once"]
pub struct Lock {
    number: u64,
    pub(crate) holder: Token,
    /// Until when it is held for certain.
    until: watch::Receiver<Instant>,
    /// Closing it releases the lock.
    release: Cue,
    task: JoinHandle<Answer<bool>>,
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock")
            .field("fencing_token", &self.number)
            .field("is_held", &self.is_held())
            .finish_non_exhaustive()
    }
}

impl Lock {
    /// The number of this grant, greater than those of all grants of this lock before. Let the
    /// resource refuse what comes with a smaller one than it has seen.
    ///
    /// It fits into an `i64`, and until the year 2255 into the integers of a JSON number too.
    #[must_use]
    pub fn fencing_token(&self) -> u64 {
        self.number
    }

    /// Whether the lock is held at this moment, as far as this process can know. By the time the
    /// answer is used it may be over: see [`fencing_token`](Self::fencing_token).
    #[must_use]
    pub fn is_held(&self) -> bool {
        Instant::now() < *self.until.borrow()
    }

    /// Waits until the lock is lost: it was not renewed in time, because the store was away or this
    /// process stalled, or its record was removed. For `tokio::select!`, to end work in time. A lost
    /// lock never comes back.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn lost(&self) {
        let mut renewed = self.until.clone();
        loop {
            let until = *renewed.borrow_and_update();
            if Instant::now() >= until {
                return;
            }
            tokio::select! {
                () = sleep_until(until) => {}
                Ok(()) = renewed.changed() => {}
            }
        }
    }

    /// Releases the lock, and waits until it is free for others.
    ///
    /// # Errors
    ///
    /// [`Error::LockLost`] when others may have held it before this; [`Error::Store`] when the store
    /// did not answer, and it becomes free when its lease runs out.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, it is released all the same.
    pub async fn release(self) -> Result<(), Error> {
        drop(self.release);
        // An error of the task means that the runtime is shutting down.
        let released = self.task.await.unwrap_or(Err(StoreError::Unavailable));
        released?.then_some(()).ok_or(Error::LockLost)
    }
}

/// The task's side.
struct Holding {
    inner: Arc<Inner>,
    key: String,
    holder: Token,
    held: watch::Sender<Instant>,
    released: oneshot::Receiver<Begun>,
}

impl Holding {
    /// Whether the lock was held to the end.
    async fn run(mut self) -> Answer<bool> {
        let _work = loop {
            tokio::select! {
                work = &mut self.released => break work,
                () = sleep(self.inner.settings.lease / 3) => {
                    if !self.beat().await {
                        self.lose();
                        return Ok(false);
                    }
                }
            }
        };
        let freed = self.inner.store.unlock(&self.key, self.holder).await;
        if freed == Ok(false) {
            self.lose();
        }
        freed
    }

    /// `false`: lost.
    async fn beat(&self) -> bool {
        let (store, lease) = (&self.inner.store, self.inner.settings.lease);
        let (sent, until) = (Instant::now(), *self.held.borrow());
        let extended = store.extend_lock(&self.key, self.holder, lease);
        match timeout_at(until, extended).await {
            // Under the channel's lock: whoever has seen it lost never sees it held again.
            Ok(Ok(true)) => self.held.send_if_modified(|held| {
                let in_time = Instant::now() < *held;
                if in_time {
                    *held = sent + lease;
                }
                in_time
            }),
            Ok(Ok(false)) => false,
            // Without an answer the next beat tries again.
            Ok(Err(_)) | Err(_) => Instant::now() < until,
        }
    }

    fn lose(&self) {
        let now = Instant::now();
        self.held.send_modify(|held| *held = now.min(*held));
        self.inner.emit(&DIRECT.site, &Event::LockLost);
    }
}

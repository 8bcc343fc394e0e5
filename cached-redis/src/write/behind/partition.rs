//! One partition of a queue: whoever has its lock applies what waits there, one write after the other.
//!
//! A write that fails is tried again, after a pause that grows, and nothing behind it in the partition passes it.
//! After some attempts it becomes a dead letter, together with those of its own key alone.
//!
//! Whoever loses the lock gives up at once, in the middle of a function too. What such a function still does, or that
//! of a process that was suspended, only its source can tell: see [`WriteId`].

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

use super::id::WriteId;
use super::worker::Shared;
use crate::engine::handle::{self, Cache};
use crate::error::StoreError;
use crate::observe::behind::{Applied, Applying, WriteBehind, write_behinds};
use crate::observe::event::Event;
use crate::observe::registry::{DIRECT, Site};
use crate::store::queue::{Partition, Queued, Taken};
use crate::store::{Store as _, envelope_token};
use crate::util::backoff::Backoff;
use crate::wire::entry::is_pending;
use crate::write::lock;

/// After how long a partition is looked at of which nothing was heard.
const UNHEARD: Duration = Duration::from_secs(1);

/// How many dead letters a partition may hold.
const MOST_DEAD: u64 = 10_000;

/// See the module.
pub(super) struct Work {
    shared: Arc<Shared>,
    queue: &'static str,
    at: Partition,
    /// There may be something to do.
    wake: Arc<Notify>,
}

impl Work {
    pub(super) fn new(
        shared: &Arc<Shared>,
        queue: &'static str,
        at: Partition,
        wake: Arc<Notify>,
    ) -> Self {
        let shared = Arc::clone(shared);
        Self {
            shared,
            queue,
            at,
            wake,
        }
    }

    pub(super) async fn run(self) {
        let mut backoff = Backoff::long();
        while !self.shared.is_stopping() {
            match lock::ask_once(&self.shared.inner, &self.at.owner).await {
                Ok(Ok(lock)) => {
                    backoff = Backoff::long();
                    tokio::select! {
                        () = self.own(&lock) => {}
                        () = lock.lost() => {}
                    }
                    // Unanswered, it runs out by itself.
                    let _ = lock.release().await;
                }
                Ok(Err(left)) => self.rest(left.min(UNHEARD)).await,
                Err(error) => self.failed(&error, &mut backoff).await,
            }
        }
    }

    /// Until it is to stop, or the partition is somebody else's.
    async fn own(&self, lock: &lock::Lock) {
        let (store, mut backoff) = (&self.shared.inner.store, Backoff::long());
        while !self.shared.is_stopping() {
            match store.take(&self.at, lock.holder).await {
                Ok(Taken::NotOwner) => return,
                Ok(Taken::Nothing) => {
                    tokio::select! {
                        () = self.wake.notified() => {}
                        () = self.rest(UNHEARD) => {}
                    }
                }
                Ok(Taken::Write(write, tries)) => {
                    backoff = Backoff::long();
                    self.apply(&write, tries).await;
                }
                Err(error) => self.failed(&error, &mut backoff).await,
            }
        }
    }

    async fn apply(&self, write: &Queued, tries: u64) {
        let mut known = write_behinds();
        let is_meant = |it: &&WriteBehind| {
            it.function.info.path == write.function && it.info.queue == self.queue
        };
        let Some(behind) = known.find(is_meant) else {
            return self.bury(&DIRECT.site, write, "unknown function").await;
        };
        let site = &behind.writer.site;
        if behind.info.coalesce && self.is_superseded(write).await {
            return self.finish(site, write, &Event::Coalesced).await;
        }
        let failed = match self.ran(behind, write).await {
            Some(Applied::Yes) => return self.finish(site, write, &Event::Applied).await,
            Some(Applied::Unreadable) => {
                return self.bury(site, write, "unreadable arguments").await;
            }
            Some(Applied::Failed) => "failed",
            None => "panicked",
        };
        self.shared.inner.emit(site, &Event::NotApplied);
        match tries >= u64::from(self.shared.retries.attempts) {
            true => self.bury(site, write, failed).await,
            false => self.rest(self.shared.retries.pause(tries)).await,
        }
    }

    /// Runs the function; `None`: it has panicked.
    async fn ran(&self, behind: &'static WriteBehind, write: &Queued) -> Option<Applied> {
        let Shared {
            inner, provided, ..
        } = &*self.shared;
        let id = WriteId {
            queue: self.queue.into(),
            partition: self.at.number,
            number: write.number,
        };
        let applying = Applying::new(write.arguments.clone(), provided);
        let cache = Cache {
            inner: Arc::clone(inner),
        };
        let applied = handle::scope(cache, id.scope((behind.info.apply)(applying)));
        // Ends with this future, which is dropped as soon as the partition is somebody else's.
        let mut task = tokio::task::JoinSet::new();
        task.spawn(applied);
        task.join_next().await?.ok()
    }

    /// Whether a later write of the key waits.
    async fn is_superseded(&self, write: &Queued) -> bool {
        let standing = self.shared.inner.store.get(&write.key).await;
        standing.is_ok_and(|standing| {
            let pending = standing.filter(|entry| is_pending(entry));
            pending.is_some_and(|entry| envelope_token(&entry) != Some(write.token.as_bytes()))
        })
    }

    async fn finish(&self, site: &Site, write: &Queued, event: &Event<'_>) {
        let mut backoff = Backoff::long();
        while let Err(error) = self.shared.inner.store.finish(&self.at, write).await {
            self.failed(&error, &mut backoff).await;
            if self.shared.is_stopping() {
                return;
            }
        }
        self.shared.inner.emit(site, event);
    }

    async fn bury(&self, site: &Site, write: &Queued, why: &'static str) {
        let inner = &self.shared.inner;
        match inner
            .store
            .bury(&self.at, write.number, why, MOST_DEAD)
            .await
        {
            Ok(Some(writes)) => inner.emit(site, &Event::Buried { why, writes }),
            Ok(None) => {
                inner.emit(site, &Event::GraveFull);
                self.rest(self.shared.retries.longest).await;
            }
            Err(error) => self.failed(&error, &mut Backoff::long()).await,
        }
    }

    async fn failed(&self, error: &StoreError, backoff: &mut Backoff) {
        let inner = &self.shared.inner;
        inner.emit(&DIRECT.site, &Event::Away(error));
        self.rest(backoff.next()).await;
    }

    /// Waits, but not when it is to stop.
    async fn rest(&self, pause: Duration) {
        tokio::select! {
            () = sleep(pause) => {}
            () = self.shared.stopped() => {}
        }
    }
}

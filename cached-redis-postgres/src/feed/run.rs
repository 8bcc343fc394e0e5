//! The task of a feed: session after session.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cached_redis::{Cache, Invalidation};
use tokio::time::{Instant, sleep};

use super::primary::{Primary, Slot};
use super::session::Session;
use super::snapshot::Snapshot;
use super::stats::FeedState;
use super::stream::Stream;
use super::target::{FEEDBACK, Target};
use super::{Halt, Shared};
use crate::Error;

/// How long it pauses after a failure: at first, and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

pub(super) struct Follower {
    pub(super) target: Target,
    pub(super) cache: Cache,
    pub(super) shared: Arc<Shared>,
    pub(super) gated: bool,
    pub(super) halt: Mutex<Option<Arc<Halt>>>,
}

/// The slot that is to be read.
pub(super) struct Taken {
    pub(super) slot: String,
    /// Of a new one: what was visible when it was made. What was running then may have been committed before
    /// the slot begins, and not be visible yet.
    pub(super) before: Option<Snapshot>,
}

impl Follower {
    pub(super) async fn run(self) {
        let (first, longest) = PAUSES;
        let mut pause = first;
        let mut is_told = false;
        loop {
            let began = Instant::now();
            match self.session().await {
                Ok(()) => (pause, is_told) = (first, false),
                Err(error) => {
                    if began.elapsed() > longest {
                        (pause, is_told) = (first, false);
                    }
                    self.tell(&error, std::mem::replace(&mut is_told, true));
                    // Between half of it and all: those who have lost a server do not come back at one moment.
                    sleep(pause / 2 + pause.mul_f64(jitter() / 2.0)).await;
                    pause = (pause * 2).min(longest);
                }
            }
        }
    }

    /// Once per outage aloud.
    fn tell(&self, error: &Error, is_told: bool) {
        let mut record = self.shared.record();
        record.stats.state = FeedState::Connecting;
        record.stats.last_error = Some(error.to_string());
        drop(record);
        if is_told {
            tracing::debug!(%error, "the database still cannot be followed");
        } else if error.is_lasting() {
            tracing::error!(%error, "the database cannot be followed before this is set right");
        } else {
            tracing::warn!(%error, "the database cannot be followed, going on trying");
        }
    }

    /// Until a new slot has got its name.
    async fn session(&self) -> Result<(), Error> {
        let primary = Primary::connect(&self.target).await?;
        self.reach("connected").await;
        self.shared.record().stats.connections += 1;
        // Before it waits for the slot, and before anything else may fail: it is told of once.
        if self.shared.is_moved_to(&primary.history) {
            tracing::warn!(
                "the database is another one, or was promoted: commits that readers saw may be lost with the other, and \
                 the whole namespace is removed"
            );
            self.clear().await;
        }
        let taken = self.take(&primary).await?;
        self.reach("taken").await;
        let stream = Stream::open(&self.target, &taken.slot, &primary.identity).await?;
        self.reach("opened").await;
        self.enter(FeedState::Streaming);
        let settled = Session::new(self, &primary, stream, &taken).run().await;
        // Without it the slot is free.
        settled?;
        self.settle(&primary).await
    }

    /// The slot, when it is ours.
    async fn take(&self, primary: &Primary) -> Result<Taken, Error> {
        loop {
            match primary.slot(&self.target.slot).await? {
                Slot::Busy(confirmed) => self.shared.apply(confirmed),
                Slot::Free => {
                    // What somebody has left who died before he had dropped it.
                    primary.remove(&self.target.new_slot()).await?;
                    let slot = self.target.slot.clone();
                    return Ok(Taken { slot, before: None });
                }
                missing => {
                    if let Some(taken) = self.prepare(primary, missing).await? {
                        return Ok(taken);
                    }
                }
            }
            self.enter(FeedState::Waiting);
            sleep(FEEDBACK).await;
        }
    }

    /// Where a test may hold it. A feed that is dropped there is a process that has crashed there.
    pub(super) async fn reach(&self, step: &'static str) {
        let halt = {
            let mut halt = self.halt.lock().unwrap_or_else(PoisonError::into_inner);
            halt.take_if(|halt| halt.step == step)
        };
        if let Some(halt) = halt {
            halt.reached.notify_one();
            halt.go.notified().await;
        }
    }

    pub(super) fn enter(&self, state: FeedState) {
        self.shared.record().stats.state = state;
    }

    /// Removes all there is, until that is confirmed.
    pub(super) async fn clear(&self) {
        let (mut pause, longest) = PAUSES;
        loop {
            match self.cache.clear_namespace().await {
                Ok(Invalidation::Done) => return,
                _ => self.shared.record().stats.deferred_invalidations += 1,
            }
            sleep(pause).await;
            pause = (pause * 2).min(longest);
        }
    }
}

/// From 0 to 1.
fn jitter() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    // std seeds the keys of its hasher from the system's random numbers.
    (RandomState::new().hash_one(0) >> 11) as f64 / (1u64 << 53) as f64
}

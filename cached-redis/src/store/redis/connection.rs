//! The current connection, which [another](super::connector) takes the place of when it is lost.
//!
//! Operations read it without a lock and without waiting. One that finds none sees to it that there is a
//! runtime ([`Tasks`]) for the task that makes them. Where that has just begun, operations wait for its
//! first attempt, as `build` does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use redis::aio::MultiplexedConnection;
use tokio::runtime::Handle as Runtime;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::RedisSettings;
use super::batch::Batches;
use super::breaker::Breaker;
use super::connector::{Connector, Role};
use super::dial::Route;
use super::facts::Identity;
use super::handshake;
use super::monitor::Seen;
use crate::error::{ConnectProblem, StoreError};
use crate::store::Answer;
use crate::store::health::{Condition, State};
use crate::store::stats::{BreakerState, StoreStats};
use crate::util::lock::Mutex;
use crate::util::tasks::Tasks;

pub(super) struct Connection {
    shared: Arc<Shared>,
    tasks: Arc<Tasks>,
    /// How long an attempt to connect may take.
    patience: Duration,
}

pub(super) struct Shared {
    pub(super) batches: Arc<Batches>,
    pub(super) live: ArcSwapOption<Live>,
    pub(super) breaker: Breaker,
    /// What to add to the local clock, in ms, to have the server's.
    pub(super) clock_offset: AtomicI64,
    /// That of the last connection; 0 = none yet, or not asked for.
    pub(super) epoch: AtomicU32,
    /// Whether the memory of the server has a limit.
    pub(super) is_bounded: AtomicBool,
    /// How many connections there were.
    pub(super) made: AtomicU64,
    /// How the first attempt of the task ended; `None` until then.
    pub(super) tried: watch::Sender<Option<Result<(), ConnectProblem>>>,
    pub(super) last: Mutex<Last>,
    pub(super) condition: Condition,
}

/// What a task leaves to the one that comes after it.
#[derive(Default)]
pub(super) struct Last {
    /// How many tasks there were: one of a runtime that stood still may go on beside the next.
    pub(super) tasks: u64,
    pub(super) server: Option<Identity>,
}

pub(super) struct Live {
    pub(super) connection: MultiplexedConnection,
    pub(super) driver: AbortHandle,
    /// That of its reads.
    pub(super) number: u64,
    pub(super) seen: Seen,
}

impl Connection {
    /// Waits until the first attempt of the task is over; why it failed, if it did.
    pub(super) async fn first_attempt(&self) -> Option<ConnectProblem> {
        self.shared.first_attempt().await
    }

    /// Starts the task.
    pub(super) fn start(
        route: Arc<Route>,
        settings: RedisSettings,
        role: Role,
        batches: Arc<Batches>,
        tasks: Arc<Tasks>,
    ) -> Self {
        let shared = Arc::new(Shared {
            batches,
            live: ArcSwapOption::empty(),
            breaker: Breaker::new(settings.breaker_failures),
            clock_offset: AtomicI64::new(0),
            epoch: AtomicU32::new(0),
            is_bounded: AtomicBool::new(true),
            made: AtomicU64::new(0),
            tried: watch::Sender::new(None),
            last: Mutex::default(),
            condition: Condition::begun(),
        });
        let judge = Arc::downgrade(&shared);
        shared.batches.judged_by(move |outcome| {
            if let Some(shared) = judge.upgrade() {
                shared.judge(outcome);
            }
        });
        let patience = settings.connect_timeout;
        let connector = Arc::new(Connector {
            shared: shared.clone(),
            route,
            settings,
            role,
        });
        tasks.house(move || Arc::clone(&connector).begin());
        Self {
            shared,
            tasks,
            patience,
        }
    }

    /// The connection, if there is one right now and the server answers; for one operation, the end
    /// of which is to be told by [`ended`](Self::ended).
    pub(super) async fn current(&self) -> Answer<MultiplexedConnection> {
        self.find(Breaker::admits, |live| live.connection.clone())
            .await
    }

    /// The same for one that goes past the client, which counts the batch that it joins.
    pub(super) async fn admitted(&self) -> Answer<()> {
        self.find(|breaker| !breaker.is_open(), |_| ()).await
    }

    /// Whether it is so, without waiting.
    pub(super) fn admits(&self) -> bool {
        let found = self.shared.find(|breaker| !breaker.is_open(), |_| ());
        found.is_some()
    }

    async fn find<T>(
        &self,
        admits: impl Fn(&Breaker) -> bool,
        found: impl Fn(&Live) -> T,
    ) -> Answer<T> {
        if let Some(found) = self.shared.find(&admits, &found) {
            return Ok(found);
        }
        if self.tasks.tend() || self.shared.is_trying() {
            Box::pin(self.tried()).await;
        }
        self.shared.find(admits, found).ok_or_else(|| {
            self.shared.breaker.reject();
            StoreError::Unavailable
        })
    }

    /// Waits for an attempt that is under way, on the caller's own timer.
    async fn tried(&self) {
        if Runtime::try_current().is_ok() {
            // Whether there is a connection is looked up afterwards.
            let _ = timeout(self.patience, self.shared.first_attempt()).await;
        }
    }

    /// Takes note of how an operation ended.
    pub(super) fn ended<T>(&self, outcome: &Answer<T>) {
        self.shared.judge(outcome);
        if matches!(outcome, Err(StoreError::Timeout)) {
            self.missed();
        }
    }

    /// Perhaps what was not answered was sent to nobody.
    pub(super) fn missed(&self) {
        self.tasks.tend();
    }

    /// How many connections there were: what was answered while their number was the same was answered by the
    /// last of them.
    pub(super) fn made(&self) -> u64 {
        self.shared.made.load(Ordering::Acquire)
    }

    /// Whether the memory of the server has a limit, as far as it was told.
    pub(super) fn is_bounded(&self) -> bool {
        self.shared.is_bounded.load(Ordering::Relaxed)
    }

    pub(super) fn is_up(&self) -> bool {
        self.shared.live.load().is_some()
    }

    /// Gives the connection up, so that another is made.
    pub(super) fn abandon(&self) {
        self.shared.abandon();
    }

    pub(super) fn batches(&self) -> &Batches {
        &self.shared.batches
    }

    /// Where its tasks live.
    pub(super) fn tasks(&self) -> &Arc<Tasks> {
        &self.tasks
    }

    /// The epoch of whatever connection an answer came over, or a later one.
    #[inline]
    pub(super) fn epoch(&self) -> u32 {
        self.shared.epoch.load(Ordering::Acquire)
    }

    pub(super) fn stats(&self) -> StoreStats {
        let stats = self.shared.breaker.stats();
        let connected = self.is_up();
        StoreStats {
            connected,
            breaker: if connected {
                stats.breaker
            } else {
                BreakerState::Open
            },
            attempted: stats.attempted + self.shared.batches.begun(),
            reconnects: self.shared.made.load(Ordering::Relaxed).saturating_sub(1),
            ..stats
        }
    }

    pub(super) fn condition(&self) -> State {
        self.shared.condition.state()
    }

    pub(super) fn now_ms(&self) -> u64 {
        let offset = self.shared.clock_offset.load(Ordering::Relaxed);
        handshake::local_ms().saturating_add_signed(offset)
    }
}

impl Shared {
    fn find<T>(&self, admits: impl Fn(&Breaker) -> bool, found: impl Fn(&Live) -> T) -> Option<T> {
        let live = self.live.load();
        let live = live.as_ref().filter(|_| admits(&self.breaker))?;
        Some(found(live))
    }

    /// Takes note of how it ended. A server that became a replica refuses all writes, and where it may not
    /// serve what it has, reads; the name may by now lead to the new primary.
    fn judge<T>(&self, outcome: &Answer<T>) {
        self.breaker.ended(outcome);
        if let Err(StoreError::Server { code }) = outcome
            && matches!(code.as_str(), "READONLY" | "MASTERDOWN")
        {
            self.abandon();
        }
    }

    fn abandon(&self) {
        if let Some(live) = &*self.live.load() {
            live.driver.abort();
        }
    }

    /// Waits until the first attempt of the task is over; why it failed, if it did.
    async fn first_attempt(&self) -> Option<ConnectProblem> {
        let mut tried = self.tried.subscribe();
        // It cannot fail: the sender is here.
        let tried = tried.wait_for(Option::is_some).await.ok()?;
        tried.as_ref()?.as_ref().err().cloned()
    }

    /// Tells those who wait for the first attempt, if this was it.
    pub(super) fn failed_first(&self, problem: ConnectProblem) {
        self.tried.send_if_modified(|tried| {
            let is_first = tried.is_none();
            tried.get_or_insert(Err(problem));
            is_first
        });
    }

    pub(super) fn is_live(&self, live: &Arc<Live>) -> bool {
        let current = self.live.load();
        current
            .as_ref()
            .is_some_and(|current| Arc::ptr_eq(current, live))
    }

    fn is_trying(&self) -> bool {
        self.tried.borrow().is_none()
    }
}

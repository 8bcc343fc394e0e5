//! The current connection, and the task that replaces it when it is lost.
//!
//! Operations read it without a lock and without waiting. The task owns the driver of the connection,
//! which ends when the connection does, under either protocol and however it was lost; from that
//! moment until the next handshake is through, operations find no connection.
//!
//! Task and driver end with their runtime, too, or stand still with it. An operation that finds no
//! connection sees to it that there is a runtime ([`Tasks`]). Where the task has just begun, operations
//! wait for its first attempt, as `build` does.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use redis::aio::MultiplexedConnection;
use tokio::runtime::Handle as Runtime;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout};

use super::batch::Batches;
use super::breaker::{Breaker, Probing};
use super::facts::Identity;
use super::handshake::{self, Opened, Route};
use super::monitor::{Monitor, Seen};
use super::{RedisSettings, reply};
use crate::error::{ConnectProblem, StoreError};
use crate::store::health::{Condition, State};
use crate::store::stats::{BreakerState, StoreStats};
use crate::store::{Answer, Watch};
use crate::util::background::Background;
use crate::util::backoff::Backoff;
use crate::util::lock::Mutex;
use crate::util::tasks::Tasks;

/// A connection that has lasted so long makes the next outage a new one.
const STABLE: Duration = Duration::from_secs(1);

pub(super) struct Connection {
    shared: Arc<Shared>,
    /// Why the first attempt came to nothing.
    first_failure: Option<ConnectProblem>,
    tasks: Arc<Tasks>,
    /// How long an attempt to connect may take.
    patience: Duration,
}

struct Shared {
    batches: Arc<Batches>,
    live: ArcSwapOption<Live>,
    breaker: Breaker,
    /// What to add to the local clock, in ms, to have the server's.
    clock_offset: AtomicI64,
    /// That of the last connection; 0 = none yet, or not asked for.
    epoch: AtomicU32,
    /// How many connections there were.
    made: AtomicU64,
    /// How the first attempt of the task ended; `None` until then.
    tried: watch::Sender<Option<Result<(), ConnectProblem>>>,
    last: Mutex<Last>,
    condition: Condition,
}

/// What a task leaves to the one that comes after it.
#[derive(Default)]
struct Last {
    /// How many tasks there were: one of a runtime that stood still may go on beside the next.
    tasks: u64,
    server: Option<Identity>,
}

struct Live {
    connection: MultiplexedConnection,
    driver: AbortHandle,
    /// That of its reads.
    number: u64,
    seen: Seen,
}

impl Connection {
    /// Starts the task and waits until its first attempt is over.
    pub(super) async fn open(
        route: Arc<Route>,
        settings: RedisSettings,
        watch: Arc<dyn Watch>,
        batches: Arc<Batches>,
    ) -> Self {
        let tasks = Tasks::here();
        let shared = Arc::new(Shared {
            batches,
            live: ArcSwapOption::empty(),
            breaker: Breaker::new(settings.breaker_failures),
            clock_offset: AtomicI64::new(0),
            epoch: AtomicU32::new(0),
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
        let keeper = Arc::new(Keeper {
            shared: shared.clone(),
            route,
            settings,
            watch,
        });
        tasks.house(move || Arc::clone(&keeper).begin());
        Self {
            first_failure: shared.first_attempt().await,
            shared,
            tasks,
            patience,
        }
    }

    /// The connection, if there is one right now and the server answers; for one operation, the end
    /// of which is to be told by [`ended`](Self::ended).
    pub(super) async fn current(&self) -> Answer<MultiplexedConnection> {
        self.find(|live| live.connection.clone()).await
    }

    /// The same for one that goes past the client.
    pub(super) async fn admitted(&self) -> Answer<()> {
        self.find(|_| ()).await
    }

    async fn find<T>(&self, found: impl Fn(&Live) -> T) -> Answer<T> {
        if let Some(found) = self.shared.find(&found) {
            return Ok(found);
        }
        if self.tasks.tend() || self.shared.is_trying() {
            Box::pin(self.tried()).await;
        }
        self.shared.find(found).ok_or_else(|| {
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

    pub(super) fn is_up(&self) -> bool {
        self.shared.live.load().is_some()
    }

    /// Whether the first attempt succeeded; else why not.
    pub(super) fn first_try(&self) -> Result<(), ConnectProblem> {
        self.first_failure.clone().map_or(Ok(()), Err)
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
    fn find<T>(&self, found: impl Fn(&Live) -> T) -> Option<T> {
        let live = self.live.load();
        let live = live.as_ref().filter(|_| self.breaker.admits())?;
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
    fn failed_first(&self, problem: ConnectProblem) {
        self.tried.send_if_modified(|tried| {
            let is_first = tried.is_none();
            tried.get_or_insert(Err(problem));
            is_first
        });
    }

    fn is_trying(&self) -> bool {
        self.tried.borrow().is_none()
    }
}

/// Whether anything comes back; an error does as well.
async fn answers(mut connection: MultiplexedConnection) -> bool {
    let ping = connection.send_packed_command(&redis::cmd("PING")).await;
    reply::value(ping) != Err(StoreError::Lost)
}

/// The task: connect, hand out, wait for the end, again.
struct Keeper {
    shared: Arc<Shared>,
    route: Arc<Route>,
    settings: RedisSettings,
    watch: Arc<dyn Watch>,
}

/// A connection that was handed out, until its task or its runtime ends.
struct Out<'a> {
    keeper: &'a Keeper,
    live: Arc<Live>,
}

impl Drop for Out<'_> {
    fn drop(&mut self) {
        self.keeper.lost(&self.live);
    }
}

/// Dropped in a panic, it tells those who wait for the first attempt of this task: without its drivers,
/// a runtime panics when it is asked for a connection or a time.
struct Panicking<'a>(&'a Keeper, u64);

impl Drop for Panicking<'_> {
    fn drop(&mut self) {
        let Self(keeper, task) = self;
        if std::thread::panicking() && keeper.shared.last.lock().tasks == *task {
            keeper.shared.failed_first(ConnectProblem::Runtime);
        }
    }
}

impl Keeper {
    /// Takes the place of the task before, at once; the task.
    fn begin(self: Arc<Self>) -> impl Future<Output = ()> + Send {
        self.shared.tried.send_replace(None);
        if let Some(live) = self.shared.live.load_full() {
            self.lost(&live);
        }
        let mut last = self.shared.last.lock();
        last.tasks += 1;
        let task = last.tasks;
        drop(last);
        self.keep(task)
    }

    async fn keep(self: Arc<Self>, task: u64) {
        let _panicking = Panicking(&self, task);
        // Why there is no connection, as it was told.
        let mut told = None;
        let mut backoff = Backoff::long();
        loop {
            match self.connect().await {
                Ok(opened) => {
                    told = None;
                    let since = Instant::now();
                    let Some((out, monitor, driver)) = self.hand_out(task, opened) else {
                        return;
                    };
                    self.shared.tried.send_replace(Some(Ok(())));
                    self.wait_for_end(out, monitor, driver).await;
                    if since.elapsed() >= STABLE {
                        backoff = Backoff::long();
                    }
                }
                Err(problem) => {
                    self.report(&problem, &mut told);
                    self.shared.failed_first(problem);
                }
            }
            sleep(backoff.next()).await;
        }
    }

    async fn connect(&self) -> Result<Opened, ConnectProblem> {
        let epoch_key = self.settings.epoch_key.as_deref();
        let seen = self.shared.epoch.load(Ordering::Relaxed);
        let epoch = epoch_key.map(|key| (key, seen));
        let attempt = handshake::open(&self.route, epoch, &self.shared.batches);
        timeout(self.settings.connect_timeout, attempt)
            .await
            .unwrap_or(Err(ConnectProblem::Timeout))
    }

    /// `None`: another task has taken the place of this one.
    fn hand_out(&self, task: u64, opened: Opened) -> Option<(Out<'_>, Monitor, Background)> {
        let shared = &*self.shared;
        let mut last = shared.last.lock();
        if last.tasks != task {
            return None;
        }
        let server = opened.identity;
        let changed = last.server.as_ref().is_some_and(|last| !last.is(&server));
        let monitor = Monitor::new(opened.connection.clone(), &server);
        // Before any operation can find the connection.
        self.watch.recognised(&server, self.route.address.database);
        self.watch.connected(changed);
        last.server = Some(server);
        let offset = opened.clock_offset.unwrap_or(0);
        shared.clock_offset.store(offset, Ordering::Relaxed);
        shared.made.fetch_add(1, Ordering::Relaxed);
        shared.breaker.reset();
        // Before the connection can be seen: no answer over it may be judged by an older epoch.
        shared.epoch.store(opened.epoch, Ordering::Release);
        shared.batches.start(opened.number);
        let live = Arc::new(Live {
            connection: opened.connection,
            driver: opened.driver.0.abort_handle(),
            number: opened.number,
            seen: monitor.seen(),
        });
        shared.live.store(Some(Arc::clone(&live)));
        shared.condition.turns(true);
        tracing::info!(address = %self.route.address, "connected to the store");
        Some((Out { keeper: self, live }, monitor, opened.driver))
    }

    /// Until the connection is lost, leads to another server, or has carried no answer for so long that
    /// another one may do better.
    async fn wait_for_end(&self, out: Out<'_>, mut monitor: Monitor, mut driver: Background) {
        let probing = Probing {
            deadline: self.settings.deadline,
            patience: self.settings.connect_timeout.saturating_mul(3),
        };
        let connection = monitor.connection();
        let probe = || answers(connection.clone());
        tokio::select! {
            ended = &mut driver.0 => {
                // An error means aborted: the server has become a replica, or others know of a later
                // epoch. What it then holds is another's.
                if ended.is_err() {
                    self.shared.last.lock().server = Some(Identity::default());
                }
            }
            () = monitor.keep() => {}
            () = self.shared.breaker.watch(&self.route.address, probing, probe) => {}
        }
        drop(out);
        crate::util::warning::warn!(address = %self.route.address, "lost the connection to the store");
    }

    /// Nobody finds it any more, unless another has taken its place already.
    fn lost(&self, live: &Arc<Live>) {
        let found = self.shared.live.compare_and_swap(live, None);
        if found.as_ref().is_some_and(|found| Arc::ptr_eq(found, live)) {
            self.shared.batches.end(live.number);
            self.shared.condition.turns(false);
            self.watch.lost(live.seen.last());
        }
    }

    /// Each reason aloud, once per outage.
    fn report(&self, problem: &ConnectProblem, told: &mut Option<ConnectProblem>) {
        let address = &self.route.address;
        self.shared.condition.failed(address, problem);
        if told.as_ref() == Some(problem) {
            return tracing::debug!(%address, %problem, "still cannot connect to the store");
        }
        *told = Some(problem.clone());
        if problem.is_lasting() {
            crate::util::warning::error!(%address, %problem, "the store cannot be used, functions run without it");
        } else {
            crate::util::warning::warn!(%address, %problem, "cannot connect to the store, going on trying");
        }
    }
}

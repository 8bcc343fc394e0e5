//! The current connection, and the task that replaces it when it is lost.
//!
//! Operations read it without a lock and without waiting. The task owns the driver of the connection,
//! which ends when the connection does, under either protocol and however it was lost; from that
//! moment until the next handshake is through, operations find no connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use redis::aio::MultiplexedConnection;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout};

use super::breaker::{Breaker, Probing};
use super::facts::Identity;
use super::handshake::{self, Opened, Route};
use super::vigil::Vigil;
use super::{RedisSettings, reply};
use crate::background::Background;
use crate::backoff::Backoff;
use crate::error::{ConnectProblem, StoreError};
use crate::store::Watch;
use crate::store::stats::{BreakerState, StoreStats};

/// A connection that has lasted so long makes the next outage a new one.
const STABLE: Duration = Duration::from_secs(1);

pub(super) struct Connection {
    shared: Arc<Shared>,
    /// Why the first attempt came to nothing.
    first_failure: Option<ConnectProblem>,
    _keeper: Background,
}

struct Shared {
    live: ArcSwapOption<Live>,
    breaker: Breaker,
    /// What to add to the local clock, in ms, to have the server's.
    clock_offset: AtomicI64,
    /// That of the last connection; 0 = none yet, or not asked for.
    epoch: AtomicU32,
    /// How many connections there were.
    made: AtomicU64,
}

struct Live {
    connection: MultiplexedConnection,
    driver: AbortHandle,
}

impl Connection {
    /// Starts the task and waits until its first attempt is over.
    pub(super) async fn open(
        route: Arc<Route>,
        settings: RedisSettings,
        watch: Arc<dyn Watch>,
    ) -> Self {
        let shared = Arc::new(Shared {
            live: ArcSwapOption::empty(),
            breaker: Breaker::new(settings.breaker_failures),
            clock_offset: AtomicI64::new(0),
            epoch: AtomicU32::new(0),
            made: AtomicU64::new(0),
        });
        let (tried, first_try) = oneshot::channel();
        let keeper = Keeper {
            shared: shared.clone(),
            route,
            settings,
            watch,
            last: None,
            told: None,
        };
        let keeper = Background(tokio::spawn(keeper.keep(tried)));
        Self {
            shared,
            // An error means that it did not fail, or that the runtime is going down.
            first_failure: first_try.await.ok(),
            _keeper: keeper,
        }
    }

    /// The connection, if there is one right now and the server answers; for one operation, the end
    /// of which is to be told by [`ended`](Self::ended).
    pub(super) fn current(&self) -> Result<MultiplexedConnection, StoreError> {
        let breaker = &self.shared.breaker;
        match &*self.shared.live.load() {
            Some(live) if breaker.admits() => return Ok(live.connection.clone()),
            Some(_) => {}
            None => breaker.reject(),
        }
        Err(StoreError::Unavailable)
    }

    /// Takes note of how an operation ended.
    pub(super) fn ended<T>(&self, outcome: &Result<T, StoreError>) {
        self.shared.breaker.ended(outcome);
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
        if let Some(live) = &*self.shared.live.load() {
            live.driver.abort();
        }
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

    pub(super) fn now_ms(&self) -> u64 {
        let offset = self.shared.clock_offset.load(Ordering::Relaxed);
        handshake::local_ms().saturating_add_signed(offset)
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
    last: Option<Identity>,
    /// Why there is no connection, as it was told.
    told: Option<ConnectProblem>,
}

impl Keeper {
    /// `tried` is told why the first attempt failed, or dropped when it has succeeded.
    async fn keep(mut self, tried: oneshot::Sender<ConnectProblem>) {
        let mut tried = Some(tried);
        let mut backoff = Backoff::long();
        loop {
            match self.connect().await {
                Ok(opened) => {
                    self.told = None;
                    let since = Instant::now();
                    let (vigil, driver) = self.hand_out(opened);
                    drop(tried.take());
                    self.wait_for_end(vigil, driver).await;
                    if since.elapsed() >= STABLE {
                        backoff = Backoff::long();
                    }
                }
                Err(problem) => {
                    self.report(&problem);
                    if let Some(tried) = tried.take() {
                        // Nobody listens if `build` was dropped.
                        let _ = tried.send(problem);
                    }
                }
            }
            sleep(backoff.next()).await;
        }
    }

    async fn connect(&self) -> Result<Opened, ConnectProblem> {
        let epoch_key = self.settings.epoch_key.as_deref();
        let seen = self.shared.epoch.load(Ordering::Relaxed);
        let attempt = handshake::open(&self.route, epoch_key.map(|key| (key, seen)));
        timeout(self.settings.connect_timeout, attempt)
            .await
            .unwrap_or(Err(ConnectProblem::Timeout))
    }

    fn hand_out(&mut self, opened: Opened) -> (Vigil, Background) {
        let server = opened.identity;
        let changed = self.last.as_ref().is_some_and(|last| !last.is(&server));
        let vigil = Vigil::new(opened.connection.clone(), &server);
        // Before any operation can find the connection.
        self.watch.recognised(&server, self.route.address.database);
        self.watch.connected(changed);
        self.last = Some(server);
        let shared = &self.shared;
        let offset = opened.clock_offset.unwrap_or(0);
        shared.clock_offset.store(offset, Ordering::Relaxed);
        shared.made.fetch_add(1, Ordering::Relaxed);
        shared.breaker.reset();
        // Before the connection can be seen: no answer over it may be judged by an older epoch.
        shared.epoch.store(opened.epoch, Ordering::Release);
        shared.live.store(Some(Arc::new(Live {
            connection: opened.connection,
            driver: opened.driver.0.abort_handle(),
        })));
        tracing::info!(address = %self.route.address, "connected to the store");
        (vigil, opened.driver)
    }

    /// Until the connection is lost, leads to another server, or has carried no answer for so long that
    /// another one may do better.
    async fn wait_for_end(&mut self, mut vigil: Vigil, mut driver: Background) {
        let probing = Probing {
            deadline: self.settings.deadline,
            patience: self.settings.connect_timeout.saturating_mul(3),
        };
        let connection = vigil.connection();
        let probe = || answers(connection.clone());
        tokio::select! {
            ended = &mut driver.0 => {
                // An error means aborted: the server has become a replica, or others know of a later
                // epoch. What it then holds is another's.
                if ended.is_err() {
                    self.last = Some(Identity::default());
                }
            }
            () = vigil.keep() => {}
            () = self.shared.breaker.watch(&self.route.address, probing, probe) => {}
        }
        self.shared.live.store(None);
        self.watch.lost(vigil.seen());
        tracing::warn!(address = %self.route.address, "lost the connection to the store");
    }

    /// Each reason aloud, once per outage.
    fn report(&mut self, problem: &ConnectProblem) {
        let address = &self.route.address;
        if self.told.as_ref() == Some(problem) {
            return tracing::debug!(%address, %problem, "still cannot connect to the store");
        }
        self.told = Some(problem.clone());
        if problem.is_lasting() {
            tracing::error!(%address, %problem, "the store cannot be used, functions run without it");
        } else {
            tracing::warn!(%address, %problem, "cannot connect to the store, going on trying");
        }
    }
}

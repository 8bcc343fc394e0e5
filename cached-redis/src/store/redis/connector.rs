//! The task that makes a connection, and the next one when it is lost.
//!
//! It owns the driver of the connection, which ends when the connection does, under either protocol and
//! however it was lost; from that moment until the next handshake is through, operations find no
//! connection. Task and driver end with their runtime, too, or stand still with it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use tokio::time::{Instant, sleep, timeout};

use super::breaker::Probing;
use super::connection::{Live, Shared};
use super::dial::Route;
use super::facts::Identity;
use super::handshake::{self, Opened};
use super::monitor::Monitor;
use super::sentinel::Primary;
use super::tracking::{Steps, Tracking};
use super::{RedisSettings, reply, sentinel};
use crate::error::{ConnectProblem, StoreError};
use crate::store::Watch;
use crate::util::background::Background;
use crate::util::backoff::Backoff;

/// A connection that has lasted so long makes the next outage a new one.
const STABLE: Duration = Duration::from_secs(1);

/// The task: connect, hand out, wait for the end, again.
pub(super) struct Connector {
    pub(super) shared: Arc<Shared>,
    pub(super) route: Arc<Route>,
    pub(super) settings: RedisSettings,
    pub(super) role: Role,
}

/// What a connection is for, and who must know of it.
pub(super) enum Role {
    Steps(Steps),
    /// Reads whose changes are announced.
    Tracked(Arc<Tracking>),
}

impl Role {
    fn watch(&self) -> &dyn Watch {
        match self {
            Self::Steps(steps) => steps,
            Self::Tracked(tracking) => &**tracking,
        }
    }
}

/// A connection that was handed out, until its task or its runtime ends.
struct Out<'a> {
    connector: &'a Connector,
    live: Arc<Live>,
}

impl Drop for Out<'_> {
    fn drop(&mut self) {
        self.connector.lost(&self.live);
    }
}

/// Dropped in a panic, it tells those who wait for the first attempt of this task: without its drivers,
/// a runtime panics when it is asked for a connection or a time.
struct Panicking<'a>(&'a Connector, u64);

impl Drop for Panicking<'_> {
    fn drop(&mut self) {
        let Self(connector, task) = self;
        if std::thread::panicking() && connector.shared.last.lock().tasks == *task {
            connector.shared.failed_first(ConnectProblem::Runtime);
        }
    }
}

impl Connector {
    /// Takes the place of the task before, at once; the task.
    pub(super) fn begin(self: Arc<Self>) -> impl Future<Output = ()> + Send {
        self.shared.tried.send_replace(None);
        let mut last = self.shared.last.lock();
        last.tasks += 1;
        let task = last.tasks;
        // From here on the task before hands out nothing, and the next one has not begun.
        if let Some(live) = self.shared.live.load_full() {
            self.lost(&live);
        }
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
                Ok(mut opened) => {
                    told = None;
                    let primary = opened.primary.take();
                    let since = Instant::now();
                    let Some((out, monitor, driver)) = self.hand_out(task, opened) else {
                        return;
                    };
                    self.shared.tried.send_replace(Some(Ok(())));
                    self.wait_for_end(out, monitor, driver, primary.as_ref())
                        .await;
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
        let (route, batches) = (&self.route, &self.shared.batches);
        let attempt = async {
            match &self.role {
                Role::Steps(_) => {
                    let epoch_key = self.settings.epoch_key.as_deref();
                    let seen = self.shared.epoch.load(Ordering::Relaxed);
                    handshake::open(route, epoch_key.map(|key| (key, seen)), batches).await
                }
                Role::Tracked(tracking) => handshake::open_tracked(route, tracking, batches).await,
            }
        };
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
        let asks_for_elections = self.route.is_shard && matches!(self.role, Role::Tracked(_));
        let monitor = Monitor::new(opened.connection.clone(), &server, asks_for_elections);
        // Before the connection can be seen, or any other be looked at again: no answer over it may be judged by
        // an older epoch.
        shared.epoch.store(opened.epoch, Ordering::Release);
        // Before any operation can find the connection.
        let watch = self.role.watch();
        watch.recognised(&server, self.route.address.database);
        watch.connected(changed);
        if let Role::Tracked(tracking) = &self.role {
            tracking.leads_to(&server, opened.standing);
        }
        last.server = Some(server);
        let offset = opened.clock_offset.unwrap_or(0);
        shared.clock_offset.store(offset, Ordering::Relaxed);
        let address = &self.route.address;
        if shared.is_bounded.swap(opened.is_bounded, Ordering::Relaxed) && !opened.is_bounded {
            tracing::warn!(%address, "the server has no `maxmemory`: set one, and a `maxmemory-policy`, before its host runs out of memory");
        }
        shared.made.fetch_add(1, Ordering::Release);
        shared.breaker.reset();
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
        Some((
            Out {
                connector: self,
                live,
            },
            monitor,
            opened.driver,
        ))
    }

    /// Until the connection is lost, leads to another server, or has carried no answer for so long that
    /// another one may do better.
    async fn wait_for_end(
        &self,
        out: Out<'_>,
        mut monitor: Monitor,
        mut driver: Background,
        primary: Option<&Primary>,
    ) {
        let probing = Probing {
            deadline: self.settings.deadline,
            patience: self.settings.connect_timeout.saturating_mul(3),
        };
        let connection = monitor.connection();
        let probe = || answers(connection.clone());
        tokio::select! {
            // What it had under way was judged before.
            biased;
            ended = &mut driver.0 => {
                // An error means aborted: the server has become a replica, or others know of a later
                // epoch. What it then holds is another's.
                if ended.is_err() {
                    self.shared.last.lock().server = Some(Identity::default());
                }
            }
            () = monitor.keep(self.role.watch(), || self.shared.is_live(&out.live)) => {}
            () = sentinel::overtaken(&self.route, primary) => {}
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
            self.role.watch().lost(live.seen.last());
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

/// Whether anything comes back; an error does as well.
async fn answers(mut connection: MultiplexedConnection) -> bool {
    let ping = connection.send_packed_command(&redis::cmd("PING")).await;
    reply::value(ping) != Err(StoreError::Lost)
}

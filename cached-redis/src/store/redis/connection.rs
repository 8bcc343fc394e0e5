//! The current connection, and the task that replaces it when it is lost.
//!
//! Operations read it without a lock and without waiting. The task owns the driver of the connection,
//! which ends when the connection does, under either protocol and however it was lost; from that
//! moment until the next handshake is through, operations find no connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwapOption;
use redis::aio::MultiplexedConnection;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::Background;
use super::backoff::{self, Backoff};
use super::handshake::{self, Failure, Opened, Route};
use crate::error::StoreError;

pub(super) struct Connection {
    shared: Arc<Shared>,
    /// Why the first attempt came to nothing.
    first_failure: Option<StoreError>,
    _keeper: Background,
}

struct Shared {
    live: ArcSwapOption<Live>,
    /// What to add to the local clock, in ms, to have the server's.
    clock_offset: AtomicI64,
}

struct Live {
    connection: MultiplexedConnection,
    driver: AbortHandle,
}

impl Connection {
    /// Starts the task and waits until its first attempt is over.
    pub(super) async fn open(route: Route, connect_timeout: Duration) -> Self {
        let shared = Arc::new(Shared {
            live: ArcSwapOption::empty(),
            clock_offset: AtomicI64::new(0),
        });
        let (tried, first_try) = oneshot::channel();
        let keeper = Keeper {
            shared: shared.clone(),
            route,
            connect_timeout,
        };
        let keeper = Background(tokio::spawn(keeper.keep(tried)));
        Self {
            shared,
            // An error means that it did not fail, or that the runtime is going down.
            first_failure: first_try.await.ok(),
            _keeper: keeper,
        }
    }

    /// The connection, if there is one right now.
    pub(super) fn current(&self) -> Result<MultiplexedConnection, StoreError> {
        match &*self.shared.live.load() {
            Some(live) => Ok(live.connection.clone()),
            None => Err(StoreError::Unavailable),
        }
    }

    /// Whether the first attempt succeeded; else why not.
    pub(super) fn first_try(&self) -> Result<(), StoreError> {
        self.first_failure.clone().map_or(Ok(()), Err)
    }

    /// Gives the connection up, so that another is made.
    pub(super) fn abandon(&self) {
        if let Some(live) = &*self.shared.live.load() {
            live.driver.abort();
        }
    }

    pub(super) fn now_ms(&self) -> u64 {
        let offset = self.shared.clock_offset.load(Ordering::Relaxed);
        local_ms().saturating_add_signed(offset)
    }
}

/// The local clock, in ms since the Unix epoch.
pub(super) fn local_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_millis() as u64
}

/// The task: connect, hand out, wait for the end, again.
struct Keeper {
    shared: Arc<Shared>,
    route: Route,
    connect_timeout: Duration,
}

impl Keeper {
    /// `tried` is told why the first attempt failed, or dropped when it has succeeded.
    async fn keep(self, tried: oneshot::Sender<StoreError>) {
        let mut tried = Some(tried);
        let mut backoff = Backoff::new();
        let mut failures = 0_u32;
        loop {
            let attempt = timeout(self.connect_timeout, handshake::open(&self.route)).await;
            match attempt.unwrap_or(Err(Failure::Timeout)) {
                Ok(opened) => {
                    failures = 0;
                    let since = Instant::now();
                    let lost = self.hand_out(opened);
                    drop(tried.take());
                    self.wait_for_end(lost).await;
                    if since.elapsed() >= backoff::CAP {
                        backoff = Backoff::new();
                    }
                }
                Err(failure) => {
                    self.report(&failure, failures);
                    failures = failures.saturating_add(1);
                    if let Some(tried) = tried.take() {
                        // Nobody listens if `build` was dropped.
                        let _ = tried.send(failure.into());
                    }
                }
            }
            sleep(backoff.next()).await;
        }
    }

    fn hand_out(&self, opened: Opened) -> Background {
        let offset = opened.clock_offset.unwrap_or(0);
        self.shared.clock_offset.store(offset, Ordering::Relaxed);
        self.shared.live.store(Some(Arc::new(Live {
            connection: opened.connection,
            driver: opened.driver.0.abort_handle(),
        })));
        tracing::info!(address = %self.route.address, "connected to the store");
        opened.driver
    }

    async fn wait_for_end(&self, mut driver: Background) {
        // An error means aborted: the connection was given up.
        let _ = (&mut driver.0).await;
        self.shared.live.store(None);
        tracing::warn!(address = %self.route.address, "lost the connection to the store");
    }

    /// Once per outage aloud.
    fn report(&self, failure: &Failure, before: u32) {
        let address = &self.route.address;
        if before == 0 {
            tracing::warn!(%address, %failure, "cannot connect to the store, going on trying");
        } else {
            tracing::debug!(%address, %failure, "still cannot connect to the store");
        }
    }
}

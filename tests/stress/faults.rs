//! What happens to the server meanwhile: nothing, or one fault after the other.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

use crate::support::{Forwarder, RedisServer};
use crate::{CACHES, PROCESSES};

/// Whether faults are injected.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Weather {
    Calm,
    Stormy,
    /// On a cluster, where nothing happens.
    Shared,
    /// On a cluster whose slots move, and whose replicas take over.
    Moving,
    /// On a primary and a replica that Sentinels watch, with one failover after the other.
    Watched,
}

impl Weather {
    /// Whether two servers may answer at once, for a time.
    pub(crate) fn has_windows(self) -> bool {
        matches!(self, Self::Moving | Self::Watched)
    }

    /// Whether servers fail.
    pub(crate) fn is_rough(self) -> bool {
        matches!(self, Self::Stormy | Self::Moving | Self::Watched)
    }
}

impl FromStr for Weather {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let all = [
            Self::Calm,
            Self::Stormy,
            Self::Shared,
            Self::Moving,
            Self::Watched,
        ];
        let mut all = all.into_iter();
        all.find(|weather| weather.to_string() == text).ok_or(())
    }
}

impl fmt::Display for Weather {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A primary and its replica behind one address.
pub(crate) struct Servers {
    primary: RedisServer,
    replica: RedisServer,
    address: Forwarder,
}

/// In the order in which they are injected, over and over.
const FAULTS: [Fault; 4] = [Fault::Failover, Fault::Cut, Fault::Restart, Fault::Silence];

#[derive(Clone, Copy)]
enum Fault {
    /// All connections are closed.
    Cut,
    /// The server stops answering, and then does all that it was told meanwhile.
    Silence,
    /// The server is killed and comes back with an old snapshot.
    Restart,
    /// The server is killed and replaced by a replica that lags.
    Failover,
}

impl Servers {
    pub(crate) async fn start() -> Self {
        let [primary, replica] = [RedisServer::start(), RedisServer::start()];
        let address = Forwarder::to(&primary).await;
        Self {
            primary,
            replica,
            address,
        }
    }

    /// In calm weather nothing needs to stand in between.
    pub(crate) fn url(&self, weather: Weather) -> String {
        match weather.is_rough() {
            false => self.primary.url(),
            true => self.address.url(),
        }
    }

    pub(crate) fn primary(&self) -> &RedisServer {
        &self.primary
    }

    /// Injects one fault after the other until the time is over; the server is well then.
    pub(crate) async fn storm(&mut self, time: Duration) {
        let until = Instant::now() + time;
        for fault in FAULTS.into_iter().cycle() {
            self.all_are_connected(until).await;
            // For the cache to be in use.
            some_time(400).await;
            if Instant::now() >= until {
                return;
            }
            self.inject(fault).await;
        }
    }

    /// The pauses before a new connection grow with each fault.
    async fn all_are_connected(&self, until: Instant) {
        let clients = || {
            self.primary
                .run::<String>(&["CLIENT", "LIST", "TYPE", "normal"])
        };
        // This one is counted too.
        while clients().lines().count() <= PROCESSES * CACHES && Instant::now() < until {
            some_time(10).await;
        }
    }

    async fn inject(&mut self, fault: Fault) {
        match fault {
            Fault::Cut => self.address.cut(),
            Fault::Silence => {
                self.primary.freeze();
                some_time(300).await;
                self.primary.thaw();
            }
            Fault::Restart => {
                self.primary.run::<()>(&["SAVE"]);
                some_time(200).await;
                self.primary.kill();
                some_time(100).await;
                self.primary.restart();
            }
            Fault::Failover => self.fail_over().await,
        }
    }

    async fn fail_over(&mut self) {
        self.replica.demote(&self.primary);
        self.replica.run::<()>(&["REPLICAOF", "127.0.0.1", "1"]);
        some_time(200).await;
        self.primary.kill();
        some_time(100).await;
        self.replica.promote();
        self.address.point_at(&self.replica);
        std::mem::swap(&mut self.primary, &mut self.replica);
        self.replica.restart();
    }
}

/// What the processes do meanwhile is what counts, so there is nothing to wait for.
async fn some_time(milliseconds: u64) {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
}

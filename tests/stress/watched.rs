//! A primary and its replica under stress, which Sentinels watch: the primary hands over as it is told, or is killed,
//! in turn.
//!
//! From when it is told to hand over until every process has heard of it, the old primary answers those who have not.
//! What is read and written in that time is counted apart.

use std::time::{Duration, Instant};

use crate::shards::WINDOWS;
use crate::subject::Way;
use crate::support::sentinel::{SERVICE, Watched};
use crate::support::{RedisServer, eventually};
use crate::{CACHES, PROCESSES};

pub(crate) struct Trio {
    watched: Watched,
    primary: usize,
    /// How long each window was open.
    windows: Vec<Duration>,
    killed: usize,
}

impl Trio {
    pub(crate) async fn start() -> Self {
        Self {
            watched: Watched::start().await,
            primary: 0,
            windows: Vec::new(),
            killed: 0,
        }
    }

    /// What is written by hand asks both servers in turn.
    pub(crate) fn url(&self, way: Way) -> String {
        let [one, other] = self.watched.servers.each_ref().map(RedisServer::port);
        match way {
            Way::Naive => format!("redis://127.0.0.1:{one},127.0.0.1:{other}"),
            Way::Ours => self.watched.url(),
        }
    }

    pub(crate) fn primary(&self) -> &RedisServer {
        &self.watched.servers[self.primary]
    }

    fn replica(&self) -> &RedisServer {
        &self.watched.servers[1 - self.primary]
    }

    /// One failover after the other until the time is over.
    pub(crate) async fn storm(&mut self, way: Way, time: Duration, source: &RedisServer) {
        let until = Instant::now() + time;
        for is_planned in [true, false].into_iter().cycle() {
            self.all_are_connected(way, until).await;
            some_time(400).await;
            if Instant::now() >= until {
                break;
            }
            self.watched.is_ready().await;
            match is_planned {
                true => self.hand_over(source).await,
                false => self.kill(way).await,
            }
        }
        let longest = self.windows.iter().max().expect("one failover at least");
        println!(
            "{} planned failovers, the longest window {longest:?}; {} primaries killed",
            self.windows.len(),
            self.killed
        );
    }

    async fn hand_over(&mut self, source: &RedisServer) {
        source.run::<()>(&["INCR", WINDOWS]);
        let opened = Instant::now();
        let accepted = async || {
            let mut sentinel = self.watched.sentinels[0].connect();
            let mut command = redis::cmd("SENTINEL");
            command.arg("FAILOVER").arg(SERVICE);
            command.query::<()>(&mut sentinel).is_ok()
        };
        eventually("the failover to begin", accepted).await;
        self.watched.names(self.replica()).await;
        eventually("all to leave", async || clients(self.primary()) == 0).await;
        self.windows.push(opened.elapsed());
        source.run::<()>(&["INCR", WINDOWS]);
        self.swap();
    }

    async fn kill(&mut self, way: Way) {
        self.watched.servers[self.primary].kill();
        self.killed += 1;
        self.watched.names(self.replica()).await;
        // Nobody who was told of the old one before is on the way to it.
        let until = Instant::now() + Duration::from_secs(5);
        self.primary = 1 - self.primary;
        self.all_are_connected(way, until).await;
        self.primary = 1 - self.primary;
        self.watched.servers[self.primary].restart();
        self.swap();
    }

    /// The Sentinels would do it, too, later.
    fn swap(&mut self) {
        self.primary().demote(self.replica());
        self.primary = 1 - self.primary;
    }

    /// The pauses before a new connection grow with each failover.
    async fn all_are_connected(&self, way: Way, until: Instant) {
        let all = match way {
            Way::Naive => 0,
            Way::Ours => PROCESSES * CACHES,
        };
        while clients(self.primary()) < all && Instant::now() < until {
            some_time(10).await;
        }
    }
}

/// How many a server has but for Sentinels and whoever asks.
pub(crate) fn clients(server: &RedisServer) -> usize {
    let clients: String = server.run(&["CLIENT", "LIST", "TYPE", "normal"]);
    let others = clients
        .lines()
        .filter(|line| !line.contains(" name=sentinel-") && !line.contains(" cmd=client|list "));
    others.count()
}

/// What the processes do meanwhile is what counts, so there is nothing to wait for.
async fn some_time(milliseconds: u64) {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
}

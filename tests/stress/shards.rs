//! A cluster of three servers under stress: slots move with their keys, and replicas that lack the newest
//! invalidations take over.
//!
//! Until the old primary has learnt of its replica it answers those who do not know better. What is read and
//! written in that time is counted apart: the source counts when such a window opens and when it is closed.

use std::time::{Duration, Instant};

use crate::KEYS;
use crate::support::RedisServer;
use crate::support::cluster::Cluster;

/// Under this name the source counts the moments at which a window opens, and those at which it is closed.
pub(crate) const WINDOWS: &str = "windows";

const PRIMARIES: usize = 3;

/// How the keys begin that are moved.
const MOVED: [&str; 5] = ["", "tagged:", "found:", "many:", "#tag:stress:"];

pub(crate) struct Shards {
    cluster: Cluster,
    /// Of each shard: who has its slots, and who follows.
    shards: Vec<[usize; 2]>,
    /// How long each window was open.
    windows: Vec<Duration>,
}

impl Shards {
    pub(crate) fn start(with_replicas: bool) -> Self {
        let cluster = Cluster::start(PRIMARIES);
        let shards = (0..PRIMARIES).map(|shard| [shard, shard + PRIMARIES]);
        Self {
            cluster: match with_replicas {
                true => cluster.with_replicas(),
                false => cluster,
            },
            shards: shards.collect(),
            windows: Vec::new(),
        }
    }

    pub(crate) fn url(&self) -> String {
        self.cluster.url()
    }

    pub(crate) fn servers(&self) -> Vec<&RedisServer> {
        let primaries = self.shards.iter().map(|shard| shard[0]);
        primaries.map(|node| &self.cluster.nodes()[node]).collect()
    }

    /// Moves the slots of keys, and lets the replicas take over in turn, until the time is over.
    pub(crate) async fn storm(&mut self, time: Duration, source: &RedisServer) {
        let until = Instant::now() + time;
        for round in 0.. {
            for _ in 0..4 {
                self.move_one();
                some_time(50).await;
            }
            if Instant::now() >= until {
                break;
            }
            self.take_over(round % PRIMARIES, source).await;
        }
        let longest = self.windows.iter().max().expect("one takeover at least");
        println!(
            "{} takeovers, the longest window {longest:?}",
            self.windows.len()
        );
    }

    fn move_one(&self) {
        let kind = MOVED[fastrand::usize(..MOVED.len())];
        let key = match kind.strip_prefix('#') {
            Some(tag) => format!("it:#{tag}{}", fastrand::u64(0..KEYS)),
            None => format!("it:stress:{kind}{}", fastrand::u64(0..KEYS)),
        };
        let from = self.cluster.owner(&key);
        let others = self.shards.iter().map(|shard| shard[0]);
        let others: Vec<_> = others.filter(|node| *node != from).collect();
        let to = others[fastrand::usize(..others.len())];
        self.cluster.move_slot(self.cluster.slot(&key), from, to);
    }

    async fn take_over(&mut self, shard: usize, source: &RedisServer) {
        let [primary, replica] = self.shards[shard];
        self.cluster.follows(replica);
        self.cluster.cut_off(replica, primary);
        some_time(200).await;
        source.run::<()>(&["INCR", WINDOWS]);
        let opened = Instant::now();
        self.cluster.take_over(replica);
        self.windows.push(opened.elapsed());
        source.run::<()>(&["INCR", WINDOWS]);
        self.cluster.follows(primary);
        self.shards[shard] = [replica, primary];
    }
}

/// What the processes do meanwhile is what counts, so there is nothing to wait for.
async fn some_time(milliseconds: u64) {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
}

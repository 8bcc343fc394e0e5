//! What is put under stress: a cache written by hand, and ours.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cached_redis::{Cache, invalidates, redis_cached};
use redis::aio::MultiplexedConnection;

use crate::report::Counts;
use crate::truth::{self, Truth};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Way {
    /// GET, on a miss SET; DEL after a write.
    Naive,
    /// The annotated functions.
    Ours,
}

impl FromStr for Way {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Naive, Self::Ours]
            .into_iter()
            .find(|way| way.to_string() == text)
            .ok_or(())
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[redis_cached(ttl = 600, key = "stress:<key>", skip(truth))]
async fn read(truth: &Truth, key: u64) -> u64 {
    load(truth, key).await
}

#[invalidates("stress:<key>")]
async fn write(truth: &Truth, key: u64) -> u64 {
    commit(truth, key).await
}

async fn load(truth: &Truth, key: u64) -> u64 {
    let version = truth.version(key).await;
    pause(Duration::from_millis(4)).await;
    version
}

async fn commit(truth: &Truth, key: u64) -> u64 {
    let version = truth.commit(key).await;
    pause(Duration::from_millis(2)).await;
    version
}

/// Mostly short, sometimes none, now and then long.
pub(crate) async fn pause(usual: Duration) {
    match fastrand::u32(0..20) {
        0..6 => tokio::task::yield_now().await,
        6..19 => tokio::time::sleep(usual.mul_f64(fastrand::f64())).await,
        _ => tokio::time::sleep(usual * 10).await,
    }
}

/// One process's cache.
#[derive(Clone)]
pub(crate) enum Subject {
    Naive(MultiplexedConnection, Arc<AtomicU64>),
    Ours(Cache),
}

impl Subject {
    pub(crate) async fn new(way: Way, url: &str) -> Self {
        match way {
            Way::Naive => Self::Naive(truth::connect(url).await, Arc::default()),
            Way::Ours => {
                // An operation that fails would be allowed to leave an old value; none shall.
                let builder = Cache::builder().url(url).namespace("it");
                let builder = builder
                    .deadline(Duration::from_secs(60))
                    .require_connection(true);
                Self::Ours(builder.build().await.expect("the settings are right"))
            }
        }
    }

    pub(crate) async fn read(&self, truth: &Truth, key: u64) -> u64 {
        match self {
            Self::Ours(cache) => cache.scope(read(truth, key)).await,
            Self::Naive(connection, loads) => {
                if let Some(version) = self.kept(key).await {
                    return version;
                }
                loads.fetch_add(1, Ordering::Relaxed);
                let version = load(truth, key).await;
                let mut set = redis::cmd("SET");
                let set = set.arg(naive_key(key)).arg(version).arg("EX").arg(600);
                set.exec_async(&mut connection.clone())
                    .await
                    .expect("the cache answers");
                version
            }
        }
    }

    /// Returns when the invalidation has returned.
    pub(crate) async fn write(&self, truth: &Truth, key: u64) -> u64 {
        match self {
            Self::Ours(cache) => cache.scope(write(truth, key)).await,
            Self::Naive(connection, _) => {
                let version = commit(truth, key).await;
                let mut delete = redis::cmd("DEL");
                let deleted = delete
                    .arg(naive_key(key))
                    .exec_async(&mut connection.clone())
                    .await;
                deleted.expect("the cache answers");
                version
            }
        }
    }

    /// The value in the cache, if there is one.
    pub(crate) async fn kept(&self, key: u64) -> Option<u64> {
        match self {
            Self::Ours(cache) => cache
                .get(format!("stress:{key}"))
                .await
                .expect("the cache answers"),
            Self::Naive(connection, _) => {
                let get = redis::cmd("GET")
                    .arg(naive_key(key))
                    .query_async(&mut connection.clone())
                    .await;
                get.expect("the cache answers")
            }
        }
    }

    /// What the cache itself counts.
    pub(crate) fn counts(&self) -> Counts {
        match self {
            Self::Naive(_, loads) => Counts {
                loads: loads.load(Ordering::Relaxed),
                ..Counts::default()
            },
            Self::Ours(cache) => {
                let total = cache.stats().total();
                Counts {
                    loads: total.loads,
                    misses: total.misses,
                    fills: total.fills,
                    refused: total.refused_fills,
                    joined: total.joined,
                    errors: total.errors + total.lost_invalidations,
                    ..Counts::default()
                }
            }
        }
    }
}

fn naive_key(key: u64) -> String {
    format!("naive:{key}")
}

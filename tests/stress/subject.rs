//! What is put under stress: a cache written by hand, and ours.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use cached_redis::{Cache, OnFailover, invalidates, redis_cached};

use crate::by_hand::ByHand;
use crate::faults::Weather;
use crate::report::Counts;
use crate::truth::Truth;

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

/// How an invalidation ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Ended {
    /// The server has confirmed it.
    Confirmed,
    /// It may be one that is to be replayed.
    Deferred,
    /// It may not have happened, and nobody will repeat it.
    Failed,
}

/// One process's cache.
#[derive(Clone)]
pub(crate) enum Subject {
    Naive(ByHand),
    Ours(Cache),
}

impl Subject {
    pub(crate) async fn new(way: Way, weather: Weather, url: &str) -> Self {
        match way {
            Way::Naive => Self::Naive(ByHand::new(url)),
            Way::Ours => Self::Ours(cache(weather, url).await),
        }
    }

    pub(crate) async fn read(&self, truth: &Truth, key: u64) -> u64 {
        match self {
            Self::Ours(cache) => cache.scope(read(truth, key)).await,
            Self::Naive(by_hand) => by_hand.read(key, || load(truth, key)).await,
        }
    }

    /// Returns when the invalidation has returned.
    pub(crate) async fn write(&self, truth: &Truth, key: u64) -> (u64, Ended) {
        match self {
            Self::Ours(cache) => {
                let before = deferred(cache);
                let version = cache.scope(write(truth, key)).await;
                // One of another writer may be taken for this one's.
                let all_confirmed = deferred(cache) == before;
                let ended = match all_confirmed {
                    true => Ended::Confirmed,
                    false => Ended::Deferred,
                };
                (version, ended)
            }
            Self::Naive(by_hand) => {
                let version = commit(truth, key).await;
                (version, by_hand.invalidate(key).await)
            }
        }
    }

    /// Waits until no invalidation waits any more.
    pub(crate) async fn flush(&self) {
        if let Self::Ours(cache) = self {
            cache.flush().await.expect("the server is back by then");
        }
    }

    /// The value in the cache, if there is one.
    pub(crate) async fn kept(&self, key: u64) -> Option<u64> {
        match self {
            Self::Ours(cache) => {
                let kept = cache.get(format!("stress:{key}")).await;
                kept.expect("the cache answers")
            }
            Self::Naive(by_hand) => by_hand.kept(key).await,
        }
    }

    /// What the cache itself counts.
    pub(crate) fn counts(&self) -> Counts {
        match self {
            Self::Naive(by_hand) => Counts {
                loads: by_hand.loads(),
                ..Counts::default()
            },
            Self::Ours(cache) => {
                let stats = cache.stats();
                let total = stats.total();
                Counts {
                    loads: total.loads,
                    misses: total.misses,
                    fills: total.fills,
                    refused: total.refused_fills,
                    joined: total.joined,
                    errors: total.errors,
                    deferred: total.deferred_invalidations,
                    replayed: total.replayed_invalidations,
                    lost: total.lost_invalidations,
                    outdated: stats.store().outdated,
                    ..Counts::default()
                }
            }
        }
    }
}

async fn cache(weather: Weather, url: &str) -> Cache {
    let builder = Cache::builder().url(url).namespace("it");
    let builder = match weather {
        // An operation that fails would be allowed to leave an old value elsewhere; none shall.
        Weather::Calm => builder.deadline(Duration::from_secs(60)),
        Weather::Stormy => builder
            .on_failover(OnFailover::Epoch)
            .flush_timeout(Duration::from_secs(60)),
    };
    let cache = builder.require_connection(weather == Weather::Calm);
    cache.build().await.expect("the settings are right")
}

fn deferred(cache: &Cache) -> u64 {
    cache.stats().total().deferred_invalidations
}

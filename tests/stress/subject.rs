//! What is put under stress: a cache written by hand, and ours.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use cached_redis::{Cache, OnFailover};

use crate::annotated::{self, By, commit, load};
use crate::by_hand::ByHand;
use crate::faults::Weather;
use crate::log::Log;
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
    pub(crate) async fn new(way: Way, weather: Weather, url: &str, log: Option<&Log>) -> Self {
        match way {
            Way::Naive => Self::Naive(ByHand::new(url)),
            Way::Ours => Self::Ours(cache(weather, url, log).await),
        }
    }

    /// `None`: the source failed, and no old value was to be served.
    pub(crate) async fn read(&self, truth: &Truth, key: u64) -> Option<u64> {
        match self {
            Self::Ours(cache) => cache.scope(annotated::read(truth, key)).await,
            Self::Naive(by_hand) => Some(by_hand.read(key, || load(truth, key)).await),
        }
    }

    /// Returns when the invalidation has returned.
    pub(crate) async fn write(&self, truth: &Truth, key: u64) -> (u64, By, Ended) {
        match self {
            Self::Ours(cache) => {
                let before = deferred(cache);
                let (version, by) = cache.scope(annotated::write(truth, key)).await;
                // One of another writer may be taken for this one's.
                let all_confirmed = deferred(cache) == before;
                let ended = match all_confirmed {
                    true => Ended::Confirmed,
                    false => Ended::Deferred,
                };
                (version, by, ended)
            }
            Self::Naive(by_hand) => {
                let version = commit(truth, key).await;
                (version, By::Key, by_hand.invalidate(key).await)
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
    pub(crate) async fn kept(&self, truth: &Truth, key: u64) -> Option<u64> {
        match self {
            Self::Ours(cache) => annotated::kept(cache, truth, key).await,
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
                    refused: total.refused_fills + total.lapsed_fills,
                    joined: total.joined,
                    errors: total.errors,
                    deferred: total.deferred_invalidations,
                    replayed: total.replayed_invalidations,
                    lost: total.lost_invalidations,
                    dead_epochs: stats.store().outdated,
                    dead_tags: total.outdated,
                    served_stale: total.stale,
                    renewals: total.renewals,
                    written_through: annotated::written_through(&stats),
                    ..Counts::default()
                }
            }
        }
    }
}

async fn cache(weather: Weather, url: &str, log: Option<&Log>) -> Cache {
    // A source that failed is well again at the next call.
    let throttle = Duration::from_millis(20);
    let builder = Cache::builder().url(url).namespace("it");
    let builder = builder.throttle(throttle);
    let builder = match log {
        Some(log) => builder.trace(log.trace()),
        None => builder,
    };
    let builder = match weather.is_rough() {
        // An operation that fails would be allowed to leave an old value elsewhere; none shall.
        false => builder.deadline(Duration::from_secs(60)),
        true => builder
            .on_failover(OnFailover::Epoch)
            // An old snapshot brings back the tombstones of its moment, and with them bars.
            .hold(Duration::from_secs(1))
            .flush_timeout(Duration::from_secs(60)),
    };
    let cache = builder.require_connection(!weather.is_rough());
    cache.build().await.expect("the settings are right")
}

fn deferred(cache: &Cache) -> u64 {
    cache.stats().total().deferred_invalidations
}

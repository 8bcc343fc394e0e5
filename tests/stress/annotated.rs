//! The annotated functions, and which of them reads and writes a key.
//!
//! An eighth of the keys is plain, and another one moves between two tags, from one to the other with each
//! version. In a quarter some of the writes are written through. The third one
//! carries two tags: one of each key's own, and one that the keys of a group share. These have a TTL so
//! short, and every option that serves a value past or before its end, that loads run behind entries all
//! the time, and a source that fails now and then. Of the last quarter, one half finds its tag while it
//! loads, and is written through under it; the other half is read through a function that calls a batch
//! which does.

use std::collections::HashMap;
use std::time::Duration;

use cached_redis::stats::Stats;
use cached_redis::{Cache, CachedExt as _};
use cached_redis::{current, invalidates, redis_cached, write_through};

use crate::subject::pause;
use crate::truth::{Refused, Truth};

/// So many keys have a tag in common.
const GROUP: u64 = 10;

/// The names of the functions that count what was written through.
const WRITE_THROUGH: [&str; 3] = [
    "annotated::write_through",
    "annotated::write_tagged",
    "annotated::write_found",
];

enum Kind {
    Plain,
    Moving,
    WrittenThrough,
    Tagged,
    Found,
    Nested,
}

impl Kind {
    fn of(key: u64) -> Self {
        match key % 8 {
            0 => Self::Plain,
            4 => Self::Moving,
            1 | 5 => Self::WrittenThrough,
            2 | 6 => Self::Tagged,
            3 => Self::Found,
            _ => Self::Nested,
        }
    }
}

/// What a writer has invalidated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum By {
    Key,
    Tag,
}

/// `None`: the source failed, and no old value was to be served.
pub(crate) async fn read(truth: &Truth, key: u64) -> Option<u64> {
    let anew = fastrand::u32(0..50) == 0;
    match (Kind::of(key), anew) {
        (Kind::Tagged, false) => read_tagged(truth, key, group(key)).await.ok(),
        (Kind::Tagged, true) => read_tagged(truth, key, group(key)).refreshed().await.ok(),
        (Kind::Moving, false) => Some(read_moving(truth, key).await),
        (Kind::Moving, true) => Some(read_moving(truth, key).refreshed().await),
        (Kind::Found, false) => Some(read_finding(truth, key).await),
        (Kind::Found, true) => Some(read_finding(truth, key).refreshed().await),
        (Kind::Nested, false) => Some(read_outer(truth, key, fastrand::u64(0..8)).await),
        (Kind::Nested, true) => read_many(truth, &[key]).await.remove(&key),
        (_, false) => Some(read_plain(truth, key).await),
        (_, true) => Some(read_plain(truth, key).refreshed().await),
    }
}

pub(crate) async fn write(truth: &Truth, key: u64) -> (u64, By) {
    match (Kind::of(key), fastrand::u32(0..4)) {
        (Kind::Tagged, 0) => (write_group(truth, key, group(key)).await, By::Tag),
        (Kind::Tagged, 1) => (write_tag(truth, key).await, By::Tag),
        (Kind::Tagged, 2) => (write_key_and_tag(truth, key).await, By::Tag),
        (Kind::Tagged, _) => (write_tagged(truth, key, group(key)).await, By::Key),
        (Kind::Moving, _) => (move_key(truth, key).await, By::Tag),
        (Kind::Found, 0..2) | (Kind::Nested, _) => (write_tag(truth, key).await, By::Tag),
        (Kind::Found, _) => (write_found(truth, key).await, By::Key),
        (Kind::WrittenThrough, 0..2) => (write_through(truth, key).await, By::Key),
        _ => (write_key(truth, key).await, By::Key),
    }
}

/// The value in the cache, if there is one. The entry of a tagged function shows itself when a load
/// fails.
pub(crate) async fn kept(cache: &Cache, truth: &Truth, key: u64) -> Option<u64> {
    match Kind::of(key) {
        Kind::Tagged => {
            let source = truth.refusing();
            let read = cache.scope(read_tagged(&source, key, group(key)));
            read.await.ok()
        }
        Kind::Moving => get(cache, format!("stress:moving:{key}")).await,
        Kind::Found => get(cache, format!("stress:found:{key}")).await,
        Kind::Nested => get(cache, format!("stress:outer:{key}:0")).await,
        Kind::Plain | Kind::WrittenThrough => get(cache, format!("stress:{key}")).await,
    }
}

async fn get(cache: &Cache, key: String) -> Option<u64> {
    let kept = cache.get(key).await;
    kept.expect("the cache answers")
}

pub(crate) fn written_through(stats: &Stats) -> u64 {
    let fills = |name| stats.function(name).map_or(0, |function| function.fills);
    WRITE_THROUGH.map(fills).iter().sum()
}

fn group(key: u64) -> u64 {
    key / GROUP
}

#[redis_cached(ttl = 600, key = "stress:<key>", skip(truth))]
async fn read_plain(truth: &Truth, key: u64) -> u64 {
    load(truth, key).await
}

#[redis_cached(
    ttl = 0.06,
    stale_while_revalidate = 0.2,
    stale_if_error = 600,
    refresh_ahead = 0.8,
    early_expiry = 1.0,
    key = "stress:tagged:<key>",
    tags = ["stress:<key>", "stress:group:<group>"],
    skip(truth, group)
)]
async fn read_tagged(truth: &Truth, key: u64, group: u64) -> Result<u64, Refused> {
    let _: u64 = group;
    let version = truth.try_version(key).await?;
    pause(LOAD).await;
    Ok(version)
}

/// Which folder it is in is known with its version.
#[redis_cached(ttl = 600, key = "stress:moving:<key>", skip(truth))]
async fn read_moving(truth: &Truth, key: u64) -> u64 {
    let version = truth.moving_version(key).await;
    pause(LOAD).await;
    current().tag(format!("stress:folder:{}", version % 2));
    version
}

#[redis_cached(ttl = 600, key = "stress:found:<key>", skip(truth))]
async fn read_finding(truth: &Truth, key: u64) -> u64 {
    current().tag(format!("stress:{key}"));
    load(truth, key).await
}

#[redis_cached(batch(key in keys), ttl = 600, key = "stress:many:<key>", skip(truth))]
async fn read_many(truth: &Truth, keys: &[u64]) -> HashMap<u64, u64> {
    let mut versions = HashMap::new();
    for key in keys {
        current().tag(format!("stress:{key}"));
        versions.insert(*key, load(truth, *key).await);
    }
    versions
}

/// Many of them share one load of the batch.
#[redis_cached(ttl = 600, key = "stress:outer:<key>:<place>", skip(truth))]
async fn read_outer(truth: &Truth, key: u64, place: u64) -> u64 {
    let _: u64 = place;
    read_many(truth, &[key]).await[&key]
}

#[invalidates("stress:<key>")]
async fn write_key(truth: &Truth, key: u64) -> u64 {
    commit(truth, key).await
}

#[invalidates(tag = "stress:<key>")]
async fn write_tag(truth: &Truth, key: u64) -> u64 {
    commit(truth, key).await
}

/// From the one folder to the other.
#[invalidates(tag = "stress:folder:0", tag = "stress:folder:1")]
async fn move_key(truth: &Truth, key: u64) -> u64 {
    commit(truth, key).await
}

#[invalidates(tag = "stress:group:<group>")]
async fn write_group(truth: &Truth, key: u64, group: u64) -> u64 {
    let _: u64 = group;
    commit(truth, key).await
}

#[invalidates("stress:tagged:<key>", tag = "stress:<key>")]
async fn write_key_and_tag(truth: &Truth, key: u64) -> u64 {
    commit(truth, key).await
}

#[write_through(ttl = 600, key = "stress:<key>", tags = [])]
async fn write_through(truth: &Truth, key: u64) -> u64 {
    commit(truth, key).await
}

#[write_through(
    ttl = 600,
    key = "stress:tagged:<key>",
    tags = ["stress:<key>", "stress:group:<group>"]
)]
async fn write_tagged(truth: &Truth, key: u64, group: u64) -> u64 {
    let _: u64 = group;
    commit(truth, key).await
}

#[write_through(ttl = 600, key = "stress:found:<key>", tags = ["stress:<key>"])]
async fn write_found(truth: &Truth, key: u64) -> u64 {
    commit(truth, key).await
}

const LOAD: Duration = Duration::from_millis(4);

pub(crate) async fn load(truth: &Truth, key: u64) -> u64 {
    let version = truth.version(key).await;
    pause(LOAD).await;
    version
}

pub(crate) async fn commit(truth: &Truth, key: u64) -> u64 {
    let version = truth.commit(key).await;
    pause(Duration::from_millis(2)).await;
    version
}

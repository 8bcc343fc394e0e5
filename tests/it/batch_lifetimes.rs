//! How long each value of a batch is kept: what `ttl_with` says of it, before what its load says.

use std::collections::HashMap;
use std::time::Duration;

use cached_redis::{CacheInfo, CachedExt as _, Status, current, redis_cached};

use crate::support::{Source, World, filled, on_both_stores};

on_both_stores!(
    each_value_of_a_batch_tells_its_own_ttl,
    a_value_of_a_batch_without_a_ttl_of_its_own_is_not_stored,
    what_the_load_of_a_batch_says_comes_before_what_its_values_say,
    unless_comes_before_the_ttl_of_a_value_of_a_batch,
);

fn lasting(value: &u64) -> Duration {
    Duration::from_secs(*value)
}

/// Each id lasts for so many seconds; none is found from 1,000,000 on.
async fn load(source: &Source, ids: &[u64]) -> HashMap<u64, u64> {
    source.load().await;
    let found = ids.iter().filter(|id| **id < 1_000_000);
    found.map(|id| (*id, *id)).collect()
}

#[redis_cached(
    batch(id in ids),
    ttl_with = lasting,
    negative_ttl = 30,
    jitter = 0.0,
    unless = *result == 7,
    key = "batch_lifetimes:<id>",
    skip(source)
)]
async fn get_all(source: &Source, ids: &[u64]) -> HashMap<u64, u64> {
    load(source, ids).await
}

#[redis_cached(
    batch(id in ids),
    ttl_with = lasting,
    jitter = 0.0,
    key = "batch_lifetimes:<id>",
    skip(source)
)]
async fn get_for_a_minute(source: &Source, ids: &[u64]) -> HashMap<u64, u64> {
    current().ttl(Duration::from_secs(60));
    load(source, ids).await
}

/// It reads what the batches have stored.
#[redis_cached(ttl = 1, jitter = 0.0, key = "batch_lifetimes:<id>", skip(source))]
async fn get(source: &Source, id: u64) -> Option<u64> {
    load(source, &[id]).await.get(&id).copied()
}

fn seconds_left(info: &CacheInfo) -> u64 {
    assert_eq!(info.status(), Status::Hit);
    let left = info.time_left().expect("it is stored");
    left.as_secs_f64().round() as u64
}

async fn each_value_of_a_batch_tells_its_own_ttl(world: World) {
    let (cache, source) = (world.cache().await, Source::new());
    cache.scope(get_all(&source, &[60, 7200, 1_000_000])).await;
    filled(&cache, 3).await;
    for (id, expected) in [(60, 60), (7200, 7200), (1_000_000, 30)] {
        let (_, info) = cache.scope(get(&source, id).with_info()).await;
        assert_eq!(seconds_left(&info), expected, "{id}");
    }
}

async fn a_value_of_a_batch_without_a_ttl_of_its_own_is_not_stored(world: World) {
    let (cache, source) = (world.cache().await, Source::new());
    for loads in 1..=3 {
        let got = cache.scope(get_all(&source, &[0])).await;
        assert_eq!(got, HashMap::from([(0, 0)]));
        assert_eq!(source.loads(), loads);
    }
}

async fn what_the_load_of_a_batch_says_comes_before_what_its_values_say(world: World) {
    let (cache, source) = (world.cache().await, Source::new());
    cache.scope(get_for_a_minute(&source, &[5, 7200])).await;
    filled(&cache, 2).await;
    for id in [5, 7200] {
        let (_, info) = cache.scope(get(&source, id).with_info()).await;
        assert_eq!(seconds_left(&info), 60, "{id}");
    }
}

async fn unless_comes_before_the_ttl_of_a_value_of_a_batch(world: World) {
    let (cache, source) = (world.cache().await, Source::new());
    cache.scope(get_all(&source, &[6, 7])).await;
    filled(&cache, 1).await;
    cache.scope(get_all(&source, &[6, 7])).await;
    assert_eq!(source.loads(), 2, "7 is not kept");
    assert_eq!(cache.stats().total().hits, 1);
}

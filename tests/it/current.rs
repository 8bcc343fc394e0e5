//! The load decides: what a cached function says about its own result, and what the cached functions
//! that it calls have to say.

use std::time::Duration;

use cached_redis::{Cache, CacheInfo, CachedExt as _, Status, current, redis_cached};
use tokio::sync::Notify;

use crate::support::{Source, World, eventually, filled, in_time, on_both_stores};

on_both_stores!(
    a_load_sets_the_ttl_of_its_result,
    a_load_keeps_its_result_from_being_stored,
    what_is_said_outside_of_a_load_has_no_effect,
    a_value_tells_its_own_ttl,
    a_value_without_a_ttl_of_its_own_is_not_stored,
    a_stale_value_of_an_inner_call_is_not_frozen_into_the_outer_entry,
    a_function_can_keep_inner_calls_out,
    what_a_load_says_that_is_given_up_concerns_nobody,
);

#[redis_cached(ttl = 600, jitter = 0.0, key = "current:says:<id>", cache = cache, skip(cache, source))]
async fn says(cache: &Cache, source: &Source, id: u64) -> u64 {
    match id {
        0 => current().do_not_store(),
        seconds => current().ttl(Duration::from_secs(seconds)),
    }
    source.load().await
}

/// Rounded: a little of it is over when the info is made.
fn seconds_left(info: &CacheInfo) -> u64 {
    let left = info.time_left().expect("it is stored");
    left.as_secs_f64().round() as u64
}

async fn a_load_sets_the_ttl_of_its_result(world: World) {
    let (cache, source) = (world.cache().await, Source::new());
    let (_, info) = says(&cache, &source, 60).with_info().await;
    assert_eq!(seconds_left(&info), 60);
    filled(&cache, 1).await;
    let (_, info) = says(&cache, &source, 60).with_info().await;
    assert_eq!(info.status(), Status::Hit);
    assert!(seconds_left(&info) <= 60);
}

async fn a_load_keeps_its_result_from_being_stored(world: World) {
    let (cache, source) = (world.cache().await, Source::new());
    for loads in 1..=3 {
        says(&cache, &source, 0).await;
        assert_eq!(source.loads(), loads);
    }
    assert_eq!(cache.stats().total().fills, 0);
}

async fn what_is_said_outside_of_a_load_has_no_effect(world: World) {
    let (cache, source) = (world.cache().await, Source::new());
    assert!(!current().is_cached());
    current().do_not_store();
    says(&cache, &source, 60).await;
    filled(&cache, 1).await;
}

#[redis_cached(ttl_with = lasting, jitter = 0.0, key = "current:lasting:<id>", cache = cache, skip(cache, source))]
async fn told(cache: &Cache, source: &Source, id: u64) -> Option<u64> {
    source.load().await;
    (id != 404).then_some(id)
}

fn lasting(value: &u64) -> Duration {
    Duration::from_secs(*value)
}

async fn a_value_tells_its_own_ttl(world: World) {
    let (cache, source) = (world.cache().await, Source::new());
    for (id, expected) in [(60, 60), (7200, 7200), (404, 30)] {
        let (_, info) = told(&cache, &source, id).with_info().await;
        assert_eq!(seconds_left(&info), expected, "{id}");
    }
    filled(&cache, 3).await;
}

async fn a_value_without_a_ttl_of_its_own_is_not_stored(world: World) {
    let (cache, source) = (world.cache().await, Source::new());
    for loads in 1..=3 {
        assert_eq!(told(&cache, &source, 0).await, Some(0));
        assert_eq!(source.loads(), loads);
    }
}

#[redis_cached(
    ttl = 0.02,
    jitter = 0.0,
    stale_while_revalidate = 600,
    key = "current:inner",
    cache = cache,
    skip(cache, source)
)]
async fn inner(cache: &Cache, source: &Source) -> u64 {
    source.load().await
}

#[redis_cached(ttl = 600, key = "current:outer", cache = cache, skip(cache, source))]
async fn outer(cache: &Cache, source: &Source) -> (u64, bool) {
    let (value, info) = inner(cache, source).with_info().await;
    (value, info.status() == Status::Stale)
}

#[redis_cached(ttl = 600, nested = false, key = "current:alone", cache = cache, skip(cache, source))]
async fn alone(cache: &Cache, source: &Source) -> (u64, bool) {
    let (value, info) = inner(cache, source).with_info().await;
    (value, info.status() == Status::Stale)
}

/// Leaves an entry of `inner` past its TTL, whose load behind it is held.
async fn with_a_stale_inner_value(cache: &Cache, source: &Source) {
    inner(cache, source).await;
    filled(cache, 1).await;
    source.hold();
    let stale = async |info: CacheInfo| info.status() == Status::Stale;
    while !stale(inner(cache, source).with_info().await.1).await {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn a_stale_value_of_an_inner_call_is_not_frozen_into_the_outer_entry(world: World) {
    let (cache, source) = (world.cache().await, Source::new());
    with_a_stale_inner_value(&cache, &source).await;
    for _ in 0..2 {
        let ((_, stale), info) = outer(&cache, &source).with_info().await;
        assert!(stale && info.status() != Status::Hit);
    }
    source.release();
}

async fn a_function_can_keep_inner_calls_out(world: World) {
    let (cache, source) = (world.cache().await, Source::new());
    with_a_stale_inner_value(&cache, &source).await;
    alone(&cache, &source).await;
    filled(&cache, 2).await;
    let (_, info) = alone(&cache, &source).with_info().await;
    assert_eq!(info.status(), Status::Hit);
    source.release();
}

/// Says, when it is dropped, that nothing is to be stored.
struct Doubt;

impl Drop for Doubt {
    fn drop(&mut self) {
        current().do_not_store();
    }
}

#[redis_cached(ttl = 600, key = "current:given-up", cache = cache, skip(cache, begun))]
async fn given_up(cache: &Cache, begun: &Notify) -> u64 {
    let _doubt = Doubt;
    begun.notify_one();
    std::future::pending().await
}

#[redis_cached(ttl = 600, key = "current:gives-up", cache = cache, skip(cache))]
async fn gives_up(cache: &Cache) -> u64 {
    let begun = Notify::new();
    tokio::select! {
        value = given_up(cache, &begun) => value,
        () = begun.notified() => 1,
    }
}

async fn what_a_load_says_that_is_given_up_concerns_nobody(world: World) {
    let cache = world.cache().await;
    in_time(gives_up(&cache)).await;
    let hit = async || gives_up(&cache).with_info().await.1.status() == Status::Hit;
    eventually("what is made without it to be kept", hit).await;
}

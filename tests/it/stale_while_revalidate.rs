//! Values past their TTL that are served while they are loaded anew.

use std::time::Duration;

use cached_redis::{Cache, CachedExt as _, Status, redis_cached};

use crate::support::{
    Source, World, eventually, expired, filled, in_time, on_both_stores, on_redis, until_stale,
};

on_both_stores!(
    past_its_ttl_a_value_is_served_and_loaded_anew_behind_the_caller,
    one_of_64_callers_loads_anew,
    one_of_three_processes_loads_anew,
    a_result_that_is_not_to_be_kept_removes_the_old_value,
    an_absence_that_is_not_to_be_kept_removes_the_old_value,
    a_load_that_panics_behind_its_caller_leaves_the_old_value_and_is_tried_again,
    a_failed_load_behind_its_caller_leaves_the_source_alone_for_the_throttle,
    a_function_without_a_window_does_not_serve_what_another_one_keeps,
    calls_inside_a_load_behind_its_caller_ask_the_same_cache,
);
on_redis!(entries_are_kept_for_their_ttl_and_the_longer_window);

#[redis_cached(
    ttl = 0.05,
    jitter = 0.0,
    stale_while_revalidate = 600,
    key = "swr:<id>",
    skip(source)
)]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await
}

#[redis_cached(
    ttl = 0.05,
    jitter = 0.0,
    stale_while_revalidate = 600,
    key = "swr:try:<id>",
    skip(source)
)]
async fn try_read(source: &Source, id: u64) -> Result<u64, String> {
    source.try_load().await.ok_or_else(|| "failed".to_owned())
}

/// A cache and a source behind it, which has changed since `read` was kept; no load ends.
async fn outdated(cache: &Cache) -> Source {
    let source = Source::new();
    assert_eq!(cache.scope(read(&source, 1)).await, 1);
    filled(cache, 1).await;
    source.write();
    source.hold();
    source
}

async fn read_stale(cache: &Cache, source: &Source) -> u64 {
    let read = async || cache.scope(read(source, 1).with_info()).await;
    until_stale(read).await.0
}

async fn past_its_ttl_a_value_is_served_and_loaded_anew_behind_the_caller(world: World) {
    let cache = world.cache().await;
    let source = outdated(&cache).await;
    let read_it = async || cache.scope(read(&source, 1).with_info()).await;
    let (old, info) = until_stale(read_it).await;
    assert_eq!(old, 1, "the load behind it is held");
    assert!(info.age().unwrap() >= Duration::from_millis(50));
    assert_eq!(info.time_left(), Some(Duration::ZERO));
    source.release();
    let new = async || cache.scope(read(&source, 1)).await == 2;
    eventually("the new value", new).await;
    let stats = cache.stats().total();
    assert!(stats.stale >= 1 && stats.renewals >= 1, "{stats:?}");
    assert_eq!(stats.misses, 1, "only the first read had to wait");
}

async fn one_of_64_callers_loads_anew(world: World) {
    let cache = world.patient().build().await.unwrap();
    let source = outdated(&cache).await;
    assert_eq!(read_stale(&cache, &source).await, 1);
    let callers: Vec<_> = (0..64)
        .map(|_| {
            let source = source.clone();
            cache.spawn(async move { read(&source, 1).await })
        })
        .collect();
    for caller in callers {
        assert_eq!(in_time(caller).await.unwrap(), 1);
    }
    source.begun(2).await;
    assert_eq!(source.loads(), 2);
    assert_eq!(cache.stats().total().waits, 0, "nobody waits");
}

async fn one_of_three_processes_loads_anew(world: World) {
    let build = || world.patient().build();
    let caches = [
        build().await.unwrap(),
        build().await.unwrap(),
        build().await.unwrap(),
    ];
    let source = outdated(&caches[0]).await;
    assert_eq!(read_stale(&caches[0], &source).await, 1);
    source.begun(2).await;
    for _ in 0..20 {
        for cache in &caches {
            assert_eq!(in_time(cache.scope(read(&source, 1))).await, 1);
        }
    }
    assert_eq!(source.loads(), 2);
    // Who was told that another process loads asks again later, and finds the new value.
    source.release();
    for cache in &caches {
        let new = async || cache.scope(read(&source, 1)).await == 2;
        eventually("the new value", new).await;
    }
    assert_eq!(source.most_at_once(), 1);
}

#[redis_cached(
    ttl = 0.05, jitter = 0.0, stale_while_revalidate = 600, key = "swr:odd:<id>", skip(source),
    unless = result % 2 == 0,
)]
async fn read_odd(source: &Source, id: u64) -> u64 {
    source.load().await
}

async fn a_result_that_is_not_to_be_kept_removes_the_old_value(world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    let read = async || cache.scope(read_odd(&source, 1).with_info()).await;
    let _ = read().await;
    filled(&cache, 1).await;
    source.write();
    assert_eq!(until_stale(read).await.0, 1);
    let gone = async || read().await.0 == 2;
    eventually("the end of the old value", gone).await;
    for _ in 0..5 {
        assert_eq!(read().await.0, 2, "it never comes back");
    }
}

#[redis_cached(
    ttl = 0.05,
    jitter = 0.0,
    negative_ttl = 0,
    stale_while_revalidate = 600,
    key = "swr:odd-or-none:<id>",
    skip(source)
)]
async fn odd_or_none(source: &Source, id: u64) -> Option<u64> {
    let version = source.load().await;
    (version % 2 == 1).then_some(version)
}

async fn an_absence_that_is_not_to_be_kept_removes_the_old_value(world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    let read = async || cache.scope(odd_or_none(&source, 1).with_info()).await;
    let _ = read().await;
    filled(&cache, 1).await;
    source.write();
    assert_eq!(until_stale(read).await.0, Some(1));
    eventually("the absence", async || read().await.0.is_none()).await;
    for _ in 0..5 {
        assert_eq!(read().await.0, None, "the old value never comes back");
    }
}

#[redis_cached(
    ttl = 0.05,
    jitter = 0.0,
    stale_while_revalidate = 600,
    key = "swr:panic:<id>",
    skip(source, panics)
)]
async fn read_or_panic(source: &Source, id: u64, panics: bool) -> u64 {
    let version = source.load().await;
    assert!(!panics, "this load was asked to panic");
    version
}

async fn a_load_that_panics_behind_its_caller_leaves_the_old_value_and_is_tried_again(
    world: World,
) {
    let cache = world.patient().build().await.unwrap();
    let source = Source::new();
    let read = async |panics| {
        cache
            .scope(read_or_panic(&source, 1, panics).with_info())
            .await
    };
    let _ = read(false).await;
    filled(&cache, 1).await;
    source.write();
    for loads in 2..5 {
        let tried = async || {
            assert_eq!(read(true).await.0, 1);
            source.loads() >= loads
        };
        eventually("another try", tried).await;
    }
    let new = async || read(false).await.0 == 2;
    eventually("the new value", new).await;
    assert_eq!(source.most_at_once(), 1);
}

async fn a_failed_load_behind_its_caller_leaves_the_source_alone_for_the_throttle(world: World) {
    let build = || world.builder().throttle(Duration::from_secs(600)).build();
    let [cache, other] = [build().await.unwrap(), build().await.unwrap()];
    let source = Source::new();
    assert_eq!(cache.scope(try_read(&source, 1)).await, Ok(1));
    filled(&cache, 1).await;
    source.fail(usize::MAX);
    let read = async |process: &Cache| {
        let answer = process.scope(try_read(&source, 1).with_info()).await;
        assert_eq!(answer.0, Ok(1));
        answer
    };
    expired("swr:try:1", [&cache, &other]).await;
    assert_eq!(read(&cache).await.1.status(), Status::Stale);
    let failed = async || cache.stats().total().loads == 2;
    eventually("the load to fail", failed).await;
    for _ in 0..200 {
        for process in [&cache, &other] {
            assert_eq!(read(process).await.1.status(), Status::Stale);
        }
    }
    assert_eq!(source.loads(), 2);
}

#[redis_cached(ttl = 60, key = "swr:<id>", skip(source))]
async fn read_without_window(source: &Source, id: u64) -> u64 {
    source.load().await
}

async fn a_function_without_a_window_does_not_serve_what_another_one_keeps(world: World) {
    let cache = world.cache().await;
    let source = outdated(&cache).await;
    source.release();
    let read = async || {
        cache
            .scope(read_without_window(&source, 1).with_info())
            .await
    };
    let mut seen = read().await;
    while seen.0 == 1 {
        assert_ne!(seen.1.status(), Status::Stale);
        // Generous: the entry is kept for much longer than this.
        assert!(
            seen.1.age().unwrap() < Duration::from_secs(10),
            "{:?}",
            seen.1
        );
        seen = read().await;
    }
    assert_eq!(seen.0, 2);
    // Kept for the 60 s of the function that loaded it.
    filled(&cache, 2).await;
    let (_, info) = read().await;
    assert!(info.time_left().unwrap() > Duration::from_secs(10));
}

#[redis_cached(ttl = 60, key = "swr:inside:<id>", skip(source))]
async fn inside(source: &Source, id: u64) -> u64 {
    source.load().await
}

#[redis_cached(
    ttl = 0.05,
    jitter = 0.0,
    stale_while_revalidate = 600,
    key = "swr:outside:<id>",
    skip(source)
)]
async fn outside(source: &Source, id: u64) -> u64 {
    inside(source, id).await
}

async fn calls_inside_a_load_behind_its_caller_ask_the_same_cache(world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    let read = async || cache.scope(outside(&source, 1).with_info()).await;
    let _ = read().await;
    filled(&cache, 2).await;
    let _ = until_stale(read).await;
    filled(&cache, 3).await;
    assert_eq!(
        source.loads(),
        1,
        "the load behind the caller had a hit inside"
    );
}

#[redis_cached(
    ttl = 100,
    jitter = 0.0,
    stale_while_revalidate = 50,
    key = "swr:kept:one:<id>"
)]
async fn one_window(id: i64) -> Option<i64> {
    (id > 0).then_some(id)
}

#[redis_cached(
    ttl = 100,
    jitter = 0.0,
    stale_while_revalidate = 50,
    stale_if_error = 200,
    key = "swr:kept:two:<id>"
)]
async fn two_windows(id: i64) -> Option<i64> {
    (id > 0).then_some(id)
}

async fn entries_are_kept_for_their_ttl_and_the_longer_window(mut world: World) {
    let cache = world.cache().await;
    for id in [0, 1] {
        cache.scope(one_window(id)).await;
        cache.scope(two_windows(id)).await;
    }
    filled(&cache, 4).await;
    let lives = world.redis().lives();
    let about = |key: &str, seconds: i64| {
        let left = lives[key];
        let expected = (seconds - 20) * 1000..=seconds * 1000;
        assert!(expected.contains(&left), "{key}: {left} ms");
    };
    about("it:swr:kept:one:1", 150);
    about("it:swr:kept:two:1", 300);
    about("it:swr:kept:one:0", 30);
    about("it:swr:kept:two:0", 30);
}

#[cfg(feature = "testing")]
mod with_a_held_clock {
    use cached_redis::testing::HeldClock;

    use super::*;

    #[redis_cached(
        ttl = 10,
        jitter = 0.0,
        negative_ttl = 10,
        stale_while_revalidate = 5,
        key = "swr:held:<id>",
        skip(source)
    )]
    async fn read(source: &Source, id: u64) -> Option<u64> {
        let version = source.load().await;
        (id > 0).then_some(version)
    }

    #[tokio::test(start_paused = true)]
    async fn the_window_begins_at_the_ttl_and_ends_with_a_miss() {
        let (clock, cache) = (HeldClock::new(), World::in_memory().cache().await);
        let source = Source::new();
        let at = async |age: u64| {
            let (value, info) = cache.scope(read(&source, 1).with_info()).await;
            assert_eq!(info.age(), Some(Duration::from_millis(age)), "{info:?}");
            (value, info.status(), info.time_left().unwrap().as_millis())
        };
        assert_eq!(at(0).await, (Some(1), Status::Miss, 10_000));
        clock.settle().await;
        source.write();
        source.hold();
        clock.advance(Duration::from_millis(9_999)).await;
        assert_eq!(at(9_999).await, (Some(1), Status::Hit, 1));
        clock.advance(Duration::from_millis(1)).await;
        assert_eq!(at(10_000).await, (Some(1), Status::Stale, 0));
        clock.advance(Duration::from_millis(4_999)).await;
        assert_eq!(at(14_999).await, (Some(1), Status::Stale, 0));
        assert_eq!(source.loads(), 2, "the load behind is still held");
        source.release();
        clock.settle().await;
        assert_eq!(at(0).await.0, Some(2));

        clock.advance(Duration::from_secs(15)).await;
        assert_eq!(at(0).await, (Some(2), Status::Miss, 10_000));
    }

    #[tokio::test(start_paused = true)]
    async fn an_absence_has_no_window() {
        let (clock, cache) = (HeldClock::new(), World::in_memory().cache().await);
        let source = Source::new();
        let status = async || cache.scope(read(&source, 0).with_info()).await.1.status();
        assert_eq!(status().await, Status::Miss);
        clock.advance(Duration::from_millis(9_999)).await;
        assert_eq!(status().await, Status::Hit);
        clock.advance(Duration::from_millis(1)).await;
        assert_eq!(status().await, Status::Miss);
    }
}

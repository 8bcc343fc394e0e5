//! `.uncached()`, `.refreshed()` and `.with_info()`: said on the future, for one call.

use std::time::Duration;

use cached_redis::{Cache, CachedExt as _, Status, redis_cached};

use crate::support::{Source, World, eventually, filled, on_both_stores, waiting};

on_both_stores!(
    uncached_runs_the_function_and_leaves_the_entry_alone,
    refreshed_runs_the_function_and_replaces_the_entry,
    refreshing_an_absent_key_fills_it,
    refreshing_a_key_that_somebody_loads_is_not_held_up,
    a_refresh_that_fails_leaves_the_entry_alone,
    the_info_of_a_call_says_how_it_went,
    the_info_of_a_call_that_waited_says_joined,
    the_version_in_the_info_is_new_for_every_fill,
    wishes_do_not_reach_calls_inside,
    wishes_can_be_said_together,
    wishes_reach_the_first_call_of_a_future_only,
);

#[redis_cached(ttl = 100, jitter = 0.1, key = "per-call:<id>", skip(source))]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await
}

#[redis_cached(ttl = 60, key = "per-call:fallible:<id>", skip(source))]
async fn fallible(source: &Source, id: u64) -> Result<u64, String> {
    source.try_load().await.ok_or_else(|| "failed".to_owned())
}

#[redis_cached(ttl = 60, key = "per-call:outer:<id>", skip(outer, inner))]
async fn nested(outer: &Source, inner: &Source, id: u64) -> (u64, u64) {
    let inside = read(inner, id).await;
    (outer.load().await, inside)
}

/// An entry of the version before the last one.
async fn outdated(world: &World, source: &Source) -> Cache {
    let cache = world.cache().await;
    assert_eq!(cache.scope(read(source, 1)).await, 1);
    filled(&cache, 1).await;
    source.write();
    cache
}

async fn uncached_runs_the_function_and_leaves_the_entry_alone(world: World) {
    let source = Source::new();
    let cache = outdated(&world, &source).await;
    let before = cache.stats().total();
    assert_eq!(cache.scope(read(&source, 1).uncached()).await, 2);
    assert_eq!(cache.scope(read(&source, 2).uncached()).await, 2);
    assert_eq!(cache.stats().total(), before);
    assert_eq!(cache.get::<u64>("per-call:2").await.unwrap(), None);
    assert_eq!(cache.scope(read(&source, 1)).await, 1);
}

async fn refreshed_runs_the_function_and_replaces_the_entry(world: World) {
    let source = Source::new();
    let cache = outdated(&world, &source).await;
    assert_eq!(cache.scope(read(&source, 1).refreshed()).await, 2);
    assert_eq!(
        cache.get::<u64>("per-call:1").await.unwrap(),
        Some(2),
        "the fill was awaited"
    );
    assert_eq!(cache.scope(read(&source, 1)).await, 2);
    assert_eq!(source.loads(), 2);
}

async fn refreshing_an_absent_key_fills_it(world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    assert_eq!(cache.scope(read(&source, 1).refreshed()).await, 1);
    assert_eq!(cache.scope(read(&source, 1)).await, 1);
    assert_eq!(source.loads(), 1);
}

async fn refreshing_a_key_that_somebody_loads_is_not_held_up(world: World) {
    let [cache, other] = [world.cache().await, world.cache().await];
    let [slow, source] = [Source::held(), Source::new()];
    let overtaken = other.spawn({
        let slow = slow.clone();
        async move { read(&slow, 1).await }
    });
    slow.begun(1).await;
    source.write();
    assert_eq!(cache.scope(read(&source, 1).refreshed()).await, 2);
    slow.release();
    assert_eq!(overtaken.await.unwrap(), 1);
    let refused = async || other.stats().total().refused_fills == 1;
    eventually("the overtaken fill to be refused", refused).await;
    assert_eq!(cache.scope(read(&source, 1)).await, 2);
}

async fn a_refresh_that_fails_leaves_the_entry_alone(world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    assert_eq!(cache.scope(fallible(&source, 1)).await, Ok(1));
    filled(&cache, 1).await;
    source.fail(1);
    assert!(cache.scope(fallible(&source, 1).refreshed()).await.is_err());
    assert_eq!(cache.scope(fallible(&source, 1)).await, Ok(1));
    assert_eq!(source.loads(), 2);
    // Where nothing stood, nothing is left behind that others would wait for.
    source.fail(1);
    assert!(cache.scope(fallible(&source, 2).refreshed()).await.is_err());
    assert_eq!(cache.scope(fallible(&source, 2)).await, Ok(1));
    assert_eq!(cache.stats().total().bypasses, 0);
}

async fn the_info_of_a_call_says_how_it_went(world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    let (_, bypass) = read(&source, 1).with_info().await;
    assert_eq!(
        (bypass.status(), bypass.key(), bypass.age()),
        (Status::Bypass, None, None)
    );

    let (_, miss) = cache.scope(read(&source, 1).with_info()).await;
    assert_eq!(
        (miss.status(), miss.key()),
        (Status::Miss, Some("it:per-call:1"))
    );
    let (_, hit) = cache.scope(read(&source, 1).with_info()).await;
    assert_eq!(
        (hit.status(), hit.key()),
        (Status::Hit, Some("it:per-call:1"))
    );
    assert_eq!(hit.version(), miss.version());
    let life = hit.age().unwrap() + hit.time_left().unwrap();
    let jittered = Duration::from_secs(90)..=Duration::from_secs(110);
    assert!(jittered.contains(&life), "{life:?}");
    assert!(hit.age().unwrap() < Duration::from_secs(60));
}

async fn the_info_of_a_call_that_waited_says_joined(world: World) {
    let cache = world.cache().await;
    let source = Source::held();
    let call = || {
        let source = source.clone();
        cache.spawn(async move { read(&source, 1).with_info().await })
    };
    let leader = call();
    source.begun(1).await;
    let waiter = call();
    waiting(&cache, 1).await;
    source.release();
    let [(_, leader), (_, waiter)] = [leader.await.unwrap(), waiter.await.unwrap()];
    assert_eq!(
        (leader.status(), waiter.status()),
        (Status::Miss, Status::Joined)
    );
    assert_eq!(waiter.version(), leader.version());
}

async fn the_version_in_the_info_is_new_for_every_fill(world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    let mut versions = Vec::new();
    for _ in 0..5 {
        let (_, info) = cache.scope(read(&source, 1).refreshed().with_info()).await;
        assert_eq!(info.status(), Status::Miss);
        versions.push(info.version().unwrap());
    }
    versions.sort_unstable();
    versions.dedup();
    assert_eq!(versions.len(), 5);
}

async fn wishes_do_not_reach_calls_inside(world: World) {
    let cache = world.cache().await;
    let [outer, inner] = [Source::new(), Source::new()];
    cache
        .scope(async {
            assert_eq!(read(&inner, 1).await, 1);
            inner.write();
            assert_eq!(nested(&outer, &inner, 1).uncached().await, (1, 1));
            assert_eq!(nested(&outer, &inner, 1).refreshed().await, (1, 1));
            assert_eq!(
                (outer.loads(), inner.loads()),
                (2, 1),
                "the inner call was a hit"
            );
            let (_, info) = nested(&outer, &inner, 1).with_info().await;
            assert_eq!(
                (info.status(), info.key()),
                (Status::Hit, Some("it:per-call:outer:1"))
            );
            let (_, info) = nested(&outer, &inner, 2).with_info().await;
            assert_eq!(
                (info.status(), info.key()),
                (Status::Miss, Some("it:per-call:outer:2"))
            );
        })
        .await;
}

async fn wishes_can_be_said_together(world: World) {
    let source = Source::new();
    let cache = outdated(&world, &source).await;
    cache
        .scope(async {
            let (value, info) = read(&source, 1).uncached().with_info().await;
            assert_eq!((value, info.status()), (2, Status::Bypass));
            let (value, info) = read(&source, 1).with_info().await;
            assert_eq!((value, info.status()), (1, Status::Hit));
            let (value, info) = read(&source, 1).with_info().refreshed().await;
            assert_eq!((value, info.status()), (2, Status::Miss));
        })
        .await;
}

async fn wishes_reach_the_first_call_of_a_future_only(world: World) {
    let source = Source::new();
    let cache = outdated(&world, &source).await;
    let twice = async { (read(&source, 1).await, read(&source, 1).await) };
    assert_eq!(cache.scope(twice.uncached()).await, (2, 1));
    let (_, info) = cache.scope(async { 1 }.with_info()).await;
    assert_eq!(info.status(), Status::Bypass);
}

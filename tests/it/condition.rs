//! `condition`: whether a call asks the cache. `unless`: whether its result is kept.

use std::time::Duration;

use cached_redis::{CachedExt as _, Status, redis_cached};

use crate::support::{Source, World, filled, in_time, on_both_stores, waiting};

on_both_stores!(
    a_call_whose_condition_does_not_hold_neither_looks_nor_stores,
    a_result_that_unless_refuses_is_not_kept,
    unless_sees_what_is_inside_ok,
    callers_of_a_result_that_is_not_kept_do_not_queue_up,
);

#[redis_cached(ttl = 60, key = "condition:<id>", skip(source, fresh), condition = !fresh && id != 0)]
async fn read(source: &Source, id: u64, fresh: bool) -> u64 {
    source.load().await
}

#[redis_cached(ttl = 60, key = "unless:<id>", skip(source), unless = *result % 2 == 1)]
async fn even(source: &Source, id: u64) -> u64 {
    source.load().await
}

#[redis_cached(ttl = 60, key = "unless:result:<id>", skip(source), unless = result.is_empty())]
async fn not_empty(source: &Source, id: u64) -> Result<Vec<u64>, String> {
    let version = source.try_load().await.ok_or("failed")?;
    Ok((1..version).collect())
}

async fn a_call_whose_condition_does_not_hold_neither_looks_nor_stores(world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    cache
        .scope(async {
            assert_eq!(read(&source, 1, false).await, 1);
            source.write();
            let (value, info) = read(&source, 1, true).with_info().await;
            assert_eq!((value, info.status()), (2, Status::Bypass));
            assert_eq!(read(&source, 1, false).await, 1);
            assert_eq!(read(&source, 0, false).await, 2);
            source.write();
            assert_eq!(read(&source, 0, false).await, 3);
        })
        .await;
    assert_eq!(
        cache.stats().total().loads,
        1,
        "the others are no matter of the cache"
    );
}

async fn a_result_that_unless_refuses_is_not_kept(world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    for loads in 1..=3 {
        assert_eq!(cache.scope(even(&source, 1)).await, 1);
        assert_eq!(source.loads(), loads);
    }
    source.write();
    for _ in 0..3 {
        assert_eq!(cache.scope(even(&source, 1)).await, 2);
    }
    assert_eq!(source.loads(), 4);
}

async fn unless_sees_what_is_inside_ok(world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    source.fail(1);
    assert!(cache.scope(not_empty(&source, 1)).await.is_err());
    assert_eq!(cache.scope(not_empty(&source, 1)).await, Ok(vec![]));
    source.write();
    assert_eq!(cache.scope(not_empty(&source, 1)).await, Ok(vec![1]));
    filled(&cache, 1).await;
    source.write();
    assert_eq!(cache.scope(not_empty(&source, 1)).await, Ok(vec![1]));
}

async fn callers_of_a_result_that_is_not_kept_do_not_queue_up(world: World) {
    let cache = world.cache().await;
    // Slow, so that all who waited have come for the next load before it ends.
    let source = Source::slow(Duration::from_millis(50));
    source.hold();
    let call = || {
        let source = source.clone();
        cache.spawn(async move { even(&source, 1).await })
    };
    let leader = call();
    source.begun(1).await;
    let waiters: Vec<_> = (0..50).map(|_| call()).collect();
    waiting(&cache, 50).await;
    source.release();
    assert_eq!(in_time(leader).await.unwrap(), 1);
    for waiter in waiters {
        assert_eq!(in_time(waiter).await.unwrap(), 1);
    }
    assert!(source.loads() <= 10, "{} loads", source.loads());
    assert_eq!(source.most_at_once(), 1);
}

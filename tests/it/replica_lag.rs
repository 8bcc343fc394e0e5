//! Sources whose replicas lag: what is loaded too soon after a write may be the old value, and is
//! not stored.

use std::time::Duration;

use cached_redis::{Cache, CachedExt as _, Error, Status, invalidates, redis_cached};

use crate::support::{Source, World, eventually, filled, on_both_stores};

on_both_stores!(
    an_old_value_from_a_lagging_replica_is_kept_after_a_plain_invalidation,
    an_old_value_from_a_lagging_replica_is_not_kept_within_the_lag,
    an_old_value_from_a_lagging_replica_is_not_kept_after_a_guarded_write,
    when_the_lag_is_over_values_are_kept_again,
    an_invalidation_by_hand_may_know_of_a_lag_too,
    a_plain_invalidation_does_not_end_the_lag_of_another,
    in_a_cache_that_is_not_guarded_the_lag_is_not_minded_and_that_is_told,
);

const HOUR: Duration = Duration::from_secs(3600);

/// Reads from a replica: what `source` holds is what has arrived there.
#[redis_cached(ttl = 60, key = "lag:<id>", skip(source))]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await
}

#[invalidates("lag:<id>", cache = cache)]
async fn write_plainly(cache: &Cache, id: u64) {
    let _ = id;
}

#[invalidates("lag:<id>", replica_lag = "1h", cache = cache)]
async fn write(cache: &Cache, id: u64) {
    let _ = id;
}

#[invalidates("lag:<id>", replica_lag = HOUR, guard, cache = cache)]
async fn write_guarded(cache: &Cache, id: u64) {
    let _ = id;
}

#[invalidates("lag:<id>", replica_lag = "300ms", cache = cache)]
async fn write_with_a_short_lag(cache: &Cache, id: u64) {
    let _ = id;
}

async fn full(world: &World, source: &Source) -> Cache {
    let cache = world.builder().guarded(true).build().await.unwrap();
    cache.scope(read(source, 1)).await;
    filled(&cache, 1).await;
    cache
}

/// Reads the old value, lets the write arrive at the replica, and reads again.
async fn read_before_and_after_its_arrival(cache: &Cache, source: &Source) -> (u64, u64) {
    let before = cache.scope(read(source, 1)).await;
    // Where the value is kept, that may still be on its way.
    let stats = cache.stats().total();
    filled(cache, stats.misses - stats.refused_fills).await;
    source.write();
    (before, cache.scope(read(source, 1)).await)
}

async fn kept_again(cache: &Cache, source: &Source) {
    eventually("a value to be kept", async || {
        let (value, info) = cache.scope(read(source, 1).with_info()).await;
        assert_eq!(value, source.version());
        info.status() == Status::Hit
    })
    .await;
}

async fn an_old_value_from_a_lagging_replica_is_kept_after_a_plain_invalidation(world: World) {
    let source = Source::new();
    let cache = full(&world, &source).await;
    write_plainly(&cache, 1).await;
    let read = read_before_and_after_its_arrival(&cache, &source).await;
    assert_eq!(read, (1, 1), "until its TTL");
}

async fn an_old_value_from_a_lagging_replica_is_not_kept_within_the_lag(world: World) {
    let source = Source::new();
    let cache = full(&world, &source).await;
    write(&cache, 1).await;
    let read = read_before_and_after_its_arrival(&cache, &source).await;
    assert_eq!(read, (1, 2));
}

async fn an_old_value_from_a_lagging_replica_is_not_kept_after_a_guarded_write(world: World) {
    let source = Source::new();
    let cache = full(&world, &source).await;
    write_guarded(&cache, 1).await;
    let read = read_before_and_after_its_arrival(&cache, &source).await;
    assert_eq!(read, (1, 2));
    assert_eq!(cache.stats().total().unguarded_writes, 0);
}

async fn when_the_lag_is_over_values_are_kept_again(world: World) {
    let source = Source::new();
    let cache = full(&world, &source).await;
    source.write();
    write_with_a_short_lag(&cache, 1).await;
    kept_again(&cache, &source).await;
}

async fn an_invalidation_by_hand_may_know_of_a_lag_too(world: World) {
    let source = Source::new();
    let cache = full(&world, &source).await;
    cache
        .invalidation()
        .keys(["lag:1"])
        .replica_lag(HOUR)
        .send()
        .await
        .unwrap();
    let read = read_before_and_after_its_arrival(&cache, &source).await;
    assert_eq!(read, (1, 2));

    let cache = World::in_memory()
        .builder()
        .guarded(true)
        .build()
        .await
        .unwrap();
    let guard = cache
        .begin_write(["lag:1"])
        .await
        .unwrap()
        .replica_lag(HOUR);
    guard.finish().await.unwrap();
    let read = read_before_and_after_its_arrival(&cache, &source).await;
    assert_eq!(read, (2, 3));
}

async fn a_plain_invalidation_does_not_end_the_lag_of_another(world: World) {
    let source = Source::new();
    let cache = full(&world, &source).await;
    write(&cache, 1).await;
    write_plainly(&cache, 1).await;
    let read = read_before_and_after_its_arrival(&cache, &source).await;
    assert_eq!(read, (1, 2));
}

async fn in_a_cache_that_is_not_guarded_the_lag_is_not_minded_and_that_is_told(world: World) {
    let source = Source::new();
    let cache = world.cache().await;
    for writes in 1..3 {
        write(&cache, 1).await;
        assert_eq!(cache.stats().total().unguarded_writes, writes);
        kept_again(&cache, &source).await;
    }
    let refused = cache
        .invalidation()
        .keys(["lag:1"])
        .replica_lag(HOUR)
        .send()
        .await;
    assert!(matches!(refused, Err(Error::Setting { .. })));
}

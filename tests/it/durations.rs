//! Very short, very long and overlapping durations do what they say, or are refused by name.

use std::time::Duration;

use cached_redis::{Builder, Cache, CachedExt as _, Error, Jitter, Policy, Status, redis_cached};

use crate::support::{
    RedisServer, Source, World, eventually, expired, filled, in_time, on_both_stores, on_redis,
};

on_both_stores!(
    an_entry_of_a_fraction_of_a_second_expires,
    a_ttl_below_a_millisecond_is_one,
    a_ttl_shorter_than_the_lease_and_the_load_is_the_life_of_the_entry,
    a_ttl_of_zero_by_hand_is_refused,
    the_longest_durations_are_as_good_as_endless,
    an_endless_wait_ends_with_the_load,
    jitter_at_its_extremes_leaves_every_entry_a_life,
    a_wait_budget_of_a_nanosecond_waits_for_nobody,
);
on_redis!(
    on_the_server_an_entry_lives_as_long_as_its_ttl,
    a_load_much_longer_than_its_lease_keeps_it,
);

const SHORT: Duration = Duration::from_millis(50);

#[redis_cached(ttl = 0.05, jitter = 0.0, key = "durations:<id>", skip(source))]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await
}

#[redis_cached(ttl = "1h", jitter = 0.0, key = "durations:long:<id>", skip(source))]
async fn read_long(source: &Source, id: u64) -> u64 {
    source.load().await
}

async fn hits(cache: &Cache, source: &Source) {
    let hit = async || {
        let (_, info) = cache.scope(read_long(source, 1).with_info()).await;
        info.status() == Status::Hit
    };
    eventually("a hit", hit).await;
}

async fn an_entry_of_a_fraction_of_a_second_expires(world: World) {
    let cache = world.cache().await;
    let policy = Policy::new().ttl(SHORT);
    assert!(cache.put(&policy, "durations:put", &1_u64).await.unwrap());
    expired("durations:put", [&cache]).await;
}

async fn a_ttl_below_a_millisecond_is_one(world: World) {
    let cache = world.cache().await;
    for ttl in [Duration::from_nanos(1), Duration::from_micros(999)] {
        let policy = Policy::new().ttl(ttl).jitter(Jitter::around(0.9));
        assert!(cache.put(&policy, "durations:put", &1_u64).await.unwrap());
        expired("durations:put", [&cache]).await;
    }
}

async fn a_ttl_shorter_than_the_lease_and_the_load_is_the_life_of_the_entry(world: World) {
    let builder = world.builder().lease(Duration::from_secs(60));
    let cache = builder.build().await.unwrap();
    let source = Source::slow(2 * SHORT);
    for loads in 1..=3 {
        assert_eq!(cache.scope(read(&source, 1)).await, 1);
        filled(&cache, loads).await;
        expired("durations:1", [&cache]).await;
        assert_eq!(source.loads(), loads as usize);
    }
    let stats = cache.stats().total();
    assert_eq!((stats.refused_fills, stats.errors), (0, 0), "{stats:?}");
}

async fn on_the_server_an_entry_lives_as_long_as_its_ttl(mut world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    for id in 0..50 {
        cache.scope(read(&source, id)).await;
    }
    filled(&cache, 50).await;
    let lives = world.redis().lives();
    assert!(lives.values().all(|left| *left <= 50), "{lives:?}");
}

/// A lease that a busy machine does not let run out between two extensions.
async fn a_load_much_longer_than_its_lease_keeps_it(world: World) {
    keeps(world, Duration::from_secs(2), Duration::from_secs(5)).await;
}

#[tokio::test(start_paused = true)]
async fn a_load_of_twenty_leases_keeps_its_own_in_memory() {
    let lease = Duration::from_millis(300);
    keeps(World::in_memory(), lease, 20 * lease).await;
}

async fn keeps(world: World, lease: Duration, load: Duration) {
    let build = || world.builder().lease(lease).build();
    let [cache, other] = [build().await.unwrap(), build().await.unwrap()];
    let source = Source::slow(load);
    let [one, two] = [&cache, &other].map(|cache| {
        let source = source.clone();
        cache.spawn(async move { read_long(&source, 1).await })
    });
    assert_eq!((one.await.unwrap(), two.await.unwrap()), (1, 1));
    assert_eq!(source.loads(), 1);
}

async fn a_ttl_of_zero_by_hand_is_refused(world: World) {
    let cache = world.cache().await;
    let zero = Policy::new().ttl(Duration::ZERO);
    let refused = cache.put(&zero, "durations:put", &1_u64).await;
    assert!(matches!(refused, Err(Error::Setting { .. })), "{refused:?}");
    assert_eq!(cache.get::<u64>("durations:put").await.unwrap(), None);
}

/// Everything that is a duration.
fn all(builder: Builder, duration: Duration) -> Builder {
    let policy = Policy::new().ttl(duration).negative_ttl(duration);
    builder
        .ttl(duration)
        .policy("longest", policy.jitter(Jitter::around(0.999)))
        .lease(duration)
        .wait_budget(duration)
        .deadline(duration)
        .connect_timeout(duration)
}

async fn the_longest_durations_are_as_good_as_endless(world: World) {
    let hundred_years = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    for longest in [
        Duration::MAX,
        Duration::from_millis(u64::MAX),
        hundred_years,
    ] {
        let cache = all(world.builder(), longest).build().await.unwrap();
        let source = Source::new();
        hits(&cache, &source).await;
        cache.scope(read_long(&source, 1).refreshed()).await;
        let policy = Policy::new().named("longest");
        for _ in 0..20 {
            assert!(cache.put(&policy, "durations:put", &1_u64).await.unwrap());
            assert_eq!(cache.get("durations:put").await.unwrap(), Some(1_u64));
        }
        cache.invalidate("durations:long:1").await.unwrap();
        assert_eq!(cache.stats().total().errors, 0);
    }
}

async fn an_endless_wait_ends_with_the_load(world: World) {
    let build = || all(world.builder(), Duration::MAX).build();
    let [cache, other] = [build().await.unwrap(), build().await.unwrap()];
    let source = Source::held();
    let readers: Vec<_> = [&cache, &cache, &other]
        .map(|cache| {
            let source = source.clone();
            cache.spawn(async move { read_long(&source, 1).await })
        })
        .into();
    let waits = async || cache.stats().total().waits + other.stats().total().waits >= 2;
    eventually("the readers to wait", waits).await;
    source.release();
    for reader in readers {
        assert_eq!(in_time(reader).await.unwrap(), 1);
    }
    assert_eq!(source.loads(), 1);
}

async fn jitter_at_its_extremes_leaves_every_entry_a_life(world: World) {
    let cache = world.cache().await;
    let shares = [0.0, f64::MIN_POSITIVE, 1.0_f64.next_down()];
    let jitters = shares.map(|share| [Jitter::around(share), Jitter::below(share)]);
    for jitter in jitters.into_iter().flatten() {
        for ttl in [Duration::from_nanos(1), Duration::MAX] {
            let policy = Policy::new().ttl(ttl).jitter(jitter);
            for _ in 0..50 {
                assert!(cache.put(&policy, "durations:put", &1_u64).await.unwrap());
            }
        }
    }
}

async fn a_wait_budget_of_a_nanosecond_waits_for_nobody(world: World) {
    let builder = world.builder().wait_budget(Duration::from_nanos(1));
    let cache = builder.build().await.unwrap();
    let source = Source::held();
    let readers = [(); 2].map(|()| {
        let source = source.clone();
        cache.spawn(async move { read_long(&source, 1).await })
    });
    source.begun(2).await;
    source.release();
    for reader in readers {
        assert_eq!(reader.await.unwrap(), 1);
    }
}

#[tokio::test]
async fn a_deadline_that_nothing_can_meet_costs_the_cache_and_not_the_call() {
    let server = RedisServer::start();
    for shortest in [Duration::from_nanos(1), Duration::from_millis(1)] {
        let builder = Cache::builder().url(server.url()).namespace("it");
        let builder = builder.deadline(shortest).connect_timeout(shortest);
        let cache = builder.build().await.unwrap();
        let source = Source::new();
        for _ in 0..20 {
            assert_eq!(in_time(cache.scope(read_long(&source, 1))).await, 1);
        }
    }
}

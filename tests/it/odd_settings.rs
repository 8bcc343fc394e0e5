//! Settings that cannot be meant, and extreme ones that can: whichever way a policy reaches a call, the
//! function runs, nothing panics, and what is wrong is said.

use std::convert::Infallible;
use std::time::Duration;

use cached_redis::{
    Cache, CachedExt as _, Error, Jitter, Policy, Status, current, invalidates, redis_cached,
    write_through,
};

use crate::support::{Source, World, eventually, filled, in_time, on_both_stores};

const MINUTE: Duration = Duration::from_secs(60);
const TOO_MUCH: f64 = 3.0;

on_both_stores!(
    a_jitter_out_of_range_by_hand_is_not_cached_and_counted,
    a_share_out_of_range_on_a_function_with_its_own_cache_is_not_cached,
    a_write_through_under_a_policy_out_of_range_runs_and_invalidates,
    a_value_that_tells_its_own_ttl_needs_no_other,
    a_value_that_tells_its_own_ttl_and_its_tags_is_kept,
    a_window_without_end_is_served,
    a_lock_with_a_lease_without_end_is_held,
    a_pattern_of_empty_values_that_is_left_with_nothing_but_stars_is_lost_and_counted,
);

fn out_of_range() -> [Policy; 4] {
    let policy = Policy::new().ttl(MINUTE);
    [
        policy.jitter(Jitter::around(TOO_MUCH)),
        policy.jitter(Jitter::below(f64::NAN)),
        policy.audit(5.0),
        policy.refresh_ahead(-1.0),
    ]
}

async fn a_jitter_out_of_range_by_hand_is_not_cached_and_counted(world: World) {
    let cache = world.cache().await;
    for (policy, key) in out_of_range().iter().zip(["a", "b", "c", "d"]) {
        for _ in 0..20 {
            let load = || async { Ok::<_, Infallible>(7) };
            let value = cache.get_or_fill(policy, key, load).await;
            assert_eq!(value, Ok(7));
        }
        let put = cache.put(policy, key, &7).await;
        assert!(matches!(put, Err(Error::Setting { .. })), "{put:?}");
    }
    let total = cache.stats().total();
    assert_eq!((total.errors, total.fills), (4 * 20, 0), "{total:?}");
}

#[redis_cached(ttl = 60, jitter = TOO_MUCH, key = "odd:<id>", cache = cache, skip(cache, source))]
async fn spread(cache: &Cache, source: &Source, id: u64) -> u64 {
    source.load().await
}

async fn a_share_out_of_range_on_a_function_with_its_own_cache_is_not_cached(world: World) {
    let (cache, source) = (world.cache().await, Source::new());
    for loads in 1..=20 {
        let (_, info) = spread(&cache, &source, 1).with_info().await;
        assert_eq!((info.status(), source.loads()), (Status::Bypass, loads));
    }
}

#[write_through(key = "odd:<id>", ttl = 60, jitter = TOO_MUCH, tags = [], cache = cache)]
async fn write(cache: &Cache, source: &Source, id: u64) -> u64 {
    source.write()
}

async fn a_write_through_under_a_policy_out_of_range_runs_and_invalidates(world: World) {
    let (cache, source) = (world.cache().await, Source::new());
    cache
        .put(&Policy::new().ttl(MINUTE), "odd:1", &0_u64)
        .await
        .unwrap();
    for version in 2..=20 {
        assert_eq!(write(&cache, &source, 1).await, version);
        assert_eq!(cache.get::<u64>("odd:1").await.unwrap(), None);
    }
}

fn lasting(value: &u64) -> Duration {
    Duration::from_secs(60 + value)
}

#[redis_cached(ttl_with = lasting, key = "odd:told:<id>", skip(source))]
async fn told(source: &Source, id: u64) -> u64 {
    source.load().await
}

#[redis_cached(ttl_with = lasting, key = "odd:tagged:<id>", skip(source))]
async fn told_and_tagged(source: &Source, id: u64) -> u64 {
    current().tag("odd:tag");
    source.load().await
}

/// Neither names a cache, so each `build` of this program has checked them.
async fn a_value_that_tells_its_own_ttl_needs_no_other(world: World) {
    let (cache, source) = (world.cache().await, Source::new());
    cache.scope(told(&source, 1)).await;
    filled(&cache, 1).await;
    let (_, info) = cache.scope(told(&source, 1).with_info()).await;
    assert_eq!(info.status(), Status::Hit);
}

async fn a_value_that_tells_its_own_ttl_and_its_tags_is_kept(world: World) {
    let (cache, source) = (world.cache().await, Source::new());
    let hit = async || {
        let (_, info) = cache.scope(told_and_tagged(&source, 1).with_info()).await;
        info.status() == Status::Hit
    };
    eventually("a hit", hit).await;
    cache.invalidate_tag("odd:tag").await.unwrap();
    source.write();
    let seen = cache.scope(told_and_tagged(&source, 1)).await;
    assert_eq!(seen, source.version());
}

async fn a_window_without_end_is_served(world: World) {
    let cache = world.cache().await;
    let policy = Policy::new().ttl(MINUTE).stale_if_error(Duration::MAX);
    let entry = || cache.entry("odd:f").policy(&policy).tags(["odd:forever"]);
    let load = || async { Ok::<_, Infallible>(1) };
    assert_eq!(entry().get_or_fill(load).await, Ok(1));
    filled(&cache, 1).await;
    assert_eq!(entry().get_or_fill(load).await, Ok(1));
    assert_eq!(cache.stats().total().hits, 1);
}

async fn a_lock_with_a_lease_without_end_is_held(world: World) {
    let cache = world.builder().lease(Duration::MAX).build().await.unwrap();
    let lock = in_time(cache.lock("odd")).await.unwrap();
    in_time(lock.release()).await.unwrap();
    drop(in_time(cache.lock("odd")).await.unwrap());
}

#[invalidates("<prefix>*", cache = cache)]
async fn drop_all(cache: &Cache, prefix: &str) {}

async fn a_pattern_of_empty_values_that_is_left_with_nothing_but_stars_is_lost_and_counted(
    world: World,
) {
    let cache = world.cache().await;
    let policy = Policy::new().ttl(MINUTE);
    for key in ["odd:1", "other:1"] {
        cache.put(&policy, key, &1_u64).await.unwrap();
    }
    drop_all(&cache, "").await;
    assert_eq!(cache.get("odd:1").await.unwrap(), Some(1_u64));
    assert_eq!(cache.stats().total().lost_invalidations, 1);
    drop_all(&cache, "odd").await;
    assert_eq!(cache.get::<u64>("odd:1").await.unwrap(), None);
    assert_eq!(cache.get("other:1").await.unwrap(), Some(1_u64));
}

#[tokio::test]
async fn a_share_out_of_range_in_a_named_policy_fails_the_build() {
    for policy in out_of_range() {
        let built = World::in_memory().builder().policy("odd", policy).build();
        let error = built.await.unwrap_err();
        assert!(matches!(error, Error::Setting { .. }), "{error:?}");
    }
}

//! Values past their TTL: served while they are loaded anew, or because that failed.

use std::time::Duration;

use cached_redis::{Cache, CachedExt as _, Status, Timeout, redis_cached};

use crate::support::{Source, World, eventually, filled, on_both_stores};

on_both_stores!(
    past_its_ttl_a_value_is_served_and_loaded_anew_behind_the_caller,
    after_a_failed_load_the_old_value_is_served,
    an_invalidated_value_is_never_served_again,
);

#[derive(Clone, Debug, PartialEq)]
struct Failed;

impl From<Timeout> for Failed {
    fn from(_: Timeout) -> Self {
        Self
    }
}

#[redis_cached(
    ttl = 0.05,
    jitter = 0.0,
    stale_while_revalidate = 600,
    key = "stale:behind:<id>",
    cache = cache,
    skip(cache, source)
)]
async fn behind(cache: &Cache, source: &Source, id: &str) -> u64 {
    let _: &str = id;
    source.load().await
}

#[redis_cached(
    ttl = 0.05,
    jitter = 0.0,
    stale_if_error = 600,
    key = "stale:error:<id>",
    cache = cache,
    skip(cache, source)
)]
async fn if_error(cache: &Cache, source: &Source, id: u64) -> Result<u64, Failed> {
    source.try_load().await.ok_or(Failed)
}

/// Waits until a read meets the entry past its TTL.
async fn until_stale<T>(read: impl AsyncFn() -> (T, cached_redis::CacheInfo)) -> T {
    loop {
        let (value, info) = read().await;
        if info.status() == Status::Stale {
            return value;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn past_its_ttl_a_value_is_served_and_loaded_anew_behind_the_caller(world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    assert_eq!(behind(&cache, &source, "a").await, 1);
    filled(&cache, 1).await;
    source.write();
    source.hold();
    let old = until_stale(async || behind(&cache, &source, "a").with_info().await).await;
    assert_eq!(old, 1, "the load behind it is held");
    source.release();
    eventually("the new value", async || {
        behind(&cache, &source, "a").await == 2
    })
    .await;
}

async fn after_a_failed_load_the_old_value_is_served(world: World) {
    let cache = world
        .builder()
        .throttle(Duration::from_secs(600))
        .build()
        .await
        .unwrap();
    let source = Source::new();
    assert_eq!(if_error(&cache, &source, 1).await, Ok(1));
    filled(&cache, 1).await;
    source.fail(1000);
    let old = until_stale(async || if_error(&cache, &source, 1).with_info().await).await;
    assert_eq!(old, Ok(1));
    let loads = source.loads();
    for _ in 0..10 {
        assert_eq!(if_error(&cache, &source, 1).await, Ok(1));
    }
    assert_eq!(
        source.loads(),
        loads,
        "the source is left alone for the throttle"
    );
}

async fn an_invalidated_value_is_never_served_again(world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    assert_eq!(if_error(&cache, &source, 1).await, Ok(1));
    filled(&cache, 1).await;
    cache.invalidate("stale:error:1").await.unwrap();
    source.fail(1);
    assert_eq!(if_error(&cache, &source, 1).await, Err(Failed));
}

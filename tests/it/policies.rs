//! Policies by name: looked up where the cache is known, which is at run time.
//!
//! Functions that use the default cache are checked when it is built; that is in a test program of
//! its own, since a single unknown name refuses every build.

use std::time::Duration;

use cached_redis::{Cache, CachedExt as _, Jitter, Policy, Status, redis_cached};
use tracing::Level;

use crate::support::{Log, Source, World, filled, on_redis};

on_redis!(a_named_policy_gives_what_the_attribute_leaves_open);

#[redis_cached(policy = "hot", key = "policies:<id>", cache = cache, skip(cache, source))]
async fn by_name(cache: &Cache, source: &Source, id: u64) -> u64 {
    source.load().await
}

#[redis_cached(policy = "hot", ttl = 40, key = "policies:own:<id>", cache = cache, skip(cache, source))]
async fn with_own_ttl(cache: &Cache, source: &Source, id: u64) -> Option<u64> {
    let version = source.load().await;
    (id > 0).then_some(version)
}

fn hot() -> Policy {
    let policy = Policy::new()
        .ttl(Duration::from_secs(20))
        .jitter(Jitter::NONE);
    policy.negative_ttl(Duration::from_secs(10))
}

async fn a_named_policy_gives_what_the_attribute_leaves_open(mut world: World) {
    let cache = world.builder().policy("hot", hot()).build().await.unwrap();
    let source = Source::new();
    by_name(&cache, &source, 1).await;
    with_own_ttl(&cache, &source, 1).await;
    with_own_ttl(&cache, &source, 0).await;
    filled(&cache, 3).await;
    let lives = world.redis().lives();
    let about = |key: &str, seconds: i64| {
        let left = lives[key];
        assert!(
            left <= seconds * 1000 && left > seconds * 500,
            "{key}: {left} ms"
        );
    };
    about("it:policies:1", 20);
    about("it:policies:own:1", 40);
    about("it:policies:own:0", 10);
}

#[tokio::test]
async fn a_function_whose_policy_is_unknown_runs_uncached_and_is_counted() {
    #[redis_cached(policy = "missing", key = "policies:unknown:<id>", cache = cache, skip(cache, source))]
    async fn unknown(cache: &Cache, source: &Source, id: u64) -> u64 {
        source.load().await
    }

    let cache = World::in_memory().cache().await;
    let source = Source::new();
    for loads in 1..=3 {
        let (value, info) = unknown(&cache, &source, 1).with_info().await;
        assert_eq!((value, info.status()), (1, Status::Bypass));
        assert_eq!(source.loads(), loads);
    }
    let stats = cache.stats().total();
    assert_eq!((stats.errors, stats.misses), (3, 0), "{stats:?}");
    assert_eq!(cache.get::<u64>("policies:unknown:1").await.unwrap(), None);
}

#[tokio::test]
async fn an_unknown_policy_is_told_once() {
    #[redis_cached(policy = "missing", key = "policies:missing:<id>", cache = cache, skip(cache))]
    async fn misnamed(cache: &Cache, id: u64) -> u64 {
        id
    }

    let (log, _guard) = Log::collect();
    let cache = World::in_memory().cache().await;
    for id in 0..3 {
        assert_eq!(
            misnamed(&cache, id).with_info().await.1.status(),
            Status::Bypass
        );
    }
    assert_eq!(log.count(Level::ERROR, "misnamed"), 1, "{}", log.text());
}

//! A list, a hash or anything else that is no string and stands under our key belongs to
//! somebody else. Reading goes around it, storing leaves it alone, and only an invalidation, which
//! asks for just that, removes it.

use std::time::Duration;

use cached_redis::error::StoreError;
use cached_redis::{CachedExt as _, Error, Policy, redis_cached};

use crate::support::{RedisServer, Source, World, eventually, filled, on_redis};

on_redis!(
    reads_of_every_kind_go_around_another_type,
    direct_calls_are_told_of_another_type,
    another_type_that_appears_during_a_load_stays,
    an_invalidation_removes_another_type,
);

const KEY: &str = "it:foreign-redis-types:foreign:1";

/// Something of each type that is no string.
const PLANTS: [&[&str]; 5] = [
    &["RPUSH", KEY, "a", "b"],
    &["HSET", KEY, "a", "b"],
    &["SADD", KEY, "a", "b"],
    &["ZADD", KEY, "1", "a"],
    &["XADD", KEY, "1-1", "a", "b"],
];

#[redis_cached(ttl = 60, key = "foreign-redis-types:foreign:<id>", skip(source))]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await
}

/// What stands there, whatever its type.
fn dump(server: &RedisServer) -> Vec<u8> {
    server.run(&["DUMP", KEY])
}

async fn reads_of_every_kind_go_around_another_type(mut world: World) {
    let server = world.redis();
    for plant in PLANTS {
        server.run::<()>(&["DEL", KEY]);
        server.run::<()>(plant);
        let before = dump(server);
        // An own cache for each, so that its counters begin at zero.
        let builder = cached_redis::Cache::builder().url(server.url());
        let builder = builder.namespace("it").deadline(Duration::from_secs(20));
        let cache = builder.build().await.unwrap();
        let source = Source::new();
        assert_eq!(cache.scope(read(&source, 1)).await, 1);
        assert_eq!(cache.scope(read(&source, 1).refreshed()).await, 1);
        assert_eq!(cache.scope(read(&source, 1).uncached()).await, 1);
        let policy = Policy::new().ttl(Duration::from_secs(60));
        let loaded = cache.get_or_fill(&policy, "foreign-redis-types:foreign:1", || async {
            Ok::<_, ()>(7_u64)
        });
        assert_eq!(loaded.await, Ok(7));
        let stats = cache.stats().total();
        assert_eq!(
            (stats.errors, stats.bypasses),
            (3, 3),
            "{plant:?}: {stats:?}"
        );
        assert_eq!(stats.fills, 0, "{plant:?}");
        assert_eq!(dump(server), before, "{plant:?}");
    }
}

async fn direct_calls_are_told_of_another_type(mut world: World) {
    let cache = world.cache().await;
    let server = world.redis();
    let policy = Policy::new().ttl(Duration::from_secs(60));
    for plant in PLANTS {
        server.run::<()>(&["DEL", KEY]);
        server.run::<()>(plant);
        let before = dump(server);
        let got = cache
            .get::<u64>("foreign-redis-types:foreign:1")
            .await
            .map(drop);
        let put = cache
            .put(&policy, "foreign-redis-types:foreign:1", &1_u64)
            .await
            .map(drop);
        for answer in [got, put] {
            assert!(
                matches!(answer, Err(Error::Store(StoreError::WrongType))),
                "{plant:?}: {answer:?}"
            );
        }
        assert_eq!(dump(server), before, "{plant:?}");
    }
}

async fn another_type_that_appears_during_a_load_stays(mut world: World) {
    let cache = world.cache().await;
    let server = world.redis();
    for (errors, plant) in (1..).zip(PLANTS) {
        server.run::<()>(&["DEL", KEY]);
        let source = Source::held();
        let reader = cache.spawn({
            let source = source.clone();
            async move { read(&source, 1).await }
        });
        source.begun(1).await;
        server.run::<()>(&["DEL", KEY]);
        server.run::<()>(plant);
        let before = dump(server);
        source.release();
        assert_eq!(reader.await.unwrap(), 1);
        let failed = async || cache.stats().total().errors == errors;
        eventually("the failed fill", failed).await;
        assert_eq!(dump(server), before, "{plant:?}");
    }
    assert_eq!(cache.stats().total().fills, 0);
}

async fn an_invalidation_removes_another_type(mut world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    for (fills, plant) in (1..).zip(PLANTS) {
        world.redis().run::<()>(&["DEL", KEY]);
        world.redis().run::<()>(plant);
        cache
            .invalidate("foreign-redis-types:foreign:1")
            .await
            .unwrap();
        cache.scope(read(&source, 1)).await;
        filled(&cache, fills).await;
    }
}

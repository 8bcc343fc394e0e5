//! When Redis goes away in the middle of things, functions go on as if there were no cache,
//! and no call is lost.

use cached_redis::{Cache, CachedExt as _, Invalidation, Status, invalidates, redis_cached};

use crate::support::{RedisServer, Source, eventually, in_time, waiting};

#[redis_cached(ttl = 60, key = "redis-gone:<id>", skip(source))]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await
}

#[invalidates("redis-gone:<id>")]
async fn write(source: &Source, id: u64) -> Result<u64, String> {
    Ok(source.write())
}

async fn process(server: &RedisServer) -> Cache {
    // The deadline is the default one: with the server gone it is what bounds a call.
    let builder = Cache::builder().url(server.url()).namespace("it");
    builder.build().await.unwrap()
}

async fn hits(cache: &Cache, source: &Source) {
    let hit = async || cache.scope(read(source, 1).with_info()).await.1.status() == Status::Hit;
    eventually("a hit", hit).await;
}

#[tokio::test]
async fn functions_run_while_the_server_is_gone_and_hit_when_it_is_back() {
    let mut server = RedisServer::start();
    let cache = process(&server).await;
    let source = Source::new();
    hits(&cache, &source).await;

    server.kill();
    let before = source.loads();
    for calls in 1..=100 {
        assert_eq!(in_time(cache.scope(read(&source, 1))).await, 1);
        assert!(
            source.loads() >= before + calls - 1,
            "at most one answer was under way"
        );
    }
    server.restart();
    hits(&cache, &source).await;
}

#[tokio::test]
async fn a_load_under_way_returns_when_the_server_goes() {
    let mut server = RedisServer::start();
    let cache = process(&server).await;
    let source = Source::held();
    let readers: Vec<_> = (0..20)
        .map(|_| {
            let source = source.clone();
            cache.spawn(async move { read(&source, 1).await })
        })
        .collect();
    source.begun(1).await;
    waiting(&cache, 19).await;
    server.kill();
    source.release();
    for reader in readers {
        assert_eq!(in_time(reader).await.unwrap(), 1);
    }
    assert!(
        source.loads() <= 3,
        "{} loads of 20 callers",
        source.loads()
    );
    assert_eq!(source.most_at_once(), 1);
}

#[tokio::test]
async fn a_server_that_stops_answering_holds_nobody_up() {
    let server = RedisServer::start();
    let cache = process(&server).await;
    let source = Source::new();
    hits(&cache, &source).await;
    server.freeze();
    let before = source.loads();
    for calls in 1..=10 {
        assert_eq!(in_time(cache.scope(read(&source, 1))).await, 1);
        assert_eq!(source.loads(), before + calls);
    }
    server.thaw();
    hits(&cache, &source).await;
}

#[tokio::test]
async fn a_writer_returns_its_own_result_and_the_delay_is_counted() {
    let mut server = RedisServer::start();
    let cache = process(&server).await;
    let source = Source::new();
    assert_eq!(cache.scope(write(&source, 1)).await, Ok(2));
    assert_eq!(cache.stats().total().deferred_invalidations, 0);
    server.kill();
    assert_eq!(in_time(cache.scope(write(&source, 1))).await, Ok(3));
    let total = cache.stats().total();
    let counted = (total.deferred_invalidations, total.lost_invalidations);
    assert_eq!(counted, (1, 0));
}

#[tokio::test]
async fn refreshing_without_a_server_runs_the_function() {
    let mut server = RedisServer::start();
    let cache = process(&server).await;
    let source = Source::new();
    hits(&cache, &source).await;
    server.kill();
    let before = source.loads();
    assert_eq!(in_time(cache.scope(read(&source, 1).refreshed())).await, 1);
    assert_eq!(source.loads(), before + 1);
}

#[tokio::test]
async fn direct_calls_say_that_the_server_is_gone() {
    let mut server = RedisServer::start();
    let cache = process(&server).await;
    server.kill();
    let policy = cached_redis::Policy::new().ttl(std::time::Duration::from_secs(60));
    assert!(cache.get::<u64>("redis-gone:1").await.is_err());
    assert!(cache.put(&policy, "redis-gone:1", &1_u64).await.is_err());
    let invalidation = cache.invalidate("redis-gone:1").await;
    assert_eq!(invalidation.unwrap(), Invalidation::Deferred);
    let loaded = cache.get_or_fill(&policy, "redis-gone:1", || async { Ok::<_, ()>(7_u64) });
    assert_eq!(loaded.await, Ok(7));
}

//! Without Redis a program starts, its functions run, and the cache works as soon as Redis does.

use std::time::Duration;

use cached_redis::{Cache, CachedExt as _, Error, Invalidation, Status, invalidates, redis_cached};

use crate::support::{RedisServer, Source, eventually, unanswered};

#[redis_cached(ttl = 60, key = "no-redis-at-start:<id>", skip(source))]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await
}

#[invalidates("no-redis-at-start:<id>")]
async fn write(source: &Source, id: u64) -> u64 {
    source.write()
}

/// An address where a server will be, later.
fn down() -> RedisServer {
    let mut server = RedisServer::start();
    server.kill();
    server
}

async fn build(server: &RedisServer) -> Cache {
    let builder = Cache::builder().url(server.url()).namespace("it");
    // What is asked is counted here.
    builder
        .follow_modes(false)
        .build()
        .await
        .expect("a program starts without Redis")
}

async fn heals(cache: &Cache, source: &Source) {
    let hit = async || cache.scope(read(source, 1).with_info()).await.1.status() == Status::Hit;
    eventually("a hit", hit).await;
}

#[tokio::test]
async fn functions_run_without_redis_and_the_cache_heals_when_it_comes() {
    let mut server = down();
    let cache = build(&server).await;
    let source = Source::new();
    for loads in 1..=20 {
        let (value, info) = cache.scope(read(&source, 1).with_info()).await;
        assert_eq!((value, info.status()), (1, Status::Bypass));
        assert_eq!(source.loads(), loads);
    }
    let total = cache.stats().total();
    assert_eq!((total.bypasses, total.errors), (20, 0), "{total:?}");
    assert_eq!(unanswered(&cache), 20);

    server.restart();
    heals(&cache, &source).await;
}

#[tokio::test]
async fn writers_return_their_own_result_without_redis() {
    let server = down();
    let cache = build(&server).await;
    let source = Source::new();
    assert_eq!(cache.scope(write(&source, 1)).await, 2);
    assert_eq!(
        cache.stats().total().deferred_invalidations,
        1,
        "and it is not silent"
    );
    assert_eq!(
        cache.invalidate("no-redis-at-start:1").await.unwrap(),
        Invalidation::Deferred
    );
}

#[tokio::test]
async fn a_program_that_requires_the_connection_is_refused() {
    let server = down();
    let builder = Cache::builder().url(server.url()).namespace("it");
    let refused = builder.require_connection(true).build().await;
    assert!(matches!(refused, Err(Error::Connect { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_server_that_accepts_and_says_nothing_is_no_obstacle() {
    let server = RedisServer::start();
    server.freeze();
    let builder = Cache::builder().url(server.url()).namespace("it");
    let cache = builder
        .connect_timeout(Duration::from_millis(50))
        .build()
        .await
        .unwrap();
    let source = Source::new();
    assert_eq!(cache.scope(read(&source, 1)).await, 1);
    server.thaw();
    heals(&cache, &source).await;
}

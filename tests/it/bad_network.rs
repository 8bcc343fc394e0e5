//! On the network between: it swallows everything, ends connections on one side, or is slow. The
//! server is well all the time.

use std::time::Duration;

use cached_redis::stats::BreakerState;
use cached_redis::{Cache, CachedExt as _, Invalidation, Status};
use cached_redis::{invalidates, redis_cached};
use tokio::task::JoinSet;

use crate::support::{
    Forwarder, RedisServer, Source, eventually, filled, in_time, new_process, tier,
};

#[redis_cached(ttl = 60, key = "network:<id>", skip(source))]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await
}

#[invalidates("network:<id>")]
async fn write(source: &Source, id: u64) -> u64 {
    source.write()
}

async fn process(url: String) -> Cache {
    let builder = Cache::builder()
        .url(url)
        .namespace("it")
        .process(new_process());
    // A connection without answers is given up after three times as long.
    let builder = builder.connect_timeout(Duration::from_millis(200));
    builder.build().await.unwrap()
}

async fn hits(cache: &Cache, source: &Source) {
    let hit = async || cache.scope(read(source, 1).with_info()).await.1.status() == Status::Hit;
    eventually("a hit", hit).await;
}

/// A process that reads `source` through a network of its own.
async fn connected(server: &RedisServer, source: &Source) -> (Forwarder, Cache) {
    let network = Forwarder::to(server).await;
    let cache = process(network.url()).await;
    hits(&cache, source).await;
    (network, cache)
}

#[tokio::test]
async fn a_black_hole_opens_the_breaker_and_holds_nobody_up() {
    let (server, source) = (RedisServer::start(), Source::new());
    let (network, cache) = connected(&server, &source).await;
    network.black_hole(true);
    let before = source.loads();
    for calls in 1..=100 {
        assert_eq!(in_time(cache.scope(read(&source, 1))).await, 1);
        assert_eq!(source.loads(), before + calls, "each call loads");
    }
    let store = cache.stats().store();
    assert_ne!(store.breaker, BreakerState::Closed);
    assert!(store.rejected > 0, "most calls did not even try: {store:?}");
    network.black_hole(false);
    hits(&cache, &source).await;
}

#[tokio::test]
async fn a_connection_that_answers_nothing_is_replaced() {
    let (server, source) = (RedisServer::start(), Source::new());
    let (network, cache) = connected(&server, &source).await;
    network.black_hole(true);
    let replaced = async || {
        in_time(cache.scope(read(&source, 1))).await;
        network.accepted() > 1
    };
    eventually("another connection", replaced).await;
    network.black_hole(false);
    hits(&cache, &source).await;
    let reconnected = async || cache.stats().store().reconnects > 0;
    eventually("the reconnect", reconnected).await;
}

#[tokio::test]
async fn an_invalidation_into_a_black_hole_arrives_when_it_is_over() {
    let (server, source) = (RedisServer::start(), Source::new());
    let (network, cache) = connected(&server, &source).await;
    let other = process(server.url()).await;
    network.black_hole(true);
    assert_eq!(in_time(cache.scope(write(&source, 1))).await, 2);
    assert_eq!(cache.stats().total().deferred_invalidations, 1);
    assert_eq!(in_time(cache.scope(read(&source, 1))).await, 2);
    network.black_hole(false);
    let replayed = async || cache.flush().await.is_ok();
    eventually("the replay", replayed).await;
    for process in [&cache, &other] {
        assert_eq!(in_time(process.scope(read(&source, 1))).await, 2);
    }
}

#[tokio::test]
async fn a_fill_that_comes_out_of_a_black_hole_after_an_invalidation_is_refused() {
    let (server, source) = (RedisServer::start(), Source::held());
    let network = Forwarder::to(&server).await;
    let (cache, other) = (process(network.url()).await, process(server.url()).await);
    let overtaken = cache.spawn({
        let source = source.clone();
        async move { read(&source, 1).await }
    });
    source.begun(1).await;
    network.black_hole(true);
    source.release();
    assert_eq!(in_time(overtaken).await.unwrap(), 1);
    let unanswered = async || cache.stats().total().errors > 0;
    eventually("the fill to go unanswered", unanswered).await;

    source.write();
    let sent = other.invalidate("network:1").await;
    assert_eq!(sent.unwrap(), Invalidation::Done);
    network.black_hole(false);
    for process in [&other, &cache] {
        assert_eq!(in_time(process.scope(read(&source, 1))).await, 2);
    }
    filled(&other, 1).await;
    // By now whatever was on its way has arrived: the answers come in the order of the commands.
    hits(&cache, &source).await;
    assert_eq!(in_time(cache.scope(read(&source, 1))).await, 2);
}

#[tokio::test]
async fn connections_that_are_cut_or_half_closed_are_replaced() {
    let (server, source) = (RedisServer::start(), Source::new());
    let (network, cache) = connected(&server, &source).await;
    for connections in 2..=7 {
        match connections % 2 {
            0 => network.half_close(),
            _ => network.cut(),
        }
        let replaced = async || {
            assert_eq!(in_time(cache.scope(read(&source, 1))).await, 1);
            network.accepted() >= connections
        };
        eventually("another connection", replaced).await;
        hits(&cache, &source).await;
    }
}

#[tokio::test]
async fn a_network_slower_than_the_deadline_costs_hits_and_nothing_else() {
    let (server, source) = (RedisServer::start(), Source::new());
    let (network, cache) = connected(&server, &source).await;
    network.delay(Duration::from_millis(300));
    for version in 2..=4 {
        assert_eq!(in_time(cache.scope(write(&source, 1))).await, version);
        assert_eq!(in_time(cache.scope(read(&source, 1))).await, version);
    }
    network.delay(Duration::ZERO);
    hits(&cache, &source).await;
    assert_eq!(cache.scope(read(&source, 1)).await, 4);
}

#[redis_cached(ttl = 60, key = "network:row:<id>")]
async fn row(id: u64) -> u64 {
    id
}

#[tokio::test]
async fn what_is_no_answer_ends_its_connection_and_costs_no_result() {
    let (server, source) = (RedisServer::start(), Source::new());
    let (network, cache) = connected(&server, &source).await;
    // Before each the cache waits longer than before the one it comes after.
    for round in 1..=tier(4, 20) {
        let mut reads = JoinSet::new();
        for id in 0..64 {
            let cache = cache.clone();
            reads.spawn(async move { assert_eq!(cache.scope(row(id)).await, id) });
        }
        network.garble();
        in_time(cache.scope(write(&source, 1))).await;
        in_time(reads.join_all()).await;
        let replaced = async || cache.stats().store().reconnects >= round;
        eventually("another connection", replaced).await;
        hits(&cache, &source).await;
    }
}

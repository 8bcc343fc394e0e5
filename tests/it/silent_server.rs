//! A server that accepts and never answers costs a few calls one deadline and the others
//! nothing; and so do a server that is gone and one that never was.

use std::time::Duration;

use cached_redis::stats::{BreakerState, StoreStats};
use cached_redis::{Builder, Cache, CachedExt as _, Status, redis_cached};
use tracing::Level;

use crate::support::{Log, RedisServer, Source, eventually, in_time, unanswered};

const CALLS: usize = 10_000;
const CALLERS: usize = 200;

/// How many operations in a row may fail, by default.
const FAILURES: u64 = 5;

#[redis_cached(ttl = 60, key = "silent-server:<id>", skip(source))]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await
}

/// With the settings that users have.
async fn process(server: &RedisServer) -> Cache {
    builder(server).build().await.unwrap()
}

/// What is asked is counted here.
fn builder(server: &RedisServer) -> Builder {
    let builder = Cache::builder().url(server.url()).namespace("it");
    builder.follow_modes(false)
}

async fn hits(cache: &Cache, source: &Source) {
    let hit = async || cache.scope(read(source, 1).with_info()).await.1.status() == Status::Hit;
    eventually("a hit", hit).await;
}

async fn calls(cache: &Cache, source: &Source, calls: usize) {
    let before = source.loads();
    for _ in 0..calls {
        assert_eq!(in_time(cache.scope(read(source, 1))).await, 1);
    }
    assert_eq!(source.loads(), before + calls, "no call is answered");
}

/// What the store counted while 10,000 calls ran, and 200 more at once.
async fn outage(cache: &Cache, source: &Source) -> StoreStats {
    let before = cache.stats().store();
    calls(cache, source, CALLS).await;
    callers_of_one_key(cache).await;
    since(before, cache)
}

/// What the store counted since `before`; a busy machine may miss a deadline earlier.
fn since(before: StoreStats, cache: &Cache) -> StoreStats {
    let mut stats = cache.stats().store();
    stats.attempted -= before.attempted;
    stats.rejected -= before.rejected;
    stats.timeouts -= before.timeouts;
    stats
}

/// One load runs, and those who came meanwhile share the next.
async fn callers_of_one_key(cache: &Cache) {
    let source = Source::held();
    let all = unanswered(cache) + CALLERS as u64;
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let source = source.clone();
            cache.spawn(async move { read(&source, 2).await })
        })
        .collect();
    let turned_away = async || unanswered(cache) >= all;
    eventually("all to be turned away", turned_away).await;
    source.release();
    for caller in callers {
        assert_eq!(in_time(caller).await.unwrap(), 1);
    }
    assert!(source.loads() <= 2, "{} loads", source.loads());
    assert_eq!(source.most_at_once(), 1);
}

const AT_ONCE: u64 = (CALLS + CALLERS) as u64;

#[tokio::test]
async fn a_silent_server_is_asked_a_few_times_and_found_again_when_it_answers() {
    let server = RedisServer::start();
    let cache = process(&server).await;
    let source = Source::new();
    hits(&cache, &source).await;
    assert_eq!(cache.stats().store().breaker, BreakerState::Closed);

    server.freeze();
    let stats = outage(&cache, &source).await;
    assert_eq!(stats.attempted, FAILURES, "{stats:?}");
    assert_eq!(stats.timeouts, FAILURES, "{stats:?}");
    assert_eq!(stats.rejected, AT_ONCE - FAILURES, "{stats:?}");
    assert_ne!(stats.breaker, BreakerState::Closed, "{stats:?}");

    server.thaw();
    hits(&cache, &source).await;
    let stats = cache.stats().store();
    assert!(
        stats.connected && stats.breaker == BreakerState::Closed,
        "{stats:?}"
    );
}

#[tokio::test]
async fn a_server_that_is_gone_is_asked_a_few_times_at_most_and_found_again() {
    let mut server = RedisServer::start();
    let cache = process(&server).await;
    let source = Source::new();
    hits(&cache, &source).await;

    server.kill();
    let stats = outage(&cache, &source).await;
    // Those that find out that the connection has broken.
    assert!(stats.attempted <= FAILURES, "{stats:?}");
    assert_eq!(stats.attempted + stats.rejected, AT_ONCE, "{stats:?}");
    assert!(!stats.connected && stats.timeouts == 0, "{stats:?}");

    server.restart();
    hits(&cache, &source).await;
    assert!(cache.stats().store().reconnects >= 1);
}

#[tokio::test]
async fn a_server_that_refuses_connections_is_never_asked_and_found_when_it_comes() {
    let mut server = RedisServer::start();
    server.kill();
    let cache = process(&server).await;
    let source = Source::new();

    let stats = outage(&cache, &source).await;
    assert_eq!((stats.attempted, stats.rejected), (0, AT_ONCE), "{stats:?}");
    assert_eq!(stats.breaker, BreakerState::Open, "{stats:?}");

    server.restart();
    hits(&cache, &source).await;
    assert_eq!(cache.stats().store().reconnects, 0);
}

#[tokio::test]
async fn many_calls_at_once_on_a_silent_server_lose_one_deadline_together() {
    let server = RedisServer::start();
    let cache = process(&server).await;
    let source = Source::new();
    hits(&cache, &source).await;
    let before = cache.stats().store();
    server.freeze();
    let mut waves = Vec::new();
    for _ in 0..2 {
        let calls: Vec<_> = (0..CALLS as u64)
            .map(|id| {
                let source = source.clone();
                cache.spawn(async move { read(&source, id).await })
            })
            .collect();
        for call in calls {
            assert_eq!(in_time(call).await.unwrap(), 1);
        }
        waves.push(since(before, &cache));
    }
    // One command asks for many of them.
    let [first, both] = waves[..] else { panic!() };
    assert!(first.attempted <= CALLS as u64, "{first:?}");
    assert_eq!(both.attempted, first.attempted, "{both:?}");
    assert!(both.rejected > first.rejected, "{both:?}");
    server.thaw();
    hits(&cache, &source).await;
}

/// What each of 10,000 calls loses once `stop` has happened, by the runtime's clock: it stands still
/// while anybody has something to do, so that it shows what is waited for, and not how busy the
/// machine is. Deadlines go by the system's clock: how long they are is shown beside them.
async fn lost(cache: &Cache, stop: impl FnOnce()) -> Vec<Duration> {
    let source = Source::new();
    hits(cache, &source).await;
    tokio::time::pause();
    stop();
    let mut lost = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let began = tokio::time::Instant::now();
        assert_eq!(cache.scope(read(&source, 1)).await, 1);
        lost.push(began.elapsed());
    }
    lost
}

#[tokio::test]
async fn a_silent_server_costs_the_first_calls_a_deadline_each_and_the_others_nothing() {
    let server = RedisServer::start();
    let cache = process(&server).await;
    let lost = lost(&cache, || server.freeze()).await;
    let others = &lost[FAILURES as usize..];
    assert!(others.iter().all(Duration::is_zero));
    assert_eq!(cache.stats().store().timeouts, FAILURES);
}

#[tokio::test]
async fn a_server_that_is_gone_costs_no_call_more_than_a_deadline() {
    let mut server = RedisServer::start();
    let cache = process(&server).await;
    let lost = lost(&cache, || server.kill()).await;
    let others = &lost[FAILURES as usize..];
    assert!(others.iter().all(Duration::is_zero));
    let stats = cache.stats().store();
    assert!(stats.timeouts + stats.lost <= FAILURES, "{stats:?}");
}

#[tokio::test]
async fn the_number_of_failures_is_a_setting() {
    let server = RedisServer::start();
    let cache = builder(&server).breaker_failures(2).build().await.unwrap();
    let source = Source::new();
    hits(&cache, &source).await;
    let before = cache.stats().store();
    server.freeze();
    calls(&cache, &source, 100).await;
    let stats = since(before, &cache);
    assert_eq!((stats.timeouts, stats.rejected), (2, 98), "{stats:?}");
    server.thaw();
    hits(&cache, &source).await;
}

#[tokio::test]
async fn that_a_server_falls_silent_and_answers_again_is_told_once() {
    let (log, _guard) = Log::collect();
    let server = RedisServer::start();
    // So that the connection is not given up meanwhile.
    let patient = Cache::builder().connect_timeout(Duration::from_secs(20));
    let builder = patient.url(server.url()).namespace("it");
    let cache = builder.build().await.unwrap();
    let source = Source::new();
    hits(&cache, &source).await;
    server.freeze();
    calls(&cache, &source, 1000).await;
    let told = || log.count(Level::WARN, "the store does not answer");
    eventually("it to be told", async || told() == 1).await;
    server.thaw();
    hits(&cache, &source).await;
    assert_eq!(log.count(Level::INFO, "the store answers again"), told());
}

//! One warning for each function and outage, with a count, and not one for each operation.

use std::time::Duration;

use cached_redis::testing::{Faults, HeldClock};
use cached_redis::{Cache, invalidates, redis_cached};
use tracing::Level;

use crate::support::{Log, RedisServer, World};

const TIMES: u64 = 50;

#[redis_cached(ttl = 60, key = "floods:read:<id>", cache = cache, skip(cache))]
async fn read(cache: &Cache, id: u64) -> u64 {
    id
}

#[redis_cached(ttl = 60, key = "floods:other:<id>", cache = cache, skip(cache))]
async fn read_other(cache: &Cache, id: u64) -> u64 {
    id
}

#[invalidates("floods:<id>", cache = cache)]
async fn write(cache: &Cache, id: u64) {
    let _ = id;
}

#[invalidates("floods:<id>", guard, cache = cache)]
async fn write_guarded(cache: &Cache, id: u64) {
    let _ = id;
}

#[redis_cached(ttl = 60, version = unknown, key = "floods:<id>", cache = cache, skip(cache))]
async fn read_version(cache: &Cache, id: u64) -> u64 {
    id
}

async fn unknown(_: &Cache, _: u64) -> Result<u64, String> {
    Err("the source is not told either".to_owned())
}

/// Calls each of the functions so many times.
async fn calls(cache: &Cache) {
    for id in 0..TIMES {
        read(cache, id).await;
        read_other(cache, id).await;
        write(cache, id).await;
        write_guarded(cache, id).await;
        read_version(cache, id).await;
    }
}

/// The warnings of one function.
fn of(log: &Log, function: &str) -> usize {
    let function = format!("log_floods::{function}\"");
    log.count(Level::WARN, &function) + log.count(Level::ERROR, &function)
}

fn assert_told_once(log: &Log) {
    // The last one is told of its guard, and of its invalidation.
    let functions = [
        "read",
        "read_other",
        "write",
        "read_version",
        "write_guarded",
    ];
    let told = functions.map(|function| of(log, function));
    assert_eq!(told, [1, 1, 1, 1, 2], "{}", log.text());
}

#[tokio::test]
async fn an_outage_is_one_warning_for_each_function_and_a_count_at_the_end_of_the_cache() {
    let (log, _guard) = Log::collect();
    let mut server = RedisServer::start();
    let builder = Cache::builder().url(server.url()).namespace("it");
    let cache = builder.guarded(true).build().await.unwrap();
    server.kill();
    calls(&cache).await;
    assert_told_once(&log);
}

#[tokio::test(start_paused = true)]
async fn the_rest_of_an_outage_is_told_as_a_count_when_it_is_over() {
    let (log, _guard) = Log::collect();
    let (clock, faults) = (HeldClock::new(), Faults::seeded(1));
    let builder = World::in_memory().builder().guarded(true);
    let cache = builder.faults(faults.clone()).build().await.unwrap();
    faults.outage(true);
    calls(&cache).await;
    clock.advance(Duration::from_secs(60)).await;
    calls(&cache).await;
    assert_told_once(&log);
    faults.outage(false);
    cache.flush().await.unwrap();
    let more = format!("more={}", 2 * TIMES - 1);
    let counts = log.count(Level::WARN, &more);
    assert_eq!(counts, 6, "{}", log.text());

    faults.outage(true);
    calls(&cache).await;
    assert_eq!(of(&log, "write"), 3, "a new outage: {}", log.text());
}

#[tokio::test(start_paused = true)]
async fn failures_now_and_then_are_not_one_warning_each() {
    let (log, _guard) = Log::collect();
    let faults = Faults::seeded(1);
    let cache = World::in_memory().builder().faults(faults.clone());
    let cache = cache.build().await.unwrap();
    for id in 0..TIMES {
        faults.outage(true);
        read(&cache, id).await;
        faults.outage(false);
        read(&cache, id).await;
        HeldClock::new().settle().await;
        read(&cache, id).await;
    }
    assert_eq!(cache.stats().total().hits, TIMES);
    assert_eq!(of(&log, "read"), 1, "{}", log.text());
    drop(cache);
    HeldClock::new().settle().await;
    assert_eq!(log.count(Level::WARN, &format!("more={}", TIMES - 1)), 1);
}

//! What an operator or another program may do to a server at any moment: forget its scripts, close
//! its connections, drop all keys. Functions answer, and no read is stale that comes after a
//! confirmed invalidation.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cached_redis::{Cache, CachedExt as _, Invalidation, Policy, Status, redis_cached};

use crate::support::{RedisServer, Source, World, eventually, in_time, on_redis};

on_redis!(
    scripts_that_are_flushed_all_the_time_cost_no_result,
    connections_that_are_killed_all_the_time_cost_no_result,
    keys_that_are_flushed_all_the_time_cost_no_result,
    all_keys_flushed_during_a_load_let_it_end_without_a_fill,
    a_connection_killed_during_a_load_costs_that_load_nothing,
);

#[redis_cached(ttl = 60, key = "odd:<id>", skip(source))]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await
}

/// For how long a server is bothered.
const BOTHER: Duration = Duration::from_millis(500);

/// Runs `command` over and over while two processes read and write one row; their caches.
async fn bothered(world: &World, command: &'static [&'static str]) -> [Cache; 2] {
    let caches = [world.cache().await, world.cache().await];
    let source = Source::slow(Duration::from_millis(1));
    let over = Arc::new(AtomicBool::new(false));
    let confirmed = Arc::new(AtomicU64::new(0));
    let mut tasks = Vec::new();
    for cache in caches.iter().cycle().take(6) {
        let all = read_and_write(
            cache.clone(),
            source.clone(),
            confirmed.clone(),
            over.clone(),
        );
        tasks.push(tokio::spawn(all));
    }
    let (server, until) = (world.server().unwrap(), Instant::now() + BOTHER);
    while Instant::now() < until {
        server.run::<()>(command);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    over.store(true, Ordering::Relaxed);
    for task in tasks {
        in_time(task).await.unwrap();
    }
    caches
}

async fn read_and_write(
    cache: Cache,
    source: Source,
    confirmed: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
) {
    while !over.load(Ordering::Relaxed) {
        if fastrand::u8(..5) == 0 {
            let version = source.write();
            let answer = cache.invalidate("odd:1").await;
            // Another process may still see the old row while it is deferred.
            if answer.is_ok_and(|answer| answer == Invalidation::Done) {
                confirmed.fetch_max(version, Ordering::SeqCst);
            }
        }
        let least = confirmed.load(Ordering::SeqCst);
        let version = in_time(cache.scope(read(&source, 1))).await;
        assert!(version >= least, "{version} after {least}");
        // Without a store there is nothing to wait for.
        tokio::task::yield_now().await;
    }
}

async fn heals(cache: &Cache) {
    let source = Source::new();
    let hit = async || cache.scope(read(&source, 2).with_info()).await.1.status() == Status::Hit;
    eventually("a hit", hit).await;
}

async fn scripts_that_are_flushed_all_the_time_cost_no_result(world: World) {
    for cache in bothered(&world, &["SCRIPT", "FLUSH"]).await {
        let stats = cache.stats().total();
        assert_eq!(
            (stats.lost_invalidations, stats.bypasses),
            (0, 0),
            "{stats:?}"
        );
        // A script that is flushed between the hash and the full text is sent in full.
        assert_eq!(stats.errors, 0, "{stats:?}");
        let policy = Policy::new().ttl(Duration::from_secs(60));
        assert!(cache.put(&policy, "odd:put", &1_u64).await.unwrap());
    }
}

async fn connections_that_are_killed_all_the_time_cost_no_result(world: World) {
    let kill = &["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"];
    for cache in bothered(&world, kill).await {
        heals(&cache).await;
    }
}

async fn keys_that_are_flushed_all_the_time_cost_no_result(world: World) {
    for cache in bothered(&world, &["FLUSHALL", "SYNC"]).await {
        let stats = cache.stats().total();
        assert_eq!(
            (stats.errors, stats.lost_invalidations),
            (0, 0),
            "{stats:?}"
        );
        heals(&cache).await;
    }
}

/// A load that something happens to half-way.
async fn loaded(cache: &Cache, server: &RedisServer, command: &[&str]) {
    let source = Source::held();
    let readers = [(); 5].map(|()| {
        let source = source.clone();
        cache.spawn(async move { read(&source, 1).await })
    });
    source.begun(1).await;
    server.run::<()>(command);
    source.release();
    for reader in readers {
        assert_eq!(in_time(reader).await.unwrap(), 1);
    }
}

async fn all_keys_flushed_during_a_load_let_it_end_without_a_fill(world: World) {
    let cache = world.cache().await;
    loaded(&cache, world.server().unwrap(), &["FLUSHALL"]).await;
    let refused = async || cache.stats().total().refused_fills == 1;
    eventually("the refusal", refused).await;
    heals(&cache).await;
}

async fn a_connection_killed_during_a_load_costs_that_load_nothing(world: World) {
    let cache = world.cache().await;
    let kill = ["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"];
    loaded(&cache, world.server().unwrap(), &kill).await;
    heals(&cache).await;
}

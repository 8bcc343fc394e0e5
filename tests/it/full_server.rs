//! A server without memory left refuses to store, and that is all: hits, invalidations and
//! functions go on. Where it makes room by itself it may take any key, a lease too, and no read is
//! stale for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use cached_redis::error::StoreError;
use cached_redis::{Cache, CachedExt as _, Error, Policy, Status, invalidates, redis_cached};
use tracing::Level;

use crate::support::{Log, RedisServer, Source, World, eventually, filled, on_redis};

on_redis!(
    hits_and_invalidations_work_on_a_full_server,
    what_stands_on_a_full_server_is_a_hit_after_many_misses_too,
    a_load_under_way_when_the_server_gets_full_is_answered_and_its_lease_released,
    the_cache_fills_again_when_there_is_room,
);

#[redis_cached(ttl = 60, key = "full-server:<id>", skip(source))]
async fn read(source: &Source, id: usize) -> u64 {
    source.load().await
}

#[invalidates("full-server:<id>")]
async fn write(source: &Source, id: usize) -> u64 {
    source.write()
}

/// A byte is less than any server has in use.
fn fill_up(server: &RedisServer) {
    server.run::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
}

fn make_room(server: &RedisServer) {
    server.run::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
}

async fn hits_and_invalidations_work_on_a_full_server(mut world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    cache.scope(read(&source, 1)).await;
    filled(&cache, 1).await;
    fill_up(world.redis());

    let (_, info) = cache.scope(read(&source, 1).with_info()).await;
    assert_eq!(info.status(), Status::Hit);
    cache.scope(read(&source, 1).refreshed()).await;
    assert_eq!(cache.scope(write(&source, 1)).await, 2);
    for _ in 0..3 {
        assert_eq!(cache.scope(read(&source, 1)).await, 2);
    }
    let stats = cache.stats().total();
    assert_eq!((stats.invalidations, stats.lost_invalidations), (1, 0));
    assert_eq!((stats.loads, stats.fills), (5, 1), "{stats:?}");
    assert!(stats.errors >= 4, "{stats:?}");
}

async fn what_stands_on_a_full_server_is_a_hit_after_many_misses_too(mut world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    for id in 1..=10 {
        cache.scope(read(&source, id)).await;
    }
    filled(&cache, 10).await;
    fill_up(world.redis());
    let (_, info) = cache.scope(read(&source, 1).with_info()).await;
    assert_eq!((info.status(), source.loads()), (Status::Hit, 10));
}

async fn a_load_under_way_when_the_server_gets_full_is_answered_and_its_lease_released(
    mut world: World,
) {
    let cache = world.cache().await;
    let source = Source::held();
    let readers = [(); 10].map(|()| {
        let source = source.clone();
        cache.spawn(async move { read(&source, 1).await })
    });
    source.begun(1).await;
    fill_up(world.redis());
    source.release();
    for reader in readers {
        assert_eq!(reader.await.unwrap(), 1);
    }
    let released = async || world.server().unwrap().lives().is_empty();
    eventually("the release", released).await;
    assert_eq!(cache.stats().total().fills, 0);
}

async fn the_cache_fills_again_when_there_is_room(mut world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    fill_up(world.redis());
    assert_eq!(cache.scope(read(&source, 1)).await, 1);
    make_room(world.redis());
    let hit = async || cache.scope(read(&source, 1).with_info()).await.1.status() == Status::Hit;
    eventually("a hit", hit).await;
}

#[tokio::test]
async fn a_full_server_is_told_once_and_to_direct_calls() {
    let (log, _guard) = Log::collect();
    let server = RedisServer::start();
    fill_up(&server);
    let builder = Cache::builder().url(server.url()).namespace("it");
    let builder = builder.deadline(Duration::from_secs(20));
    let cache = builder.require_connection(true).build().await.unwrap();
    let source = Source::new();
    for _ in 0..10 {
        assert_eq!(cache.scope(read(&source, 1)).await, 1);
    }
    assert_eq!(log.count(Level::WARN, "OOM"), 1, "{}", log.text());
    let policy = Policy::new().ttl(Duration::from_secs(60));
    match cache.put(&policy, "full-server:put", &1_u64).await {
        Err(Error::Store(StoreError::Server { code })) => assert_eq!(code, "OOM"),
        other => panic!("{other:?}"),
    }
    let loaded = cache.get_or_fill(&policy, "full-server:put", || async { Ok::<_, ()>(7_u64) });
    assert_eq!(loaded.await, Ok(7));
}

const ROWS: usize = 8;

/// A row, and its newest version whose invalidation has returned.
struct Row {
    source: Source,
    invalidated: AtomicU64,
}

/// Reads and writes all rows until the pressure ends; how often it read.
async fn read_and_write(cache: Cache, rows: Arc<[Row; ROWS]>, over: Arc<AtomicBool>) -> usize {
    let mut reads = 0;
    while !over.load(Ordering::Relaxed) {
        let id = fastrand::usize(..ROWS);
        let row = &rows[id];
        if fastrand::u8(..10) == 0 {
            let version = cache.scope(write(&row.source, id)).await;
            row.invalidated.fetch_max(version, Ordering::SeqCst);
        }
        let least = row.invalidated.load(Ordering::SeqCst);
        let version = cache.scope(read(&row.source, id)).await;
        assert!(version >= least, "row {id}: {version} after {least}");
        reads += 1;
    }
    reads
}

/// Other people's data, some twenty times of what the server can hold.
fn press(server: &RedisServer) {
    let mut connection = server.connect();
    let value = vec![7_u8; 20_000];
    for id in 0..4_000 {
        let mut set = redis::cmd("SET");
        set.arg(format!("other:{id}")).arg(&value);
        // With keys of its own to leave behind, a server without a TTL in sight would stay full.
        set.arg("PX").arg(20_000 + id);
        // Where the server finds nothing to evict, it refuses.
        let _ = set.exec(&mut connection);
    }
}

async fn no_read_is_stale_under(policy: &str) {
    let args = ["--maxmemory", "4mb", "--maxmemory-policy", policy];
    let server = Arc::new(RedisServer::start_with(&args));
    let rows = Arc::new([(); ROWS].map(|()| Row {
        source: Source::slow(Duration::from_millis(1)),
        invalidated: AtomicU64::new(0),
    }));
    let over = Arc::new(AtomicBool::new(false));
    let mut tasks = Vec::new();
    let mut caches = Vec::new();
    for _ in 0..2 {
        let builder = Cache::builder().url(server.url()).namespace("it");
        let cache = builder.deadline(Duration::from_secs(20)).build().await;
        let cache = cache.unwrap();
        tasks.extend((0..4).map(|_| {
            let all = read_and_write(cache.clone(), rows.clone(), over.clone());
            tokio::spawn(all)
        }));
        caches.push(cache);
    }
    let pressed = server.clone();
    tokio::task::spawn_blocking(move || press(&pressed))
        .await
        .unwrap();
    over.store(true, Ordering::Relaxed);
    for task in tasks {
        assert!(task.await.unwrap() > 0);
    }
    for cache in caches {
        assert_eq!(cache.stats().total().lost_invalidations, 0);
    }
    let stats: String = server.run(&["INFO", "stats"]);
    assert!(!stats.contains("evicted_keys:0\r"), "{stats}");
}

macro_rules! under_pressure {
    ($($name:ident: $policy:literal),+ $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            no_read_is_stale_under($policy).await;
        }
    )+};
}

under_pressure!(
    no_read_is_stale_where_the_server_evicts_what_was_used_least_recently: "allkeys-lru",
    no_read_is_stale_where_the_server_evicts_what_is_used_least: "allkeys-lfu",
    no_read_is_stale_where_the_server_evicts_at_random: "allkeys-random",
    no_read_is_stale_where_only_keys_with_a_ttl_leave_by_age_of_use: "volatile-lru",
    no_read_is_stale_where_only_keys_with_a_ttl_leave_by_use: "volatile-lfu",
    no_read_is_stale_where_what_expires_first_leaves_first: "volatile-ttl",
    no_read_is_stale_where_only_keys_with_a_ttl_leave_at_random: "volatile-random",
);

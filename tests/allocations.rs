//! What a hit allocates, beside the same thing written by hand, and what writes and misses do: counted over the
//! whole process, on one thread, with a real server.

use std::alloc::System;
use std::borrow::Borrow;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cached_redis::{Cache, invalidates, redis_cached, write_through};
use serde::{Deserialize, Serialize};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

#[allow(unused, reason = "shared by several programs, each uses its part")]
#[path = "support/mod.rs"]
mod support;

use support::{RedisServer, eventually, filled};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The counters are those of the process, so one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

const HITS: usize = 500;

/// How many allocations a hit may have, by itself and among those of other tasks.
const MOST: f64 = 6.5;
const MOST_AMONG_OTHERS: f64 = 6.5;

/// A batch of one hit, and each hit more: five are the value's own.
const MOST_OF_A_BATCH: f64 = 24.5;
const MOST_OF_EACH: f64 = 5.5;

/// Of an invalidation, a guarded write, a write-through, and a miss with its fill, of one key each; the half is for
/// what ticks beside them. A write-through looks at each function that has tags, which are four for the one here.
const MOST_OF_WRITES: [f64; 4] = [12.0, 24.0, 53.0, 47.0];

const TASKS: u64 = 64;

/// How many bytes the future of a call may have: it is a part of every future around it.
const FUTURE: usize = 560;
const FUTURE_OF_A_BATCH: usize = 700;
const FUTURE_OF_A_WRITE: usize = 300;

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct User {
    id: u64,
    name: String,
    email: String,
    roles: Vec<String>,
}

fn user(id: u64) -> User {
    User {
        id,
        name: "Ada Lovelace".to_owned(),
        email: "ada@example.org".to_owned(),
        roles: vec!["admin".to_owned(), "author".to_owned()],
    }
}

#[redis_cached(ttl = 3600, key = "user:<id>")]
async fn ours(id: u64) -> User {
    user(id)
}

/// It could be loaded in a task of its own, with copies of what it borrows.
#[redis_cached(
    ttl = 3600,
    refresh_ahead = 0.8,
    early_expiry = 1.0,
    stale_while_revalidate = 60,
    key = "user:ahead:<id>",
    skip(copied)
)]
async fn refreshed_ahead(copied: &[String], id: u64) -> User {
    let _: &[String] = copied;
    user(id)
}

#[redis_cached(ttl = 3600, batch(id in ids), key = "user:many:<id>")]
async fn many(ids: &[u64]) -> HashMap<u64, User> {
    ids.iter().map(|id| (*id, user(*id))).collect()
}

async fn one_of_many(id: u64, ids: &[u64]) -> User {
    many(ids).await.remove(&id).unwrap()
}

#[redis_cached(ttl = 3600, local = 3600, key = "user:kept:<id>")]
async fn kept(id: u64) -> Arc<User> {
    Arc::new(user(id))
}

#[redis_cached(ttl = 3600, local = 3600, key = "user:tagged:<id>", tags = ["user:<id>", "team:<id>"])]
async fn tagged(id: u64) -> Arc<User> {
    Arc::new(user(id))
}

#[invalidates("user:<id>")]
async fn removed(id: u64) {
    let _ = id;
}

#[write_through(ttl = 3600, key = "user:through:<id>", tags = [])]
async fn through(id: u64) -> User {
    user(id)
}

async fn guarded(cache: &Cache, id: u64) {
    let write = cache.begin_write([format!("user:{id}")]).await;
    write.unwrap().finish().await.unwrap();
}

async fn by_hand(connection: &redis::aio::MultiplexedConnection, id: u64) -> User {
    let mut connection = connection.clone();
    let key = format!("hand:user:{id}");
    let bytes: Vec<u8> = redis::cmd("GET")
        .arg(key)
        .query_async(&mut connection)
        .await
        .unwrap();
    let (user, _) = bincode::serde::decode_from_slice(&bytes, bincode::config::standard()).unwrap();
    user
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

async fn installed(server: &RedisServer) -> Cache {
    let builder = Cache::builder().url(server.url()).namespace("count");
    let cache = builder
        .deadline(Duration::from_secs(20))
        .build()
        .await
        .unwrap();
    // As users have it: a scope would cost a look at a task-local more.
    cache.clone().install().unwrap();
    cache
}

/// Allocations per call, after a warm-up.
async fn per_call<U: Borrow<User>>(call: impl AsyncFn(u64) -> U) -> f64 {
    let mut counted = Region::new(ALLOCATOR);
    for warm in [true, false] {
        counted.reset();
        for _ in 0..HITS {
            let got = call(7).await;
            assert_eq!(got.borrow().id, 7);
        }
        if warm {
            tokio::task::yield_now().await;
        }
    }
    let counted = counted.change();
    (counted.allocations + counted.reallocations) as f64 / HITS as f64
}

/// The same of writes.
async fn per_write(write: impl AsyncFn(u64)) -> f64 {
    per_call(async |id| {
        write(id).await;
        user(id)
    })
    .await
        - per_call(async |id| user(id)).await
}

/// The same for as many tasks, each with its own key.
async fn per_call_among_others() -> f64 {
    const CALLS: u64 = 32;
    let mut counted = Region::new(ALLOCATOR);
    for _warm in [true, false] {
        counted.reset();
        let mut tasks = JoinSet::new();
        for id in 0..TASKS {
            tasks.spawn(async move {
                for _ in 0..CALLS {
                    assert_eq!(ours(id).await.id, id);
                }
            });
        }
        tasks.join_all().await;
    }
    let counted = counted.change();
    (counted.allocations + counted.reallocations) as f64 / (CALLS * TASKS) as f64
}

#[test]
fn a_hit_allocates_no_more_than_one_written_by_hand() {
    let _alone = ALONE.lock();
    let server = RedisServer::start();
    runtime().block_on(async {
        let cache = installed(&server).await;
        ours(7).await;
        filled(&cache, 1).await;
        let encoded = bincode::serde::encode_to_vec(user(7), bincode::config::standard());
        server.plant("hand:user:7", &encoded.unwrap());
        let client = redis::Client::open(server.url()).unwrap();
        let connection = client.get_multiplexed_async_connection().await.unwrap();

        let theirs = per_call(async |id| by_hand(&connection, id).await).await;
        let alone = per_call(async |id| ours(id).await).await;
        let copied = vec!["a long argument".to_owned(); 100];
        refreshed_ahead(&copied, 7).await;
        filled(&cache, 2).await;
        let ahead = per_call(async |id| refreshed_ahead(&copied, id).await).await;
        for id in 0..TASKS {
            ours(id).await;
        }
        filled(&cache, 1 + TASKS).await;
        let among = per_call_among_others().await;
        let ids: Vec<_> = (0..TASKS).collect();
        many(&ids).await;
        filled(&cache, 1 + 2 * TASKS).await;
        let [one, all] = [&ids[7..8], &ids]
            .map(async |ids| per_call(async |id| one_of_many(id, ids).await).await);
        let (one, all) = (one.await, all.await);
        let each = (all - one) / (TASKS - 1) as f64;
        println!("allocations per hit: {alone:.2}, among others {among:.2}, by hand {theirs:.2}");
        println!("of a batch: {one:.2} of one id, {each:.2} for each one more");
        assert_eq!(cache.stats().total().loads, 2 + TASKS, "all were hits");
        assert!(alone <= theirs, "{alone:.2} against {theirs:.2}");
        assert!(alone <= MOST && among <= MOST_AMONG_OTHERS);
        assert!(one <= MOST_OF_A_BATCH && each <= MOST_OF_EACH);
        assert!(ahead <= alone + 0.5, "{ahead:.2}: a hit copies no argument");
    });
}

/// Allocations of a hit in process memory.
async fn per_local_hit(url: String, call: impl AsyncFn(u64) -> Arc<User>) -> f64 {
    let builder = Cache::builder().url(url).namespace("kept");
    let builder = builder.local_staleness(Duration::from_secs(60));
    let cache = builder.deadline(Duration::from_secs(20)).build();
    let cache = cache.await.unwrap();
    let hits = || cache.stats().total().local_hits;
    eventually("an answer in memory", async || {
        cache.scope(call(7)).await.id == 7 && hits() > 0
    })
    .await;
    let before = hits();
    let allocations = per_call(async |id| cache.scope(call(id)).await).await;
    assert_eq!(hits() - before, 2 * HITS as u64);
    allocations
}

#[test]
fn what_writes_and_misses_allocate() {
    let _alone = ALONE.lock();
    let server = RedisServer::start();
    runtime().block_on(async {
        let builder = Cache::builder().url(server.url()).namespace("writes");
        let builder = builder.deadline(Duration::from_secs(20));
        let plain = builder.clone().build().await.unwrap();
        let removed = per_write(async |id| plain.scope(removed(id)).await).await;
        let through = per_write(async |id| drop(plain.scope(through(id)).await)).await;
        let builder = builder.namespace("guarded").guarded(true);
        let cache = builder.build().await.unwrap();
        let guarded = per_write(async |id| guarded(&cache, id).await).await;
        println!("allocations per write: {removed:.2}, guarded {guarded:.2}, through {through:.2}");
        let source = AtomicU64::new(0);
        let missed = per_write(async |_| {
            let id = 1_000 + source.fetch_add(1, Ordering::Relaxed);
            plain.scope(ours(id)).await;
        });
        let missed = missed.await;
        println!("allocations per miss: {missed:.2}");
        let all = [removed, guarded, through, missed];
        let within = all
            .iter()
            .zip(MOST_OF_WRITES)
            .all(|(count, most)| *count <= most);
        assert!(within, "{all:?}");
        assert_eq!(plain.stats().total().deferred_invalidations, 0);
    });
}

#[test]
fn a_hit_in_process_memory_allocates_nothing() {
    let _alone = ALONE.lock();
    let server = RedisServer::start();
    runtime().block_on(async {
        let in_memory = per_local_hit("memory://".to_owned(), kept).await;
        let plain = per_local_hit(server.url(), kept).await;
        let tagged = per_local_hit(server.url(), tagged).await;
        let all = [in_memory, plain, tagged];
        assert!(all.iter().all(|per_hit| *per_hit < 0.01), "{all:?}");
    });
}

#[test]
fn the_future_of_a_call_is_small() {
    let sizes = [size_of_val(&ours(7)), size_of_val(&refreshed_ahead(&[], 7))];
    println!("bytes of a call's future: {sizes:?}");
    assert!(sizes.iter().all(|size| *size <= FUTURE), "{sizes:?}");
    let batch = size_of_val(&many(&[]));
    println!("of a batch: {batch}");
    assert!(batch <= FUTURE_OF_A_BATCH, "{batch}");
    let writes = [size_of_val(&removed(7)), size_of_val(&through(7))];
    println!("of a write: {writes:?}");
    assert!(
        writes.iter().all(|size| *size <= FUTURE_OF_A_WRITE),
        "{writes:?}"
    );
}

/// What claims to be large is found out before room is made for it.
#[test]
fn forged_lengths_allocate_next_to_nothing() {
    const FORGED: [&[u8]; 3] = [
        &[7, 252, 0, 0, 0, 32],
        &[7, 253, 255, 255, 255, 255, 255, 255, 255, 127],
        &[7, 1, b'x', 1, b'y', 253, 0, 0, 0, 0, 0, 1, 0, 0],
    ];
    const HEADER: usize = 48;

    let _alone = ALONE.lock();
    let server = RedisServer::start();
    runtime().block_on(async {
        let builder = Cache::builder().url(server.url()).namespace("forged");
        let cache = builder
            .deadline(Duration::from_secs(20))
            .build()
            .await
            .unwrap();
        cache.scope(ours(7)).await;
        filled(&cache, 1).await;
        let entry = server.bytes("forged:user:7").unwrap();
        for (count, forged) in (2..).zip(FORGED) {
            server.plant("forged:user:7", &[&entry[..HEADER], forged].concat());
            let counted = Region::new(ALLOCATOR);
            assert_eq!(cache.scope(ours(7)).await, user(7));
            let allocated = counted.change().bytes_allocated;
            assert!(allocated < 100_000, "{allocated} bytes for {forged:x?}");
            filled(&cache, count).await;
        }
        assert_eq!(cache.stats().total().undecodable, 3);
    });
}

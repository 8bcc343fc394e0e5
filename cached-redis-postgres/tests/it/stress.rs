//! Writers that know nothing of a cache, and readers that use one: nothing is read that is older than C1 allows.
//!
//! Commits wait for a standby after they are in the log, as they do in a database that loses nothing: so there is
//! a time in which they are decoded and not visible.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};

use cached_redis_postgres::Feed;

use crate::support::{Postgres, Shop, eventually, in_time, item, streams, tier};

const IDS: i32 = 4;

/// The newest version of each row whose invalidation has run: no read that starts later may be older.
#[derive(Default)]
struct Floors([AtomicI32; IDS as usize + 1]);

struct Outcome {
    reads: u64,
    stale: u64,
}

async fn stress(gated: bool, rounds: i32, enough: impl Fn(u64) -> bool) -> Outcome {
    let postgres =
        Postgres::start_with("synchronous_standby_names = 'receiver'\nsynchronous_commit = local");
    let receiver = postgres.receiver();
    let shop = Arc::new(Shop::open_on(postgres).await);
    let cache = shop.cache().await;
    let builder = Feed::builder(shop.postgres.url());
    let feed = if gated { builder } else { builder.ungated() };
    let feed = feed.start(&cache).await.unwrap();
    streams(&feed).await;
    let standby = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
    eventually("the standby", async || {
        shop.reader
            .query_one(standby, &[])
            .await
            .unwrap()
            .get::<_, i64>(0)
            == 1
    })
    .await;

    let (floors, over) = (Arc::<Floors>::default(), Arc::<AtomicBool>::default());
    let (reads, stale) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
    let mut readers = Vec::new();
    for _ in 0..3 {
        let (cache, floors, over) = (shop.cache().await, Arc::clone(&floors), Arc::clone(&over));
        let (reads, stale) = (Arc::clone(&reads), Arc::clone(&stale));
        let client = shop.postgres.connect().await;
        readers.push(tokio::spawn(async move {
            while !over.load(Ordering::Relaxed) {
                let id = fastrand::i32(1..=IDS);
                let floor = floors.0[id as usize].load(Ordering::SeqCst);
                let n = cache.scope(item(&client, id)).await;
                reads.fetch_add(1, Ordering::Relaxed);
                stale.fetch_add(u64::from(n < floor), Ordering::Relaxed);
            }
        }));
    }
    for n in 1..=rounds {
        let id = fastrand::i32(1..=IDS);
        let update =
            format!("SET synchronous_commit = on; UPDATE items SET n = {n} WHERE id = {id}");
        // One of ten is a program that has never heard of a cache.
        match n % 10 {
            0 => {
                let mut psql = shop.postgres.psql();
                let psql = psql.args(["-c", &update]).stdout(Stdio::null());
                let status = tokio::task::block_in_place(|| psql.status());
                assert!(status.unwrap().success());
            }
            _ => shop.reader.batch_execute(&update).await.unwrap(),
        }
        shop.settle(&feed).await;
        floors.0[id as usize].store(n, Ordering::SeqCst);
        if enough(stale.load(Ordering::Relaxed)) {
            break;
        }
    }
    over.store(true, Ordering::Relaxed);
    for reader in readers {
        in_time(reader).await.unwrap();
    }
    drop(receiver);
    let stats = feed.stats();
    #[expect(clippy::print_stdout, reason = "what the run was")]
    {
        println!(
            "gated: {gated}, reads: {}, stale: {}, {stats:?}",
            reads.load(Ordering::Relaxed),
            stale.load(Ordering::Relaxed)
        );
    }
    Outcome {
        reads: reads.load(Ordering::Relaxed),
        stale: stale.load(Ordering::Relaxed),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_read_is_older_than_the_promise_allows() {
    let outcome = stress(true, tier(60, 600), |_| false).await;
    assert!(
        outcome.reads > 0 && outcome.stale == 0,
        "{} of {}",
        outcome.stale,
        outcome.reads
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn without_the_gate_many_reads_are() {
    let outcome = stress(false, 2000, |stale| stale > 20).await;
    assert!(outcome.stale > 20, "{} of {}", outcome.stale, outcome.reads);
}

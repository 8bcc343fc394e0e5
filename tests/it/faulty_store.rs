//! Behind a bad network: steps of the store that come late, fail, run unanswered, never run or
//! overtake one another, and outages in between, show nobody a stale value and hold nobody up.

use std::collections::HashMap;
use std::time::Duration;

use cached_redis::stats::FunctionStats;
use cached_redis::testing::{Faults, Injected};
use cached_redis::{Builder, Cache, CachedExt as _, Invalidation, redis_cached};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::support::{Forwarder, RedisServer, Rows, World, eventually, in_time, tier};

const ROWS: usize = 3;
const DEADLINE: Duration = Duration::from_millis(50);

#[redis_cached(ttl = 600, key = "faulty:<id>", skip(rows))]
async fn read(rows: &Rows, id: usize) -> u64 {
    let version = rows.load(id).await;
    sleep(Duration::from_millis(fastrand::u64(..5))).await;
    version
}

#[redis_cached(batch(id in ids), ttl = 600, key = "faulty:<id>", skip(rows))]
async fn read_all(rows: &Rows, ids: &[usize]) -> HashMap<usize, u64> {
    let mut found = HashMap::new();
    for id in ids {
        found.insert(*id, rows.load(*id).await);
    }
    found
}

/// A reader's read. Its pause lets the clock move.
async fn any_read(rows: Rows, id: usize) -> u64 {
    let all: Vec<_> = rows.ids().collect();
    let version = match fastrand::u8(..8) {
        0 => in_time(read(&rows, id).refreshed()).await,
        1 => in_time(read_all(&rows, &all)).await[&id],
        2 => in_time(read_all(&rows, &all).refreshed()).await[&id],
        _ => in_time(read(&rows, id)).await,
    };
    sleep(Duration::from_millis(1)).await;
    version
}

/// Writes rows and invalidates them, until each invalidation is confirmed.
async fn writes(cache: Cache, rows: Rows, count: usize) {
    for _ in 0..count {
        let id = fastrand::usize(rows.ids());
        let key = format!("faulty:{id}");
        let (version, mut sent) = match fastrand::bool() {
            true => (rows.write(id), in_time(cache.invalidate(&key)).await),
            false => guarded_write(&cache, &rows, id).await,
        };
        // Deferred or not, it holds in this process.
        let seen = in_time(cache.scope(read(&rows, id))).await;
        assert!(
            seen >= version,
            "row {id}: {seen} after a write of {version}"
        );
        while !matches!(sent, Ok(Invalidation::Done)) {
            sleep(Duration::from_millis(5)).await;
            sent = in_time(cache.invalidate(&key)).await;
        }
        rows.acknowledge(id, version);
        sleep(Duration::from_millis(fastrand::u64(..10))).await;
    }
}

type Sent = Result<Invalidation, cached_redis::Error>;

async fn guarded_write(cache: &Cache, rows: &Rows, id: usize) -> (u64, Sent) {
    let key = format!("faulty:{id}");
    match in_time(cache.begin_write([&key])).await {
        Ok(write) => {
            let version = rows.write(id);
            (version, in_time(write.finish()).await)
        }
        Err(_) => (rows.write(id), in_time(cache.invalidate(&key)).await),
    }
}

/// Two processes behind one bad network, with readers and a writer of so many rows in each. What both
/// did together.
async fn storm(builder: Builder, faults: &Faults, count: usize) -> FunctionStats {
    let builder = builder.guarded(true).deadline(DEADLINE);
    let builder = builder.faults(faults.clone());
    let processes = [
        builder.clone().build().await.unwrap(),
        builder.build().await.unwrap(),
    ];
    let rows = Rows::new(ROWS);
    let readers = processes
        .each_ref()
        .map(|cache| rows.readers(cache, 3, any_read));
    let writers = processes
        .each_ref()
        .map(|cache| cache.spawn(writes(cache.clone(), rows.clone(), count)));
    let outages = outages(faults);
    for writer in writers {
        writer.await.expect("no writer saw a stale row");
    }
    outages.abort();
    for readers in readers {
        readers.stop().await;
    }
    faults.heal();
    for cache in &processes {
        calm(cache, &rows).await;
    }
    let [one, other] = processes.map(|cache| cache.stats().total());
    sum(one, other)
}

fn sum(one: FunctionStats, other: FunctionStats) -> FunctionStats {
    let mut sum = one;
    sum.hits += other.hits;
    sum.bypasses += other.bypasses;
    sum.refused_fills += other.refused_fills;
    sum.deferred_invalidations += other.deferred_invalidations;
    sum.replayed_invalidations += other.replayed_invalidations;
    sum
}

/// Now and then nothing works for a while.
fn outages(faults: &Faults) -> JoinHandle<()> {
    let faults = faults.clone();
    tokio::spawn(async move {
        loop {
            sleep(Duration::from_millis(200)).await;
            faults.outage(true);
            sleep(Duration::from_millis(60)).await;
            faults.outage(false);
        }
    })
}

/// When the network is good again, everything arrives and rows are kept.
async fn calm(cache: &Cache, rows: &Rows) {
    in_time(cache.flush()).await.expect("all is confirmed");
    for id in rows.ids() {
        let hit = async || {
            let (version, info) = in_time(cache.scope(read(rows, id).with_info())).await;
            assert_eq!(version, rows.version(id));
            info.status() == cached_redis::Status::Hit
        };
        eventually("a hit", hit).await;
    }
    assert_eq!(cache.stats().total().lost_invalidations, 0);
}

fn mixed(seed: u64) -> Faults {
    Faults::seeded(seed)
        .delay(0.1, Duration::from_millis(20))
        .fail(0.05)
        .lose_answer(0.05)
        .drop(0.03)
        .reorder(0.1)
}

/// The test is of use only if what could go wrong was there to go wrong.
fn assert_stormy(total: FunctionStats, injected: Injected) {
    let seen = [
        total.hits,
        total.bypasses,
        total.refused_fills,
        total.deferred_invalidations,
        total.replayed_invalidations,
        injected.delayed,
        injected.failed,
        injected.lost_answers,
        injected.dropped,
        injected.reordered,
    ];
    assert!(!seen.contains(&0), "{total:?}, {injected:?}");
}

#[tokio::test(start_paused = true)]
async fn no_plan_of_faults_shows_a_stale_value_or_holds_anybody_up() {
    let mut total = FunctionStats::default();
    let mut injected = Injected::default();
    for seed in 0..tier(5, 25) {
        println!("seed {seed}");
        fastrand::seed(seed);
        let faults = mixed(seed);
        total = sum(
            total,
            storm(World::in_memory().builder(), &faults, 30).await,
        );
        injected = faults.injected();
    }
    assert_stormy(total, injected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_fault_of_the_network_before_a_real_server_shows_a_stale_value() {
    let server = RedisServer::start();
    let address = Forwarder::to(&server).await;
    let cuts = async {
        loop {
            sleep(Duration::from_millis(100)).await;
            address.delay(Duration::from_millis(fastrand::u64(..3)));
            match fastrand::u8(..3) {
                0 => address.cut(),
                1 => address.half_close(),
                _ => {
                    address.black_hole(true);
                    sleep(Duration::from_millis(80)).await;
                    address.black_hole(false);
                }
            }
        }
    };
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let faults = mixed(seed);
    let builder = Cache::builder().url(address.url()).namespace("it");
    // Again, where little came to pass.
    let storms = async {
        let mut hits = 0;
        for _ in 0..20 {
            hits += storm(builder.clone(), &faults, tier(2, 10)).await.hits;
            if hits > 0 && faults.injected().total() > 0 && address.accepted() > 2 {
                return;
            }
        }
        panic!("{hits} hits, {} connections", address.accepted());
    };
    tokio::select! {
        () = storms => {}
        () = cuts => {}
    }
}

//! What a hot key costs its source under each strategy: 64 callers, 20 TTLs, a real Redis.
//!
//! `cargo test --test it stampedes -- --nocapture` prints the table that the guide shows.

use std::time::Duration;

use cached_redis::{CachedExt as _, Status, redis_cached};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::support::{Source, World, filled, on_redis};

on_redis!(a_hot_key_under_64_callers_over_20_ttls_costs_its_source_what_the_table_says);

const CALLERS: u32 = 64;
const TTL: Duration = Duration::from_millis(300);
const LOAD: Duration = Duration::from_millis(20);
const TTLS: u32 = 20;
/// Between two reads of one caller.
const PAUSE: Duration = Duration::from_millis(20);

#[redis_cached(ttl = TTL, jitter = 0.0, key = "stampede:lock", skip(source))]
async fn lock_only(source: &Source) -> u64 {
    source.load().await
}

#[redis_cached(ttl = TTL, jitter = 0.0, refresh_ahead = 0.8, key = "stampede:ahead", skip(source))]
async fn refresh_ahead(source: &Source) -> u64 {
    source.load().await
}

#[redis_cached(ttl = TTL, jitter = 0.0, early_expiry = 1.0, key = "stampede:xfetch", skip(source))]
async fn xfetch(source: &Source) -> u64 {
    source.load().await
}

#[redis_cached(
    ttl = TTL, jitter = 0.0, stale_while_revalidate = "10s", key = "stampede:swr", skip(source),
)]
async fn swr(source: &Source) -> u64 {
    source.load().await
}

/// `GET`, and on a miss the load and a `SET`, as it is often written.
async fn by_hand(connection: &redis::aio::MultiplexedConnection, source: &Source) -> Status {
    const KEY: &str = "stampede:hand";
    let mut connection = connection.clone();
    let mut get = redis::cmd("GET");
    let found: Option<u64> = get.arg(KEY).query_async(&mut connection).await.unwrap();
    if found.is_some() {
        return Status::Hit;
    }
    let value = source.load().await;
    let mut set = redis::cmd("SET");
    set.arg(KEY)
        .arg(value)
        .arg("PX")
        .arg(TTL.as_millis() as u64);
    set.exec_async(&mut connection).await.unwrap();
    Status::Miss
}

/// What came of one strategy.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    /// Runs of the function, and the most of them at once.
    loads: usize,
    at_once: usize,
    /// What the callers read; past the TTL; and after a load, one's own or another caller's.
    reads: usize,
    stale: usize,
    waited: usize,
}

impl Row {
    fn count(&mut self, status: Status) {
        self.reads += 1;
        self.stale += usize::from(status == Status::Stale);
        self.waited += usize::from(!matches!(status, Status::Hit | Status::Stale));
    }
}

/// Every caller reads again and again until the time is over. The key is filled before they come:
/// the cold start is another matter.
async fn measure<F>(source: Source, read: impl Fn() -> F + Clone + Send + 'static) -> Row
where
    F: Future<Output = Status> + Send,
{
    let cold = source.loads();
    let until = Instant::now() + TTLS * TTL;
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let read = read.clone();
        callers.spawn(async move {
            // So that they do not come in step.
            sleep(PAUSE * caller / CALLERS).await;
            let mut row = Row::default();
            while Instant::now() < until {
                row.count(read().await);
                sleep(PAUSE).await;
            }
            row
        });
    }
    let rows = callers.join_all().await;
    let sum = |column: fn(&Row) -> usize| rows.iter().map(column).sum();
    Row {
        loads: source.loads() - cold,
        at_once: source.most_at_once(),
        reads: sum(|row| row.reads),
        stale: sum(|row| row.stale),
        waited: sum(|row| row.waited),
    }
}

/// Measures a cached function in a process of its own.
macro_rules! measured {
    ($world:ident, $function:ident) => {{
        let cache = $world.patient().build().await.unwrap();
        let source = Source::slow(LOAD);
        cache.scope($function(&source)).await;
        filled(&cache, 1).await;
        let reads = source.clone();
        tokio::spawn(measure(source, move || {
            let source = reads.clone();
            cache.scope(async move { $function(&source).with_info().await.1.status() })
        }))
    }};
}

async fn a_hot_key_under_64_callers_over_20_ttls_costs_its_source_what_the_table_says(
    mut world: World,
) {
    let client = redis::Client::open(world.redis().url()).unwrap();
    let connection = client.get_multiplexed_async_connection().await.unwrap();
    let source = Source::slow(LOAD);
    by_hand(&connection, &source).await;
    let reads = source.clone();
    let nothing = tokio::spawn(measure(source, move || {
        let (connection, source) = (connection.clone(), reads.clone());
        async move { by_hand(&connection, &source).await }
    }));
    // Side by side, each on a key of its own.
    let strategies = [
        ("nothing", nothing),
        ("lock only", measured!(world, lock_only)),
        ("refresh_ahead = 0.8", measured!(world, refresh_ahead)),
        ("early_expiry = 1.0", measured!(world, xfetch)),
        ("stale_while_revalidate", measured!(world, swr)),
    ];
    let mut rows = Vec::new();
    println!("| strategy | loads | at once | reads | stale | waited |\n|---|---|---|---|---|---|");
    for (name, measured) in strategies {
        let row = measured.await.unwrap();
        let Row {
            loads,
            at_once,
            reads,
            stale,
            waited,
        } = row;
        println!("| {name} | {loads} | {at_once} | {reads} | {stale} | {waited} |");
        rows.push(row);
    }
    compare(&rows);
}

/// What holds on a busy machine as well.
fn compare(rows: &[Row]) {
    let [nothing, lock, ahead, xfetch, swr] = rows else {
        panic!("five rows, not {rows:?}");
    };
    assert!(nothing.at_once >= 8, "{nothing:?}");
    for row in [lock, ahead, xfetch, swr] {
        assert!(nothing.loads >= 5 * row.loads, "{nothing:?} {row:?}");
        assert!(row.loads <= 3 * TTLS as usize, "{row:?}");
    }
    assert_eq!((lock.at_once, swr.at_once), (1, 1), "{lock:?} {swr:?}");
    assert!(lock.waited >= lock.loads, "{lock:?}");
    for row in [ahead, xfetch] {
        // A refresh that begins just before the TTL may meet the first load after it.
        assert!(row.at_once <= 2, "{row:?}");
        assert!(row.waited < lock.waited, "{row:?} {lock:?}");
    }
    assert_eq!(swr.waited, 0, "{swr:?}");
    assert!(swr.stale > 0, "{swr:?}");
    assert!(
        [nothing, lock, ahead, xfetch]
            .iter()
            .all(|row| row.stale == 0)
    );
}

/// By how much is compared where no busy machine makes a refresh late.
#[tokio::test(start_paused = true)]
async fn on_a_held_clock_a_refresh_spares_the_callers_the_waiting() {
    let world = World::in_memory();
    let lock = measured!(world, lock_only).await.unwrap();
    let ahead = measured!(world, refresh_ahead).await.unwrap();
    let xfetch = measured!(world, xfetch).await.unwrap();
    assert!(lock.waited >= lock.loads, "{lock:?}");
    assert_eq!((ahead.waited, ahead.at_once), (0, 1), "{ahead:?}");
    assert!(xfetch.waited <= lock.waited / 2, "{xfetch:?} {lock:?}");
}

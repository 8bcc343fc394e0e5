//! What a cached function and its writer do, beside the same by hand: the first read loads, the next
//! ones hit, many readers at once share one load, and a write is seen by the read after it.
//!
//! ```text
//! cargo run --example quickstart
//! REDIS_URL=redis://127.0.0.1 cargo run --example quickstart
//! ```
//!
//! It needs no server: without `REDIS_URL` the cache lives in this process.

use std::collections::HashMap;
use std::env;
use std::error::Error;
use std::future::Future;
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

use cached_redis::{Cache, CachedExt as _, Key, invalidates, redis_cached};
use tokio::task::JoinSet;
use tokio::time::sleep;

type Prices = Mutex<HashMap<u32, u32>>;

/// Stands for a database: prices in cents.
static DATABASE: LazyLock<Prices> = LazyLock::new(|| Mutex::new([(1, 2900), (2, 4500)].into()));

async fn select(book: u32) -> Option<u32> {
    let price = DATABASE.lock().unwrap().get(&book).copied();
    sleep(Duration::from_millis(80)).await; // the answer is on its way
    price
}

/// The slow read. Its results are kept for five minutes.
#[redis_cached(key = "price:<book>", ttl = "5m")]
async fn price(book: u32) -> Option<u32> {
    select(book).await
}

/// The write. When it has returned, no reader gets the old price any more.
#[invalidates("price:<book>")]
async fn reprice(book: u32, cents: u32) {
    DATABASE.lock().unwrap().insert(book, cents);
}

/// The same by hand: `GET`, and where there is nothing, load and `SET`. A map stands for the server.
static BY_HAND: LazyLock<Prices> = LazyLock::new(Prices::default);

async fn price_by_hand(book: u32) -> Option<u32> {
    let found = BY_HAND.lock().unwrap().get(&book).copied(); // GET
    if found.is_some() {
        return found;
    }
    let price = select(book).await?;
    BY_HAND.lock().unwrap().insert(book, price); // SET
    Some(price)
}

async fn reprice_by_hand(book: u32, cents: u32) {
    DATABASE.lock().unwrap().insert(book, cents);
    BY_HAND.lock().unwrap().remove(&book); // DEL
}

/// Reads a price and says how the cache answered.
async fn show(read: &str) {
    let started = Instant::now();
    let (price, info) = price(1).with_info().await;
    let (answer, took) = (format!("{:?}", info.status()), started.elapsed());
    let left = info.time_left().unwrap_or_default().as_secs_f64();
    let key = info.key().unwrap_or("-");
    println!("{read:<17} {answer:<5} {took:>9.1?}   {price:?}   {key}, fresh for {left:.0} s");
}

/// A write that commits while a reader has the old price in hand, and the read after it.
async fn race(read: impl Future, write: impl Future, next: impl Future<Output = Option<u32>>) {
    let late_write = async {
        sleep(Duration::from_millis(40)).await;
        write.await;
    };
    tokio::join!(read, late_write);
    let (next, committed) = (next.await, DATABASE.lock().unwrap()[&2]);
    let verdict = if next == Some(committed) {
        "right"
    } else {
        "stale, until its TTL"
    };
    println!("committed {committed}, the next read gets {next:?}: {verdict}");
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().init(); // or the cache's warnings go nowhere
    let url = env::var("REDIS_URL").unwrap_or_else(|_| "memory://".to_owned());
    let builder = Cache::builder().url(url).namespace("quickstart");
    let cache = builder.build().await?;
    cache.clone().install()?;
    // The prices above start anew with each run; what an earlier run left on Redis is outdated.
    let keys = [1, 2].map(|book| Key::new("price:").value(book));
    cache.invalidation().keys(keys).send().await?;

    println!("One book, read and written\n");
    show("first read").await;
    show("second read").await;
    reprice(1, 1900).await;
    show("after a write").await;
    show("and once more").await;

    let started = Instant::now();
    for _ in 0..1000 {
        price(1).await;
    }
    let hit = started.elapsed() / 1000;
    let times = Duration::from_millis(80).as_nanos() / hit.as_nanos().max(1);
    println!("\nA warm hit takes {hit:.1?}, a load 80 ms: {times} times as long");

    let (loads, started) = (cache.stats().total().loads, Instant::now());
    let readers: JoinSet<_> = (0..100).map(|_| price(2)).collect();
    readers.join_all().await;
    let (loads, took) = (cache.stats().total().loads - loads, started.elapsed());
    println!("100 readers of another book at once: {loads} load, {took:.1?}");

    println!("\nA write that commits while a reader has the old price in hand\n");
    print!("by hand, GET, SET and DEL: ");
    race(price_by_hand(2), reprice_by_hand(2, 3900), price_by_hand(2)).await;
    print!("with the attributes:       ");
    cache.invalidate(Key::new("price:").value(2)).await?;
    race(price(2), reprice(2, 3500), price(2)).await;

    println!(
        "\nNext: REDIS_URL=redis://127.0.0.1 in front of this command, then `redis-cli --scan`;
      cargo run --example testing     how to test what is cached
      cargo run -p bookshop           a program on a real database, with its own check
      cargo run -p storefront         a shop on the web, with all of it"
    );
    // The last fills may be under way: else the next run would wait for their leases.
    cache.flush().await?;
    Ok(())
}

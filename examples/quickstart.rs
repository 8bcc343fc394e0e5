//! What a cached function and its writer do: the first read loads, the next ones hit, many readers
//! at once share one load, and a write is seen by the read after it.
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
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

use cached_redis::{Cache, CachedExt as _, Key, invalidates, redis_cached};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// Stands for a database: prices in cents.
static PRICES: LazyLock<Mutex<HashMap<u32, u32>>> =
    LazyLock::new(|| Mutex::new([(1, 2900), (2, 4500)].into()));

/// The slow read. Its results are kept for five minutes.
#[redis_cached(key = "price:<book>", ttl = "5m")]
async fn price(book: u32) -> Option<u32> {
    let price = PRICES.lock().unwrap().get(&book).copied();
    sleep(Duration::from_millis(80)).await;
    price
}

/// The write. When it has returned, no reader gets the old price any more.
#[invalidates("price:<book>")]
async fn reprice(book: u32, cents: u32) {
    PRICES.lock().unwrap().insert(book, cents);
}

/// Reads a price and says how the cache answered.
async fn show(read: &str, book: u32) {
    let started = Instant::now();
    let (price, info) = price(book).with_info().await;
    let (answer, took) = (format!("{:?}", info.status()), started.elapsed());
    println!("{read:<18} {answer:<5} {took:>9.1?}   price {price:?}");
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = env::var("REDIS_URL").unwrap_or_else(|_| "memory://".to_owned());
    let builder = Cache::builder().url(url).namespace("quickstart");
    let cache = builder.build().await?;
    cache.clone().install()?;
    // The prices above start anew with each run; what an earlier run left on Redis is outdated.
    let keys = [1, 2].map(|book| Key::new("price:").value(book));
    cache.invalidate_many(keys).await?;

    show("first read", 1).await;
    show("second read", 1).await;
    show("third read", 1).await;

    let (loads, started) = (cache.stats().total().loads, Instant::now());
    let readers: JoinSet<_> = (0..100).map(|_| price(2)).collect();
    readers.join_all().await;
    let (loads, took) = (cache.stats().total().loads - loads, started.elapsed());
    println!("\n100 reads of another book at once: {loads} load, {took:.1?}");

    reprice(1, 1900).await;
    println!("\nThe price is now 1900, and its entry is invalidated.\n");
    show("the next read", 1).await;
    show("the one after it", 1).await;

    let total = cache.stats().total();
    println!(
        "\nIn all: {} hits, {} reads that shared a load, {} loads",
        total.hits, total.joined, total.loads
    );
    Ok(())
}

//! A level in process memory before Redis: what answers a read, what a hit costs, and that a write of this
//! process is seen at once.
//!
//! ```text
//! cargo run --example local
//! REDIS_URL=redis://127.0.0.1 cargo run --example local
//! ```
//!
//! It needs no server: without `REDIS_URL` the cache lives in this process, where nothing but the decoding is
//! saved.

use std::env;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use cached_redis::{Cache, CachedExt as _, Error, Key, invalidates, redis_cached};

/// Stands for a database.
static CENTS: AtomicU32 = AtomicU32::new(2900);

/// Kept for five minutes on Redis, and decoded for up to ten seconds in this process.
#[redis_cached(key = "price:<book>", ttl = "5m", local = "10s")]
async fn price(book: u32) -> Arc<String> {
    let cents = CENTS.load(Ordering::Relaxed);
    Arc::new(format!("book {book}: {cents} cents"))
}

#[invalidates("price:<book>")]
async fn reprice(book: u32, cents: u32) {
    let _ = book;
    CENTS.store(cents, Ordering::Relaxed);
}

async fn show(cache: &Cache) {
    for _ in 0..3 {
        let (price, info) = price(1).with_info().await;
        println!("{price:<20} {:?}", info.status());
        cache.flush().await.expect("the fill is answered");
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    tracing_subscriber::fmt().init(); // or the cache's warnings go nowhere
    let url = env::var("REDIS_URL").unwrap_or_else(|_| "memory://".to_owned());
    let cache = Cache::builder().url(url).namespace("local-example");
    let cache = cache.build().await?;
    cache.clone().install()?;
    cache.invalidate(Key::new("price:").value(1)).await?;
    show(&cache).await;

    let started = Instant::now();
    for _ in 0..1000 {
        price(1).await;
    }
    println!("\na hit in memory takes {:.1?}\n", started.elapsed() / 1000);

    reprice(1, 1900).await;
    show(&cache).await;
    println!("\n{:?}", cache.stats().local());
    Ok(())
}

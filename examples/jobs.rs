//! Two jobs beside a service: one refreshes what is slow to load, the other changes data and says so in a stream
//! that the service consumes, as a program in any language would.
//!
//! ```text
//! cargo run --example jobs
//! REDIS_URL=redis://127.0.0.1 cargo run --example jobs
//! ```

use std::env;
use std::error::Error;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cached_redis::events::Consumer;
use cached_redis::{Cache, CachedExt as _, redis_cached, testing};
use tokio::time::sleep;

/// Stands for a database: the price of the only article there is.
static PRICE: AtomicU32 = AtomicU32::new(2900);

/// Slow, so that nobody should wait for it.
#[redis_cached(key = "price-list", ttl = "1h")]
async fn price_list() -> Vec<u32> {
    sleep(Duration::from_millis(200)).await;
    vec![PRICE.load(Ordering::SeqCst)]
}

/// Loads while readers get what is there, and replaces it unless somebody has invalidated it meanwhile.
async fn job_that_refreshes(cache: &Cache) {
    cache.scope(price_list().refreshed()).await;
}

/// Changes the data, and tells the service what that has made outdated.
async fn job_that_invalidates(cache: &Cache, cents: u32) -> Result<(), cached_redis::Error> {
    PRICE.store(cents, Ordering::SeqCst);
    // `XADD cache_invalidations * message price-list`, from whatever language.
    testing::append(cache, "cache_invalidations", "price-list").await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().init(); // or the cache's warnings go nowhere
    let url = env::var("REDIS_URL").unwrap_or_else(|_| "memory://".to_owned());
    let cache = Cache::builder().url(url).namespace("jobs").build().await?;
    let me = Consumer::new("jobs", "jobs-1");
    let _consumer = cache.consume_invalidations("cache_invalidations", me).await;

    job_that_refreshes(&cache).await;
    println!("refreshed: {:?}", cache.scope(price_list()).await);

    let before = cache.stats().total().ingested_messages;
    job_that_invalidates(&cache, 1900).await?;
    while cache.stats().total().ingested_messages == before {
        sleep(Duration::from_millis(1)).await; // a reader would not wait: until then he gets the old one
    }
    let now = cache.scope(price_list()).await;
    println!("invalidated: {now:?}");
    assert_eq!(now, [1900]);
    cache.flush().await?; // what is still to be stored or invalidated
    Ok(())
}

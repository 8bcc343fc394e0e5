//! How to test annotated code: every test brings a cache of its own, so tests run in parallel and
//! none sees what another one stored.
//!
//! ```text
//! cargo test --example testing
//! ```

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use cached_redis::{Cache, CachedExt as _, invalidates, redis_cached};

/// What the functions under test read and write. It counts how often it is asked.
#[derive(Default)]
struct Warehouse {
    stock: Mutex<HashMap<String, u32>>,
    asked: AtomicU32,
}

/// The warehouse changes nothing about the answer for an article, so it is not part of the key.
#[redis_cached(key = "stock:<article>", ttl = "1m", skip(warehouse))]
async fn stock(warehouse: &Warehouse, article: &str) -> Option<u32> {
    warehouse.asked.fetch_add(1, Ordering::Relaxed);
    warehouse.stock.lock().unwrap().get(article).copied()
}

#[invalidates("stock:<article>")]
async fn deliver(warehouse: &Warehouse, article: &str, copies: u32) {
    *warehouse
        .stock
        .lock()
        .unwrap()
        .entry(article.to_owned())
        .or_default() += copies;
}

#[tokio::main]
async fn main() -> Result<(), cached_redis::Error> {
    let warehouse = Warehouse::default();
    let in_scope = async {
        deliver(&warehouse, "atlas", 3).await;
        for read in ["first", "second"] {
            let (copies, info) = stock(&warehouse, "atlas").with_info().await;
            println!("{read} read: {copies:?}, {:?}", info.status());
        }
    };
    let cache = Cache::builder().url("memory://").build().await?;
    cache.scope(in_scope).await;
    cache.flush().await?;
    println!("\nThe point of this file is its tests: cargo test --example testing");
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use cached_redis::Status;
    use tokio::time::sleep;

    use super::*;

    /// `memory://` without a name is a store that nobody else has.
    async fn cache() -> Cache {
        Cache::builder().url("memory://").build().await.unwrap()
    }

    impl Warehouse {
        fn asked(&self) -> u32 {
            self.asked.load(Ordering::Relaxed)
        }
    }

    #[tokio::test]
    async fn the_second_read_does_not_ask_the_warehouse() {
        let test = async {
            let warehouse = Warehouse::default();
            deliver(&warehouse, "atlas", 3).await;
            assert_eq!(stock(&warehouse, "atlas").await, Some(3));

            let (copies, info) = stock(&warehouse, "atlas").with_info().await;
            assert_eq!((copies, info.status()), (Some(3), Status::Hit));
            assert_eq!(info.key(), Some("app:stock:atlas"));
            assert_eq!(warehouse.asked(), 1);
        };
        cache().await.scope(test).await;
    }

    #[tokio::test]
    async fn a_delivery_is_seen_at_once() {
        let test = async {
            let warehouse = Warehouse::default();
            assert_eq!(stock(&warehouse, "atlas").await, None); // an absence is cached too
            deliver(&warehouse, "atlas", 3).await;
            assert_eq!(stock(&warehouse, "atlas").await, Some(3));
        };
        cache().await.scope(test).await;
    }

    /// The store in memory goes by Tokio's clock. Paused, it moves only when nothing else is left to
    /// do, so these sleeps take no time and begin when the result has been stored.
    #[tokio::test(start_paused = true)]
    async fn stock_is_asked_again_when_its_time_is_over() {
        let test = async {
            let warehouse = Warehouse::default();
            deliver(&warehouse, "atlas", 3).await;
            stock(&warehouse, "atlas").await;
            sleep(Duration::from_secs(50)).await;
            stock(&warehouse, "atlas").await;
            assert_eq!(warehouse.asked(), 1);
            // One minute, and at most 5 % more: the jitter.
            sleep(Duration::from_secs(14)).await;
            stock(&warehouse, "atlas").await;
            assert_eq!(warehouse.asked(), 2);
        };
        cache().await.scope(test).await;
    }

    /// A scope belongs to its task. Code that spawns hands it on with `Cache::spawn`; in a task
    /// from `tokio::spawn` there is no cache, unless one is installed, and the function just runs.
    #[tokio::test]
    async fn a_spawned_task_needs_the_scope_handed_on() {
        let cache = cache().await;
        let warehouse = Arc::new(Warehouse::default());
        let read = || {
            let warehouse = Arc::clone(&warehouse);
            async move { stock(&warehouse, "atlas").with_info().await.1.status() }
        };
        let test = async {
            read().await;
            assert_eq!(tokio::spawn(read()).await.unwrap(), Status::Bypass);
            assert_eq!(cache.spawn(read()).await.unwrap(), Status::Hit);
        };
        cache.scope(test).await;
    }

    /// Finds writers that invalidate what nobody reads, and two types behind one key.
    #[test]
    fn readers_and_writers_fit_together() {
        cached_redis::assert_catalog!();
    }
}

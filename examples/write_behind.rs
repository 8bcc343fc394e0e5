//! Write-behind: counts of a warehouse are accepted at once, read by everybody, and reach a slow database one after
//! the other, each once, whatever happens to the worker.
//!
//! ```text
//! cargo run --example write_behind
//! REDIS_URL=redis://127.0.0.1 cargo run --example write_behind
//! ```
//!
//! It needs no server: without `REDIS_URL` the cache lives in this process.

use std::collections::BTreeMap;
use std::env;
use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cached_redis::behind::WriteId;
use cached_redis::error::Busy;
use cached_redis::{Cache, redis_cached, write_behind};
use tokio::time::sleep;

/// Stands for a database that takes 20 ms for a write.
#[derive(Clone, Default)]
struct Db(Arc<Mutex<Tables>>);

#[derive(Default)]
struct Tables {
    stock: BTreeMap<u64, u32>,
    /// The last number that was applied of each partition.
    applied: BTreeMap<u32, u64>,
}

impl Db {
    /// As one transaction: the row, and the number under which it was written.
    async fn set(&self, id: u64, pieces: u32, write: &WriteId) {
        sleep(Duration::from_millis(20)).await;
        let mut tables = self.0.lock().unwrap();
        let last = tables.applied.entry(write.partition).or_default();
        if *last < write.number {
            *last = write.number;
            tables.stock.insert(id, pieces);
        }
    }
}

#[redis_cached(ttl = "1h", key = "{stock}:<id>", skip(db))]
async fn stock(db: &Db, id: u64) -> u32 {
    db.0.lock().unwrap().stock.get(&id).copied().unwrap_or(0)
}

#[write_behind(queue = "stock", key = "{stock}:<id>", value = pieces)]
async fn count(db: &Db, id: u64, pieces: u32) -> Result<(), Busy> {
    let write = WriteId::current().expect("a worker applies it");
    db.set(id, pieces, &write).await;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = env::var("REDIS_URL").unwrap_or_else(|_| "memory://".to_owned());
    let cache = Cache::builder()
        .url(url)
        .namespace("warehouse")
        .write_behind(true);
    let cache = cache.build().await?;
    cache.clone().install()?;
    let (db, queue) = (Db::default(), cache.write_behind_queue("stock")?);

    let began = Instant::now();
    for id in 1..=50 {
        count(&db, id, id as u32 * 10).await?;
    }
    println!("50 writes of 20 ms were accepted in {:?}", began.elapsed());
    println!("item 7 is read as {}", stock(&db, 7).await);
    println!("the database has {} rows", db.0.lock().unwrap().stock.len());

    let worker = cache
        .write_behind_worker()
        .provide(db.clone())
        .start()
        .await?;
    queue.flush().await?;
    println!("applied after {:?}", began.elapsed());
    worker.stop().await;

    assert_eq!(db.0.lock().unwrap().stock[&7], 70);
    assert_eq!(stock(&db, 7).await, 70);
    assert!(queue.dead_letters().await?.is_empty());
    println!("the database has {} rows", db.0.lock().unwrap().stock.len());
    Ok(())
}

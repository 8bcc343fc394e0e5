//! A worker beside the service, and a nightly job that several machines have in their crontab.
//!
//! ```text
//! cargo run -p recipe-jobs
//! REDIS_URL=redis://127.0.0.1 cargo run -p recipe-jobs
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use std::{env, process};

use cached_redis::{Cache, CachedExt as _, invalidates, redis_cached};
use tokio::sync::mpsc::{self, Receiver};
use tokio::time::{MissedTickBehavior, interval, sleep};

/// Stands for a database.
#[derive(Default)]
struct Db {
    price: AtomicU32,
    discounts: AtomicU32,
}

/// Slow, so that nobody should wait for it.
#[redis_cached(key = "report", ttl = "1h", skip(db))]
async fn report(db: &Db) -> u32 {
    sleep(Duration::from_millis(50)).await;
    db.price.load(Ordering::SeqCst)
}

#[invalidates("report")]
async fn set_price(db: &Db, cents: u32) {
    db.price.store(cents, Ordering::SeqCst);
}

/// A worker that takes tasks from a queue. What it changes, it invalidates as a handler does.
async fn worker(db: Arc<Db>, mut tasks: Receiver<u32>) {
    while let Some(cents) = tasks.recv().await {
        set_price(&db, cents).await;
    }
}

/// By a timer: loads anew while readers get what is there. One that is late does not make up for it.
async fn refresher(db: Arc<Db>) {
    let mut timer = interval(Duration::from_millis(20)); // 50 minutes, for a TTL of an hour
    timer.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        timer.tick().await;
        report(&db).refreshed().await;
    }
}

/// What cron starts on every machine at the same minute, and one of them does. The lock keeps it until the others have
/// looked; the number of the night, which the database has, is what makes it once for certain.
async fn nightly(db: &Db, cache: &Cache, night: u32) -> Result<bool, cached_redis::Error> {
    let lock = cache.lock("nightly").await?;
    let is_first = db.discounts.fetch_max(night, Ordering::SeqCst) < night; // UPDATE … SET night = $1 WHERE night < $1
    if is_first {
        let cents = db.price.load(Ordering::SeqCst);
        cache.scope(set_price(db, cents * 9 / 10)).await;
    }
    lock.release().await?;
    Ok(is_first)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = env::var("REDIS_URL").unwrap_or_else(|_| "memory://".to_owned());
    let namespace = format!("recipe-jobs-{}", process::id());
    let cache = Cache::builder()
        .url(url)
        .namespace(namespace)
        .build()
        .await?;
    cache.clone().install()?;
    let db = Arc::new(Db::default());

    let (tasks, queue) = mpsc::channel(10);
    let worker = cache.spawn(worker(Arc::clone(&db), queue));
    let refresher = cache.spawn(refresher(Arc::clone(&db)));
    tasks.send(1000).await?;
    while report(&db).await != 1000 {} // until the worker has come to it

    // The same night on three machines.
    let done = tokio::join!(
        nightly(&db, &cache, 1),
        nightly(&db, &cache, 1),
        nightly(&db, &cache, 1)
    );
    let done = [done.0?, done.1?, done.2?]
        .into_iter()
        .filter(|done| *done)
        .count();
    assert_eq!((done, report(&db).await), (1, 900));

    refresher.abort();
    drop(tasks);
    worker.await?;
    println!(
        "jobs: a worker's change is read at once, and of three machines one did the night's work"
    );
    cache.flush().await?; // before a program ends
    Ok(())
}

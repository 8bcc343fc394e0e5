//! A bookshop on a real database, with its queries cached.
//!
//! Many customers and clerks read and write at once. Every value that is read is compared with the
//! newest version whose write had returned when the read began; one that is older is stale.
//!
//! ```text
//! cargo run -p bookshop
//! REDIS_URL=redis://127.0.0.1 cargo run -p bookshop
//! REDIS_URL=redis://127.0.0.1 cargo run -p bookshop -- 600     # for so many seconds: see `scripts/soak`
//! ```
//!
//! * `shop.rs`: the annotated functions, which is all that caching takes
//! * `model.rs`: what they return
//! * `db.rs`: the database, a file of SQLite
//! * `traffic.rs`: what customers and clerks do, and the check of every read
//! * `report.rs`: what came of it
//! * `soak.rs`: what a long run holds on to
//!
//! The exit code is 1 if a read was stale.

mod db;
mod model;
mod report;
mod shop;
mod soak;
mod traffic;

use std::env;
use std::error::Error;
use std::process::{self, ExitCode};
use std::time::Duration;

use cached_redis::{Cache, OnFailover};

use crate::db::Database;
use crate::shop::Shop;
use crate::traffic::Traffic;

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let cache = open_cache().await?;
    println!(
        "The catalogue, from the attributes in shop.rs:\n\n{}",
        cache.catalog()
    );

    let database = Database::create().await?;
    let traffic = Traffic::new(Shop::new(database.clone(), cache.clone()));
    let time = env::args().nth(1).map(|seconds| seconds.parse());
    let time = time.transpose()?.map(Duration::from_secs);
    let watch = time.map(|time| soak::watch(cache.clone(), time));
    let took = traffic.run(time).await?;
    database.close().await;
    cache.flush().await?;
    if let Some(watch) = watch {
        watch.await?;
    }

    let fine = report::print(&traffic, &cache.stats(), took);
    Ok(if fine {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// In this process, or on Redis where `REDIS_URL` says so.
async fn open_cache() -> Result<Cache, cached_redis::Error> {
    let url = env::var("REDIS_URL").unwrap_or_else(|_| "memory://".to_owned());
    let cache = Cache::builder()
        .url(url)
        // The database is new in every run, so its entries must not meet those of another run.
        .namespace(format!("bookshop-{}", process::id()))
        // Loads are checked here, not the patience of the machine.
        .deadline(Duration::from_secs(2))
        .on_failover(OnFailover::Epoch)
        .guarded(true)
        .event_stream(1000)
        .require_connection(true)
        .build()
        .await?;
    cache.clone().install()?;
    Ok(cache)
}

//! A stock that lives in the cache: 200 customers reserve at once what there are 100 pieces of, in four
//! processes' worth of caches, and exactly 100 get one.
//!
//! ```text
//! cargo run --example inventory
//! REDIS_URL=redis://127.0.0.1 cargo run --example inventory
//! ```
//!
//! It needs no server: without `REDIS_URL` the cache lives in this process.

use std::env;
use std::time::{Duration, Instant};

use cached_redis::{Cache, Error, Policy};
use tokio::task::JoinSet;

const PIECES: u32 = 100;
const CUSTOMERS: usize = 200;

const STOCK: Policy = Policy::new().ttl(Duration::from_secs(3600));
const KEY: &str = "stock:teapot";

/// Why a customer goes without.
#[derive(Debug)]
enum Refusal {
    SoldOut,
    /// The cache could not say; ask again.
    Cache(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Cache(error)
    }
}

/// Takes one piece and says how many are left. The closure runs again, with the new stock, whenever
/// another customer was faster.
async fn reserve(cache: Cache) -> Result<u32, Refusal> {
    let one_less = |stock: Option<u32>| {
        let stock = stock.unwrap_or(0);
        stock.checked_sub(1).ok_or(Refusal::SoldOut)
    };
    cache.entry(KEY).policy(&STOCK).update(one_less).await
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    tracing_subscriber::fmt().init(); // or the cache's warnings go nowhere
    let url = env::var("REDIS_URL").unwrap_or_else(|_| "memory://inventory".to_owned());
    let builder = Cache::builder().url(url).namespace("inventory");
    let mut caches = Vec::new();
    for _ in 0..4 {
        caches.push(builder.clone().build().await?);
    }
    let stocked = |_: Option<u32>| Ok::<_, Error>(PIECES);
    caches[0].entry(KEY).policy(&STOCK).update(stocked).await?;

    let started = Instant::now();
    let customers = caches.iter().cycle().take(CUSTOMERS);
    let customers: JoinSet<_> = customers.cloned().map(reserve).collect();
    let answers = customers.join_all().await;

    let sold = answers.iter().filter(|answer| answer.is_ok()).count();
    let sold_out = |answer: &&Result<_, _>| matches!(answer, Err(Refusal::SoldOut));
    let refused = answers.iter().filter(sold_out).count();
    println!(
        "{CUSTOMERS} customers, {PIECES} pieces, {:.1?}",
        started.elapsed()
    );
    println!("sold: {sold}, sold out: {refused}");
    for answer in &answers {
        if let Err(Refusal::Cache(error)) = answer {
            println!("undecided: {error}");
        }
    }
    let overtaken: u64 = caches
        .iter()
        .map(|cache| cache.stats().total().refused_fills)
        .sum();
    println!("attempts that another customer overtook: {overtaken}");
    println!("left: {:?}", caches[0].get::<u32>(KEY).await?);
    Ok(())
}

//! A span for each load and each invalidation, none for a hit, and no key in any of them.

use std::collections::HashMap;

use cached_redis::{invalidates, redis_cached};
use tracing::Level;

use crate::support::{Log, World, filled};

#[redis_cached(ttl = 60, key = "spans:<secret>")]
async fn read(secret: &str) -> usize {
    tracing::info!("inside");
    secret.len()
}

#[redis_cached(ttl = 60, key = "spans:batch:<id>", batch(id in ids))]
async fn read_all(ids: &[u64]) -> HashMap<u64, u64> {
    ids.iter().map(|id| (*id, *id)).collect()
}

#[invalidates("spans:<secret>")]
async fn write(secret: &str) {
    let _ = secret;
}

fn loads(log: &Log) -> usize {
    let load = concat!(
        "cached_redis::spans cached_redis.load function=\"",
        module_path!(),
        "::read"
    );
    log.count(Level::DEBUG, load)
}

async fn are_told(world: World) {
    let (log, _guard) = Log::collect();
    let cache = world.cache().await;
    cache.scope(read("hush-hush")).await;
    assert_eq!(loads(&log), 1, "{}", log.text());
    filled(&cache, 1).await;
    cache.scope(read("hush-hush")).await;
    assert_eq!(loads(&log), 1, "a hit has none");
    cache.scope(read_all(&[1, 2])).await;
    assert_eq!(loads(&log), 2, "one for a load of many");
    cache.scope(write("hush-hush")).await;
    let invalidation = concat!(
        "cached_redis.invalidation function=\"",
        module_path!(),
        "::write\" keys=1 patterns=0"
    );
    assert_eq!(log.count(Level::DEBUG, invalidation), 1, "{}", log.text());
    assert!(!log.text().contains("hush-hush"), "{}", log.text());
}

#[tokio::test]
async fn of_loads_and_invalidations_in_memory() {
    are_told(World::in_memory()).await;
}

#[tokio::test]
async fn of_loads_and_invalidations_on_redis() {
    are_told(World::on_redis()).await;
}

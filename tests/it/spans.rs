//! A span for each load and each invalidation, none for a hit, and no key in any of them.

use std::collections::HashMap;
use std::pin::pin;
use std::time::Duration;

use cached_redis::{CachedExt as _, Policy, invalidates, redis_cached};
use tracing::Level;

use crate::support::{Log, World, eventually, filled, in_time};

static POLICY: Policy = Policy::new().ttl(Duration::from_secs(60));

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

#[tokio::test]
async fn that_of_a_load_ends_with_the_function_and_not_with_its_fill() {
    let world = World::on_redis();
    let (log, _guard) = Log::collect();
    let cache = world.patient_cache().await;
    let server = world.server().unwrap();
    let load = async || {
        server.freeze();
        Ok::<_, String>(1)
    };
    let mut read = pin!(cache.get_or_fill(&POLICY, "frozen", load).refreshed());
    let ended = async || {
        log.count(
            Level::TRACE,
            "closed DEBUG cached_redis::spans cached_redis.load",
        ) == 1
    };
    tokio::select! {
        _ = &mut read => panic!("its fill is not answered: {}", log.text()),
        () = eventually("the end of the load", ended) => server.thaw(),
    }
    assert_eq!(in_time(read).await, Ok(1));
}

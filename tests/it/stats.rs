//! What a cache counts, function by function.

use cached_redis::{invalidates, redis_cached};

use crate::support::{Source, World, filled, on_both_stores};

on_both_stores!(
    functions_are_counted_apart,
    caches_are_counted_apart,
    the_hit_rate_is_the_share_of_reads_that_did_not_load,
    the_table_shows_the_functions_that_were_called,
);

#[redis_cached(ttl = 60, key = "stats:<id>", skip(source))]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await
}

#[redis_cached(ttl = 60, key = "stats:other:<id>")]
async fn read_other(id: u64) -> u64 {
    id
}

#[invalidates("stats:<a>", "stats:<b>")]
async fn write(a: u64, b: u64) {
    let _ = (a, b);
}

async fn functions_are_counted_apart(world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    cache
        .scope(async {
            for _ in 0..4 {
                read(&source, 1).await;
            }
            read_other(1).await;
            write(1, 2).await;
        })
        .await;
    cache.invalidate("stats:3").await.unwrap();
    filled(&cache, 2).await;
    let stats = cache.stats();
    let read = stats.function("stats::read").unwrap();
    assert_eq!(
        (read.hits, read.misses, read.loads, read.fills),
        (3, 1, 1, 1),
        "{read:?}"
    );
    assert_eq!(
        (read.waits, read.joined, read.bypasses, read.errors),
        (0, 0, 0, 0),
        "{read:?}"
    );
    assert_eq!(stats.function("stats::read_other").unwrap().misses, 1);
    assert_eq!(stats.function("stats::write").unwrap().invalidations, 2);
    assert_eq!(stats.function("(direct)").unwrap().invalidations, 1);
    assert_eq!(stats.function("nobody"), None);
    let total = stats.total();
    assert_eq!((total.hits, total.misses, total.invalidations), (3, 2, 3));
}

async fn caches_are_counted_apart(world: World) {
    let [cache, other] = [world.cache().await, world.cache().await];
    let source = Source::new();
    cache.scope(read(&source, 1)).await;
    filled(&cache, 1).await;
    other.scope(read(&source, 1)).await;
    assert_eq!(
        (cache.stats().total().misses, cache.stats().total().hits),
        (1, 0)
    );
    assert_eq!(
        (other.stats().total().misses, other.stats().total().hits),
        (0, 1)
    );
}

async fn the_hit_rate_is_the_share_of_reads_that_did_not_load(world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    let rate = || cache.stats().function("stats::read").unwrap().hit_rate();
    assert_eq!(rate(), 0.0);
    for _ in 0..4 {
        cache.scope(read(&source, 1)).await;
        filled(&cache, 1).await;
    }
    assert_eq!(rate(), 0.75);
}

async fn the_table_shows_the_functions_that_were_called(world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    cache.scope(read(&source, 1)).await;
    let table = cache.stats().to_string();
    assert!(table.contains("stats::read "), "{table}");
    assert!(!table.contains("read_other"), "{table}");
    assert_eq!(table.lines().count(), 2, "{table}");
}

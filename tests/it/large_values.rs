//! A value that is too large for the store, by the cache's own limit or the server's: it is returned
//! and not kept, nothing older is served in its place, and nobody waits for it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cached_redis::error::StoreError;
use cached_redis::{
    Builder, Cache, CacheInfo, CachedExt as _, Error, Policy, Status, redis_cached, write_through,
};

use crate::support::{World, eventually, filled, in_time, on_both_stores, on_redis};

on_both_stores!(
    a_value_above_the_limit_is_returned_and_not_kept,
    a_value_up_to_the_limit_is_kept,
    what_became_too_large_is_served_neither_old_nor_new,
    what_became_too_large_past_its_ttl_is_not_served_old_any_longer,
    of_a_batch_all_but_the_large_values_are_kept,
    what_is_put_by_hand_and_too_large_is_refused_with_a_type,
    a_large_value_that_is_written_through_invalidates,
);

on_redis!(
    nothing_above_the_limit_is_sent_and_no_lease_is_left,
    a_value_that_the_server_refuses_costs_one_connection_and_then_no_lease,
);

const LIMIT: u64 = 10_000;

/// How large the values of the source are.
#[derive(Clone, Default)]
struct Source(Arc<AtomicUsize>);

impl Source {
    fn of(size: usize) -> Self {
        let source = Self::default();
        source.grow(size);
        source
    }

    fn grow(&self, size: usize) {
        self.0.store(size, Ordering::SeqCst);
    }

    fn load(&self) -> Vec<u8> {
        vec![7; self.0.load(Ordering::SeqCst)]
    }
}

#[redis_cached(ttl = 60, key = "large:<id>", skip(source))]
async fn read(source: &Source, id: u64) -> Vec<u8> {
    source.load()
}

#[redis_cached(
    ttl = 0.05,
    stale_while_revalidate = 600,
    key = "large:stale:<id>",
    skip(source)
)]
async fn read_stale(source: &Source, id: u64) -> Vec<u8> {
    source.load()
}

#[redis_cached(batch(id in ids), ttl = 60, key = "large:batch:<id>")]
async fn read_all(ids: &[u64]) -> HashMap<u64, Vec<u8>> {
    let value = |id: &u64| (*id, vec![7; *id as usize]);
    ids.iter().map(value).collect()
}

#[write_through(ttl = 60, key = "large:<id>", tags = [])]
async fn write(source: &Source, id: u64, size: usize) -> Vec<u8> {
    source.grow(size);
    source.load()
}

fn limited(world: &World) -> Builder {
    world.builder().max_value_bytes(LIMIT)
}

async fn seen(cache: &Cache, source: &Source) -> (usize, Status) {
    let (value, info): (_, CacheInfo) = in_time(cache.scope(read(source, 1).with_info())).await;
    (value.len(), info.status())
}

async fn too_large(cache: &Cache, times: u64) {
    let counted = async || cache.stats().total().too_large >= times;
    eventually("the refusal", counted).await;
}

async fn a_value_above_the_limit_is_returned_and_not_kept(world: World) {
    let caches = [
        limited(&world).build().await.unwrap(),
        limited(&world).build().await.unwrap(),
    ];
    let source = Source::of(20_000);
    assert_eq!(seen(&caches[0], &source).await, (20_000, Status::Miss));
    too_large(&caches[0], 1).await;
    // Again in the same process, without a lease that others would wait for.
    assert_eq!(seen(&caches[0], &source).await, (20_000, Status::Bypass));
    assert_eq!(seen(&caches[1], &source).await, (20_000, Status::Miss));
    let stats = caches[0].stats().total();
    assert_eq!((stats.too_large, stats.fills, stats.errors), (1, 0, 0));
}

async fn a_value_up_to_the_limit_is_kept(world: World) {
    let cache = limited(&world).build().await.unwrap();
    let source = Source::of(9_900);
    assert_eq!(seen(&cache, &source).await, (9_900, Status::Miss));
    filled(&cache, 1).await;
    assert_eq!(seen(&cache, &source).await, (9_900, Status::Hit));
}

async fn what_became_too_large_is_served_neither_old_nor_new(world: World) {
    let cache = limited(&world).build().await.unwrap();
    let source = Source::of(10);
    seen(&cache, &source).await;
    filled(&cache, 1).await;
    source.grow(20_000);
    let refreshed = cache.scope(read(&source, 1).refreshed()).await;
    assert_eq!(refreshed.len(), 20_000);
    assert_eq!(seen(&cache, &source).await, (20_000, Status::Bypass));
    let other = limited(&world).build().await.unwrap();
    assert_eq!(seen(&other, &source).await, (20_000, Status::Miss));
}

async fn what_became_too_large_past_its_ttl_is_not_served_old_any_longer(world: World) {
    let cache = limited(&world).build().await.unwrap();
    let source = Source::of(10);
    let read = async || cache.scope(read_stale(&source, 1)).await.len();
    assert_eq!(read().await, 10);
    filled(&cache, 1).await;
    source.grow(20_000);
    eventually("the large value", async || read().await == 20_000).await;
    assert_eq!(read().await, 20_000);
}

async fn of_a_batch_all_but_the_large_values_are_kept(world: World) {
    let cache = limited(&world).build().await.unwrap();
    let ids = [10, 20_000, 30];
    let values = cache.scope(read_all(&ids)).await;
    assert_eq!(values[&20_000].len(), 20_000);
    filled(&cache, 2).await;
    too_large(&cache, 1).await;
    let loads = cache.stats().total().loads;
    assert_eq!(cache.scope(read_all(&[10, 30])).await.len(), 2);
    assert_eq!(cache.stats().total().loads, loads);
    let values = in_time(cache.scope(read_all(&ids))).await;
    assert_eq!(values[&20_000].len(), 20_000);
    assert_eq!(cache.stats().total().loads, loads + 1);
}

async fn what_is_put_by_hand_and_too_large_is_refused_with_a_type(world: World) {
    let cache = limited(&world).build().await.unwrap();
    let policy = Policy::new().ttl(Duration::from_secs(60));
    let put = cache.put(&policy, "large:put", &vec![7_u8; 20_000]).await;
    assert!(
        matches!(put, Err(Error::Store(StoreError::TooLarge))),
        "{put:?}"
    );
    assert_eq!(cache.stats().total().too_large, 1);
    assert!(
        cache
            .put(&policy, "large:put", &vec![7_u8; 10])
            .await
            .unwrap()
    );
    let grow = |old: Option<Vec<u8>>| Ok::<_, Error>(old.unwrap_or_default().repeat(2_000));
    let updated = cache.entry("large:put").policy(&policy).update(grow).await;
    assert!(
        matches!(updated, Err(Error::Store(StoreError::TooLarge))),
        "{updated:?}"
    );
    let stands: Vec<u8> = cache.get("large:put").await.unwrap().unwrap();
    assert_eq!(stands.len(), 10, "nothing was changed");
}

async fn a_large_value_that_is_written_through_invalidates(world: World) {
    let cache = limited(&world).build().await.unwrap();
    let source = Source::of(10);
    seen(&cache, &source).await;
    filled(&cache, 1).await;
    assert_eq!(cache.scope(write(&source, 1, 20_000)).await.len(), 20_000);
    assert_eq!(seen(&cache, &source).await, (20_000, Status::Bypass));
    let other = limited(&world).build().await.unwrap();
    assert_eq!(seen(&other, &source).await, (20_000, Status::Miss));
    let stats = cache.stats().total();
    assert_eq!((stats.too_large, stats.lost_invalidations), (1, 0));
}

async fn nothing_above_the_limit_is_sent_and_no_lease_is_left(world: World) {
    let cache = limited(&world).build().await.unwrap();
    let server = world.server().unwrap();
    let source = Source::of(20_000);
    server.reset_commands();
    seen(&cache, &source).await;
    let released = async || server.lives().is_empty() && server.commands().contains_key("del");
    eventually("the release", released).await;
    // The one script is the release.
    assert_eq!(server.commands()["evalsha"], 1);
    server.reset_commands();
    for _ in 0..5 {
        seen(&cache, &source).await;
    }
    let sent: Vec<_> = server.commands().into_iter().collect();
    assert_eq!(sent, [("get".to_owned(), 5)]);
}

async fn a_value_that_the_server_refuses_costs_one_connection_and_then_no_lease(world: World) {
    let cache = world.cache().await;
    let server = world.server().unwrap();
    server.run::<()>(&["CONFIG", "SET", "proto-max-bulk-len", "1048576"]);
    let source = Source::of(2_000_000);
    assert_eq!(seen(&cache, &source).await, (2_000_000, Status::Miss));
    too_large(&cache, 1).await;
    let connected = async || cache.stats().store().connected;
    eventually("a connection", connected).await;
    server.reset_commands();
    for _ in 0..5 {
        assert_eq!(seen(&cache, &source).await, (2_000_000, Status::Bypass));
    }
    assert_eq!(server.commands().get("set"), None);
    assert!(cache.stats().store().reconnects <= 1);
    // Others are none the worse.
    source.grow(10);
    let small = async || cache.scope(read(&source, 2).with_info()).await.1.status() == Status::Hit;
    eventually("a hit", small).await;
}

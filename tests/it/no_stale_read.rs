//! A load that an invalidation has overtaken leaves nothing behind, and nobody who comes after
//! the invalidation is served its result.

use cached_redis::{Cache, CachedExt as _, invalidates, redis_cached};
use tokio::task::JoinHandle;

use crate::support::{Source, World, filled, in_time, on_both_stores, refused, waiting};

on_both_stores!(
    a_load_overtaken_by_an_invalidation_is_not_kept,
    a_load_overtaken_by_an_annotated_writer_of_another_process_is_not_kept,
    an_absence_overtaken_by_an_invalidation_is_not_kept,
    a_refresh_overtaken_by_an_invalidation_is_not_kept,
    a_reader_after_the_invalidation_does_not_join_the_overtaken_load,
    a_reader_after_the_invalidation_in_another_process_does_not_wait_for_the_overtaken_load,
    a_reader_that_joins_a_load_overtaken_from_another_process_starts_over,
    readers_that_had_joined_before_the_invalidation_start_over,
    a_load_overtaken_twice_is_not_kept,
);

#[redis_cached(ttl = 60, key = "t1:<id>", skip(source))]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await
}

#[redis_cached(ttl = 60, key = "t1:even:<id>", skip(source))]
async fn read_if_even(source: &Source, id: u64) -> Option<u64> {
    let version = source.load().await;
    version.is_multiple_of(2).then_some(version)
}

#[invalidates("t1:<id>", "t1:even:<id>")]
async fn write(source: &Source, id: u64) {
    source.write();
}

fn reader(cache: &Cache, source: &Source) -> JoinHandle<u64> {
    let source = source.clone();
    cache.spawn(async move { read(&source, 1).await })
}

async fn a_load_overtaken_by_an_invalidation_is_not_kept(world: World) {
    let [cache, other] = [world.cache().await, world.cache().await];
    let source = Source::held();
    let overtaken = reader(&cache, &source);
    source.begun(1).await;

    source.write();
    cache.invalidate("t1:1").await.unwrap();
    source.release();

    assert_eq!(
        overtaken.await.unwrap(),
        1,
        "its own caller gets what it loaded"
    );
    refused(&cache, 1).await;
    assert_eq!(cache.get::<u64>("t1:1").await.unwrap(), None);
    for process in [&cache, &other] {
        assert_eq!(reader(process, &source).await.unwrap(), 2);
    }
    assert_eq!(source.loads(), 2);
}

async fn a_load_overtaken_by_an_annotated_writer_of_another_process_is_not_kept(world: World) {
    let [cache, other] = [world.cache().await, world.cache().await];
    let source = Source::held();
    let overtaken = reader(&cache, &source);
    source.begun(1).await;

    other.scope(write(&source, 1)).await;
    source.release();

    assert_eq!(overtaken.await.unwrap(), 1);
    refused(&cache, 1).await;
    for process in [&other, &cache] {
        assert_eq!(reader(process, &source).await.unwrap(), 2);
    }
}

async fn an_absence_overtaken_by_an_invalidation_is_not_kept(world: World) {
    let cache = world.cache().await;
    let source = Source::held();
    let overtaken = cache.spawn({
        let source = source.clone();
        async move { read_if_even(&source, 1).await }
    });
    source.begun(1).await;

    cache.scope(write(&source, 1)).await;
    source.release();

    assert_eq!(overtaken.await.unwrap(), None);
    refused(&cache, 1).await;
    assert_eq!(cache.scope(read_if_even(&source, 1)).await, Some(2));
}

async fn a_refresh_overtaken_by_an_invalidation_is_not_kept(world: World) {
    for (id, standing) in [(1, false), (2, true)] {
        let cache = world.cache().await;
        let source = Source::new();
        if standing {
            assert_eq!(cache.scope(read(&source, id)).await, 1);
            filled(&cache, 1).await;
        }
        source.hold();
        let overtaken = cache.spawn({
            let source = source.clone();
            async move { read(&source, id).refreshed().await }
        });
        source.begun(1 + usize::from(standing)).await;

        cache.scope(write(&source, id)).await;
        source.release();

        assert_eq!(overtaken.await.unwrap(), 1);
        refused(&cache, 1).await;
        assert_eq!(cache.scope(read(&source, id)).await, 2);
    }
}

async fn a_reader_after_the_invalidation_does_not_join_the_overtaken_load(world: World) {
    let cache = world.cache().await;
    let source = Source::held();
    let overtaken = reader(&cache, &source);
    source.begun(1).await;

    cache.scope(write(&source, 1)).await;
    let late = reader(&cache, &source);
    source.begun(2).await;
    source.release();

    assert_eq!(late.await.unwrap(), 2);
    assert_eq!(overtaken.await.unwrap(), 1);
    refused(&cache, 1).await;
    assert_eq!(reader(&cache, &source).await.unwrap(), 2);
    assert_eq!(source.loads(), 2);
}

async fn a_reader_after_the_invalidation_in_another_process_does_not_wait_for_the_overtaken_load(
    world: World,
) {
    let [cache, other] = [world.cache().await, world.cache().await];
    let source = Source::held();
    let overtaken = reader(&cache, &source);
    source.begun(1).await;

    cache.scope(write(&source, 1)).await;
    let late = reader(&other, &source);
    source.begun(2).await;
    source.release();

    assert_eq!(late.await.unwrap(), 2);
    assert_eq!(overtaken.await.unwrap(), 1);
    refused(&cache, 1).await;
    assert_eq!(reader(&cache, &source).await.unwrap(), 2);
    assert_eq!(source.loads(), 2);
}

async fn a_reader_that_joins_a_load_overtaken_from_another_process_starts_over(world: World) {
    let [cache, other] = [world.cache().await, world.cache().await];
    let source = Source::held();
    let overtaken = reader(&cache, &source);
    source.begun(1).await;

    // Nothing here tells this process, so the late reader takes its seat beside the old load.
    other.scope(write(&source, 1)).await;
    let late = reader(&cache, &source);
    waiting(&cache, 1).await;
    source.release();

    assert_eq!(in_time(late).await.unwrap(), 2);
    assert_eq!(overtaken.await.unwrap(), 1);
}

async fn readers_that_had_joined_before_the_invalidation_start_over(world: World) {
    let cache = world.cache().await;
    let source = Source::held();
    let overtaken = reader(&cache, &source);
    source.begun(1).await;
    let joined: Vec<_> = (0..20).map(|_| reader(&cache, &source)).collect();
    waiting(&cache, 20).await;

    cache.scope(write(&source, 1)).await;
    source.release();

    assert_eq!(overtaken.await.unwrap(), 1);
    for reader in joined {
        assert_eq!(in_time(reader).await.unwrap(), 2);
    }
    assert_eq!(source.loads(), 2, "they share the second load");
}

async fn a_load_overtaken_twice_is_not_kept(world: World) {
    let [cache, other] = [world.cache().await, world.cache().await];
    let source = Source::held();
    let first = reader(&cache, &source);
    source.begun(1).await;
    cache.scope(write(&source, 1)).await;
    let second = reader(&other, &source);
    source.begun(2).await;
    cache.scope(write(&source, 1)).await;
    source.release();

    assert_eq!((first.await.unwrap(), second.await.unwrap()), (1, 2));
    refused(&cache, 1).await;
    refused(&other, 1).await;
    for process in [&cache, &other] {
        assert_eq!(reader(process, &source).await.unwrap(), 3);
    }
}

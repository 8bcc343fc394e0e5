//! Batches whose ids have versions: each is asked for, and its entry judged, as by the function of one id.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cached_redis::{Cache, CachedExt as _, Status, redis_cached};
use tokio::sync::Barrier;

use crate::support::{Source, World, eventually, filled, in_time, on_both_stores};

on_both_stores!(
    an_id_of_another_version_is_loaded_anew_and_the_others_are_hits,
    a_batch_and_the_function_of_one_id_share_their_entries_of_a_version,
    an_id_whose_version_is_unknown_is_loaded_without_the_cache_and_the_others_are_kept,
    ids_of_unknown_versions_wait_for_no_load_without_the_cache,
    a_refreshed_batch_stores_the_versions_that_are_known,
    the_versions_of_all_ids_are_asked_for_at_once,
    a_batch_without_the_cache_asks_for_no_version,
    ids_of_one_key_and_different_versions_are_loaded_without_the_cache,
    an_outer_entry_asks_for_no_version_of_the_batch_that_it_called,
);

type Values = HashMap<u64, u64>;

/// The versions of rows, by their ids.
#[derive(Clone, Default)]
struct Versions(Arc<Mutex<HashMap<u64, u64>>>);

struct Unknown;

impl Versions {
    fn of(ids: &[u64]) -> Self {
        let versions = Self::default();
        ids.iter().for_each(|id| versions.set(*id, Some(1)));
        versions
    }

    fn set(&self, id: u64, version: Option<u64>) {
        let mut versions = self.0.lock().unwrap();
        match version {
            Some(version) => versions.insert(id, version),
            None => versions.remove(&id),
        };
    }

    fn get(&self, id: u64) -> Result<u64, Unknown> {
        self.0.lock().unwrap().get(&id).copied().ok_or(Unknown)
    }
}

async fn load(source: &Source, ids: &[u64]) -> Values {
    let loads = source.load().await;
    ids.iter().map(|id| (*id, loads)).collect()
}

#[redis_cached(
    batch(id in ids),
    ttl = 60,
    key = "batch-versions:<id>",
    version = version_of,
    skip(source, versions)
)]
async fn read(source: &Source, ids: &[u64], versions: &Versions) -> Values {
    let _: &Versions = versions;
    load(source, ids).await
}

#[redis_cached(ttl = 60, key = "batch-versions:<id>", version = version_of, skip(source, versions))]
async fn read_one(source: &Source, id: u64, versions: &Versions) -> Option<u64> {
    let _: &Versions = versions;
    load(source, &[id]).await.remove(&id)
}

async fn version_of(_: &Source, id: u64, versions: &Versions) -> Result<u64, Unknown> {
    versions.get(id)
}

#[redis_cached(ttl = 60, key = "batch-versions:sum", skip(source, versions))]
async fn sum(source: &Source, versions: &Versions) -> u64 {
    read(source, &[1, 2], versions).await.into_values().sum()
}

async fn an_outer_entry_asks_for_no_version_of_the_batch_that_it_called(world: World) {
    let cache = world.patient_cache().await;
    let (source, versions) = (Source::new(), Versions::of(&[1]));
    let sum = async || in_time(cache.scope(sum(&source, &versions))).await;
    // The version of the second id is unknown, which is no matter of the outer entry either.
    assert_eq!(sum().await, 2);
    filled(&cache, 2).await;
    versions.set(1, Some(2));
    source.write();
    assert_eq!(sum().await, 2, "a hit");
    cache.invalidate("batch-versions:sum").await.unwrap();
    assert_eq!(sum().await, 4);
}

async fn status(cache: &Cache, batch: impl Future<Output = Values>) -> (Values, Status) {
    let (values, info) = in_time(cache.scope(batch.with_info())).await;
    (values, info.status())
}

/// The values of ids 1, 2 …
fn all(values: &[u64]) -> Values {
    (1..).zip(values.iter().copied()).collect()
}

/// Reads until all of it is a hit.
async fn kept(cache: &Cache, source: &Source, ids: &[u64], versions: &Versions) -> Values {
    let read = async || status(cache, read(source, ids, versions)).await;
    eventually("hits alone", async || read().await.1 == Status::Hit).await;
    read().await.0
}

async fn an_id_of_another_version_is_loaded_anew_and_the_others_are_hits(world: World) {
    let [cache, other] = [world.patient_cache().await, world.patient_cache().await];
    let (source, versions) = (Source::new(), Versions::of(&[1, 2, 3]));
    assert_eq!(
        kept(&cache, &source, &[1, 2, 3], &versions).await,
        all(&[1, 1, 1])
    );
    source.write();
    versions.set(2, Some(2));
    let found = status(&other, read(&source, &[1, 2, 3], &versions)).await;
    assert_eq!(found, (all(&[1, 2, 1]), Status::Miss));
    filled(&other, 1).await;
    source.write();
    let found = status(&cache, read(&source, &[3, 1, 2], &versions)).await;
    assert_eq!(found, (all(&[1, 2, 1]), Status::Hit));
    assert_eq!(source.loads(), 2);
}

async fn a_batch_and_the_function_of_one_id_share_their_entries_of_a_version(world: World) {
    let [cache, other] = [world.patient_cache().await, world.patient_cache().await];
    let (source, versions) = (Source::new(), Versions::of(&[1, 2]));
    let one = async || {
        let (value, info) = other
            .scope(read_one(&source, 1, &versions).with_info())
            .await;
        (value.unwrap(), info.status())
    };
    kept(&cache, &source, &[1, 2], &versions).await;
    assert_eq!(one().await, (1, Status::Hit));
    source.write();
    versions.set(1, Some(2));
    assert_eq!(one().await, (2, Status::Miss));
    filled(&other, 1).await;
    let batch = status(&cache, read(&source, &[1, 2], &versions)).await;
    assert_eq!(batch, (all(&[2, 1]), Status::Hit));
}

async fn an_id_whose_version_is_unknown_is_loaded_without_the_cache_and_the_others_are_kept(
    world: World,
) {
    let (cache, source, versions) = (world.cache().await, Source::new(), Versions::of(&[1]));
    for loads in 1..=3 {
        let found = status(&cache, read(&source, &[1, 2], &versions)).await;
        assert_eq!(found, (all(&[1, loads]), Status::Bypass));
        filled(&cache, 1).await;
        source.write();
    }
    versions.set(2, Some(1));
    assert_eq!(
        kept(&cache, &source, &[1, 2], &versions).await,
        all(&[1, 4])
    );
    // Nor is what stands there served.
    versions.set(2, None);
    source.write();
    let found = status(&cache, read(&source, &[1, 2], &versions)).await;
    assert_eq!(found, (all(&[1, 5]), Status::Bypass));
}

async fn ids_of_unknown_versions_wait_for_no_load_without_the_cache(world: World) {
    let cache = world.patient().wait_budget(Duration::from_secs(600));
    let cache = cache.build().await.unwrap();
    let (source, versions) = (Source::held(), Versions::of(&[]));
    let calls = [(); 2].map(|()| {
        let (source, versions) = (source.clone(), versions.clone());
        cache.spawn(async move { read(&source, &[1], &versions).await })
    });
    source.begun(2).await;
    source.release();
    for call in calls {
        assert_eq!(in_time(call).await.unwrap(), all(&[1]));
    }
}

async fn a_refreshed_batch_stores_the_versions_that_are_known(world: World) {
    let (cache, source, versions) = (world.cache().await, Source::new(), Versions::of(&[1]));
    for loads in 1..=2 {
        let refreshed = read(&source, &[1, 2], &versions).refreshed();
        let found = status(&cache, refreshed).await;
        assert_eq!(found.0, all(&[loads, loads]));
        let found = status(&cache, read(&source, &[1], &versions)).await;
        assert_eq!(found, (all(&[loads]), Status::Hit));
        source.write();
    }
    versions.set(2, Some(1));
    let found = status(&cache, read(&source, &[1, 2], &versions)).await;
    assert_eq!(found, (all(&[2, 3]), Status::Miss));
}

#[redis_cached(
    batch(id in ids),
    ttl = 60,
    key = "batch-versions:met:<id>",
    version = meet,
    skip(source, barrier)
)]
async fn meeting(source: &Source, ids: &[u64], barrier: &Barrier) -> Values {
    let _: &Barrier = barrier;
    load(source, ids).await
}

async fn meet(_: &Source, _: u64, barrier: &Barrier) -> u64 {
    barrier.wait().await;
    1
}

async fn the_versions_of_all_ids_are_asked_for_at_once(world: World) {
    let (cache, source) = (world.cache().await, Source::new());
    let barrier = Barrier::new(3);
    let found = status(&cache, meeting(&source, &[1, 2, 3], &barrier)).await;
    assert_eq!(found, (all(&[1, 1, 1]), Status::Miss));
}

async fn a_batch_without_the_cache_asks_for_no_version(world: World) {
    let (cache, source) = (world.cache().await, Source::new());
    // Nobody else comes.
    let barrier = Barrier::new(2);
    let found = status(&cache, meeting(&source, &[1], &barrier).uncached()).await;
    assert_eq!(found, (all(&[1]), Status::Bypass));
}

/// Names of rows: the key tells the row alone, and the version the name.
#[redis_cached(
    batch(id in ids),
    ttl = 60,
    key = "batch-versions:named:<id.0>",
    version = version_of_name,
    skip(source)
)]
async fn named(source: &Source, ids: &[(u64, u64)]) -> HashMap<(u64, u64), u64> {
    let loads = source.load().await;
    ids.iter().map(|id| (*id, loads)).collect()
}

async fn version_of_name(_: &Source, (_, name): (u64, u64)) -> u64 {
    name
}

async fn ids_of_one_key_and_different_versions_are_loaded_without_the_cache(world: World) {
    let (cache, source) = (world.cache().await, Source::new());
    let (ada, bob) = ((1, 1), (1, 2));
    cache.scope(named(&source, &[ada])).await;
    filled(&cache, 1).await;
    source.write();
    for ids in [[ada, bob], [bob, ada]] {
        let found = in_time(cache.scope(named(&source, &ids))).await;
        assert_eq!(found, HashMap::from([(ada, 2), (bob, 2)]));
    }
    let found = in_time(cache.scope(named(&source, &[ada]))).await;
    assert_eq!(found[&ada], 1, "its own entry is still there");
}

//! What one invalidation removes goes as one thing: an outer entry that is loaded anew while it runs is
//! not made of an inner one that is yet to go, and kept.
//!
//! The steps of the cache that invalidates are late, so that readers come between them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cached_redis::testing::Faults;
use cached_redis::{Builder, Cache, Invalidation, Policy, invalidates, redis_cached};
use tokio::task::JoinHandle;

use crate::support::{Source, World, eventually, on_both_stores, on_redis, tier};

on_both_stores!(
    a_pattern_of_outer_and_inner_keys,
    outer_keys_and_a_pattern_of_inner_ones,
    inner_keys_and_a_pattern_of_outer_ones,
    patterns_of_outer_and_of_inner_keys_after_a_commit,
    guarded_outer_keys_and_a_pattern_of_inner_ones,
    keys_of_a_guarded_namespace,
    more_keys_than_one_command_takes,
    deferred_keys_and_a_deferred_pattern,
    an_update_waits_for_the_end_of_a_sweep,
);
on_redis!(
    a_sweep_whose_bar_was_lost_is_repeated,
    a_journal_that_overflowed_removes_tags_too,
);

const POLICY: Policy = Policy::new().ttl(Duration::from_secs(600));
pub(crate) const PAIRS: u64 = 24;

#[redis_cached(ttl = 600, key = "one:outer:<id>", skip(source))]
async fn outer(source: &Source, id: u64) -> u64 {
    inner(source, id).await
}

#[redis_cached(ttl = 600, key = "one:inner:<id>", skip(source))]
async fn inner(source: &Source, id: u64) -> u64 {
    let _: u64 = id;
    source.load().await
}

pub(crate) fn outer_keys(count: u64) -> Vec<String> {
    (0..count).map(|id| format!("one:outer:{id}")).collect()
}

pub(crate) fn inner_keys(count: u64) -> Vec<String> {
    (0..count).map(|id| format!("one:inner:{id}")).collect()
}

/// One that invalidates slowly, and one that reads.
pub(crate) struct Scene {
    pub(crate) slow: Cache,
    faults: Faults,
    pub(crate) reader: Cache,
    source: Source,
}

impl Scene {
    pub(crate) async fn new(world: &World, set: impl Fn(Builder) -> Builder) -> Self {
        let faults = Faults::seeded(1).delay(1.0, Duration::from_millis(10));
        let slow = set(world.patient()).faults(faults.clone());
        let scene = Self {
            slow: slow.build().await.unwrap(),
            faults,
            reader: set(world.patient()).build().await.unwrap(),
            source: Source::new(),
        };
        scene.fill().await;
        scene
    }

    /// Enough for several batches, the pairs among them.
    async fn fill(&self) {
        let others: Vec<u64> = (0..tier(600, 2000)).collect();
        let key = |id: &u64| -> String { format!("one:other:{id}") };
        let load = async |ids: Vec<u64>| {
            let loaded = ids.into_iter().map(|id| (id, id));
            Ok::<_, std::io::Error>(loaded.collect::<std::collections::HashMap<_, _>>())
        };
        let filled = self
            .reader
            .entries(others, key)
            .policy(&POLICY)
            .get_or_fill(load)
            .await;
        filled.unwrap();
        for id in 0..PAIRS {
            self.reader.scope(outer(&self.source, id)).await;
        }
    }

    /// Reads all outer entries, over and over.
    fn reading(&self, ended: &Arc<AtomicBool>) -> JoinHandle<()> {
        let (source, ended) = (self.source.clone(), Arc::clone(ended));
        self.reader.spawn(async move {
            while !ended.load(Ordering::Relaxed) {
                for id in 0..PAIRS {
                    outer(&source, id).await;
                }
                tokio::task::yield_now().await;
            }
        })
    }

    pub(crate) async fn leaves_nothing_old(&self, invalidate: impl AsyncFn(&Cache)) {
        let ended = Arc::default();
        let readers = [self.reading(&ended), self.reading(&ended)];
        let version = self.source.write();
        invalidate(&self.slow).await;
        for id in 0..PAIRS {
            let read = self.reader.scope(outer(&self.source, id)).await;
            assert_eq!(read, version, "of {id}");
        }
        ended.store(true, Ordering::Relaxed);
        for reader in readers {
            reader.await.unwrap();
        }
        for id in 0..PAIRS {
            let read = self.reader.scope(outer(&self.source, id)).await;
            assert_eq!(read, version, "of {id}, later");
        }
    }
}

pub(crate) fn plain(builder: Builder) -> Builder {
    builder
}

pub(crate) fn guarded(builder: Builder) -> Builder {
    builder.guarded(true)
}

async fn a_pattern_of_outer_and_inner_keys(world: World) {
    let scene = Scene::new(&world, plain).await;
    scene
        .leaves_nothing_old(async |cache| {
            let removed = cache.invalidation().matching("one:*").send().await;
            assert_eq!(removed.unwrap(), Invalidation::Done);
        })
        .await;
}

#[invalidates("one:inner:*")]
async fn write_inner() {}

#[invalidates("one:outer:*")]
async fn write_outer() {}

async fn outer_keys_and_a_pattern_of_inner_ones(world: World) {
    let scene = Scene::new(&world, plain).await;
    scene
        .leaves_nothing_old(async |cache| {
            let after = cache.after_commit();
            after
                .collect(cache.invalidation().keys(outer_keys(PAIRS)))
                .unwrap();
            after.scope(cache.scope(write_inner())).await;
            assert_eq!(after.commit().await.unwrap(), Invalidation::Done);
        })
        .await;
}

async fn inner_keys_and_a_pattern_of_outer_ones(world: World) {
    let scene = Scene::new(&world, plain).await;
    scene
        .leaves_nothing_old(async |cache| {
            let after = cache.after_commit();
            after.scope(cache.scope(write_outer())).await;
            after
                .collect(cache.invalidation().keys(inner_keys(PAIRS)))
                .unwrap();
            assert_eq!(after.commit().await.unwrap(), Invalidation::Done);
        })
        .await;
}

async fn patterns_of_outer_and_of_inner_keys_after_a_commit(world: World) {
    let scene = Scene::new(&world, plain).await;
    scene
        .leaves_nothing_old(async |cache| {
            let after = cache.after_commit();
            after.scope(cache.scope(write_outer())).await;
            after.scope(cache.scope(write_inner())).await;
            assert_eq!(after.commit().await.unwrap(), Invalidation::Done);
        })
        .await;
}

#[invalidates(
    "one:outer:0",
    "one:outer:1",
    "one:outer:2",
    "one:outer:3",
    guard,
    cache = cache
)]
async fn write_guarded(cache: &Cache) {}

async fn guarded_outer_keys_and_a_pattern_of_inner_ones(world: World) {
    let scene = Scene::new(&world, guarded).await;
    // The others have no writer.
    let others = &outer_keys(PAIRS)[4..];
    scene
        .reader
        .invalidation()
        .keys(others)
        .send()
        .await
        .unwrap();
    scene
        .leaves_nothing_old(async |cache| {
            let after = cache.after_commit();
            let write = async {
                write_guarded(cache).await;
                write_inner().await;
            };
            after.scope(cache.scope(write)).await;
            assert_eq!(after.commit().await.unwrap(), Invalidation::Done);
            cache.invalidation().keys(others).send().await.unwrap();
        })
        .await;
}

async fn keys_of_a_guarded_namespace(world: World) {
    let scene = Scene::new(&world, guarded).await;
    for _ in 0..10 {
        scene
            .leaves_nothing_old(async |cache| {
                let keys = outer_keys(250).into_iter().chain(inner_keys(250));
                let removed = cache.invalidation().keys(keys).send().await;
                assert_eq!(removed.unwrap(), Invalidation::Done);
            })
            .await;
    }
}

async fn more_keys_than_one_command_takes(world: World) {
    let scene = Scene::new(&world, plain).await;
    scene
        .leaves_nothing_old(async |cache| {
            let keys = outer_keys(600).into_iter().chain(inner_keys(600));
            let removed = cache.invalidation().keys(keys).send().await;
            assert_eq!(removed.unwrap(), Invalidation::Done);
        })
        .await;
}

async fn deferred_keys_and_a_deferred_pattern(world: World) {
    let scene = Scene::new(&world, plain).await;
    scene
        .leaves_nothing_old(async |cache| {
            scene.faults.outage(true);
            let outer = cache.invalidation().keys(outer_keys(600));
            let both = outer.matching("one:inner:*").send().await;
            assert_eq!(both.unwrap(), Invalidation::Deferred);
            scene.faults.outage(false);
            cache.flush().await.unwrap();
        })
        .await;
}

/// The value in the cache is the truth here, and no key that matches.
async fn an_update_waits_for_the_end_of_a_sweep(world: World) {
    let scene = Scene::new(&world, plain).await;
    let add = async || {
        let add = |old: Option<u64>| Ok::<_, cached_redis::Error>(old.unwrap_or(0) + 1);
        scene
            .reader
            .entry("one:count")
            .policy(&POLICY)
            .update(add)
            .await
    };
    assert_eq!(add().await.unwrap(), 1);
    let sweep = scene.slow.invalidation().matching("one:*:none").send();
    let sweep = std::pin::pin!(sweep);
    let adding = async {
        for count in 2..50 {
            assert_eq!(add().await.unwrap(), count);
        }
    };
    let (swept, ()) = tokio::join!(sweep, adding);
    assert_eq!(swept.unwrap(), Invalidation::Done);
}

async fn a_sweep_whose_bar_was_lost_is_repeated(mut world: World) {
    let scene = Scene::new(&world, plain).await;
    let sweep = scene.slow.spawn({
        let slow = scene.slow.clone();
        async move { slow.invalidation().matching("one:*").send().await.unwrap() }
    });
    let lost = async || world.redis().run::<usize>(&["DEL", "it:#sweep"]) == 1;
    eventually("the bar", lost).await;
    assert_eq!(sweep.await.unwrap(), Invalidation::Deferred);
    scene.slow.flush().await.unwrap();
    let left = world.redis().lives();
    assert!(left.is_empty(), "{left:?}");
}

async fn a_journal_that_overflowed_removes_tags_too(mut world: World) {
    let scene = Scene::new(&world, |builder| builder.journal_keys(1)).await;
    let load = async || Ok::<_, std::io::Error>(1);
    scene
        .reader
        .entry("two")
        .policy(&POLICY)
        .tags(["kind"])
        .get_or_fill(load)
        .await
        .unwrap();
    scene.faults.outage(true);
    scene.slow.invalidate_tag("kind").await.unwrap();
    scene.slow.invalidate("one:other:1").await.unwrap();
    assert!(scene.slow.stats().pending_invalidations().namespace);
    scene.faults.outage(false);
    scene.slow.flush().await.unwrap();
    let left = world.redis().lives();
    assert!(left.is_empty(), "{left:?}");
}

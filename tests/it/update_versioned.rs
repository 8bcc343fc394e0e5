//! `cache.update_versioned`: writers of one key come one after the other, each with a greater version,
//! and its entry is invalidated however they end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cached_redis::{Cache, Error, Policy};
use tokio::task::JoinSet;

use crate::support::{World, eventually, in_time, on_both_stores, poll_once};

const POLICY: Policy = Policy::new().ttl(Duration::from_secs(60));
const KEY: &str = "price:1";

on_both_stores!(
    versions_grow_in_the_order_of_the_writes,
    the_entry_is_invalidated_after_a_success,
    the_entry_is_invalidated_after_an_error,
    the_entry_is_invalidated_after_a_panic,
    the_entry_is_invalidated_when_the_caller_is_dropped,
    without_the_lock_nothing_runs_and_nothing_is_invalidated,
);

#[derive(Debug)]
enum DbError {
    Refused,
    Cache(Error),
}

impl From<Error> for DbError {
    fn from(error: Error) -> Self {
        Self::Cache(error)
    }
}

/// A process, and an entry that its writers make outdated.
async fn cached(world: &World) -> Cache {
    let budget = Duration::from_secs(60);
    let cache = world.patient().wait_budget(budget).build().await.unwrap();
    cache.put(&POLICY, KEY, &1_u64).await.unwrap();
    cache
}

async fn is_cached(cache: &Cache) -> bool {
    cache.get::<u64>(KEY).await.unwrap().is_some()
}

async fn versions_grow_in_the_order_of_the_writes(world: World) {
    // The store in memory lives as long as this one does.
    let _keeper = world.cache().await;
    let row = Arc::new(Mutex::new(Vec::new()));
    let (running, mut writers) = (Arc::new(AtomicUsize::new(0)), JoinSet::new());
    for _ in 0..3 {
        let cache = cached(&world).await;
        for _ in 0..5 {
            let (cache, row, running) = (cache.clone(), row.clone(), running.clone());
            writers.spawn(async move {
                let write = async |version| {
                    assert_eq!(running.fetch_add(1, Ordering::SeqCst), 0, "one at a time");
                    tokio::task::yield_now().await;
                    row.lock().unwrap().push(version);
                    running.fetch_sub(1, Ordering::SeqCst);
                    Ok::<_, Error>(())
                };
                in_time(cache.update_versioned(KEY, write)).await.unwrap();
            });
        }
    }
    writers.join_all().await;
    let versions = row.lock().unwrap().clone();
    assert_eq!(versions.len(), 15);
    assert!(versions.is_sorted_by(|a, b| a < b), "{versions:?}");
}

async fn the_entry_is_invalidated_after_a_success(world: World) {
    let cache = cached(&world).await;
    let write = async |_| {
        assert!(is_cached(&cache).await, "not before the write");
        Ok::<_, DbError>("written")
    };
    let written = cache.update_versioned(KEY, write).await;
    assert_eq!(written.unwrap(), "written");
    assert!(!is_cached(&cache).await);
}

async fn the_entry_is_invalidated_after_an_error(world: World) {
    let cache = cached(&world).await;
    let refuse = async |_| Err::<(), _>(DbError::Refused);
    let refused = cache.update_versioned(KEY, refuse).await;
    assert!(matches!(refused, Err(DbError::Refused)));
    assert!(!is_cached(&cache).await);
}

async fn the_entry_is_invalidated_after_a_panic(world: World) {
    let cache = cached(&world).await;
    let writer = tokio::spawn({
        let cache = cache.clone();
        let panic = async |_| -> Result<(), Error> { panic!("asked to") };
        async move { cache.update_versioned(KEY, panic).await }
    });
    assert!(writer.await.is_err_and(|error| error.is_panic()));
    free_and_invalidated(&cache).await;
}

async fn the_entry_is_invalidated_when_the_caller_is_dropped(world: World) {
    let cache = cached(&world).await;
    let begun = AtomicUsize::new(0);
    {
        let write = async |_| {
            begun.fetch_add(1, Ordering::SeqCst);
            std::future::pending::<Result<(), Error>>().await
        };
        let mut writer = Box::pin(cache.update_versioned(KEY, write));
        let runs = async || {
            assert!(poll_once(writer.as_mut()).is_pending());
            begun.load(Ordering::SeqCst) == 1
        };
        eventually("the write to begin", runs).await;
    }
    free_and_invalidated(&cache).await;
}

/// Nobody has waited for it, so it may take a moment.
async fn free_and_invalidated(cache: &Cache) {
    let invalidated = async || !is_cached(cache).await;
    eventually("the invalidation", invalidated).await;
    let free = in_time(cache.lock(KEY)).await;
    free.unwrap().release().await.unwrap();
}

async fn without_the_lock_nothing_runs_and_nothing_is_invalidated(world: World) {
    let hasty = world.builder().wait_budget(Duration::from_millis(30));
    let (cache, hasty) = (cached(&world).await, hasty.build().await.unwrap());
    let _held = cache.lock(KEY).await.unwrap();
    let never = async |_| -> Result<(), DbError> { unreachable!() };
    let refused = in_time(hasty.update_versioned(KEY, never)).await;
    assert!(matches!(refused, Err(DbError::Cache(Error::Contended))));
    assert!(is_cached(&cache).await);
}

#[cfg(feature = "testing")]
mod on_a_held_clock {
    use cached_redis::testing::Faults;
    use tokio::sync::oneshot;

    use super::*;

    const LEASE: Duration = Duration::from_secs(3);

    /// A row that takes only greater versions.
    #[derive(Default)]
    struct Row(Mutex<u64>);

    impl Row {
        fn write(&self, version: u64) -> Result<(), DbError> {
            let mut row = self.0.lock().unwrap();
            if version <= *row {
                return Err(DbError::Refused);
            }
            *row = version;
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_writer_that_was_cut_off_cannot_write_over_a_later_one() {
        let (world, faults, row) = (World::in_memory(), Faults::seeded(7), Row::default());
        let cut_off = world
            .builder()
            .faults(faults.clone())
            .build()
            .await
            .unwrap();
        let other = world.cache().await;
        let (go_on, wait) = oneshot::channel::<()>();
        let (begun, begins) = oneshot::channel::<()>();
        let late = cut_off.update_versioned(KEY, async |version| {
            begun.send(()).unwrap();
            wait.await.unwrap();
            row.write(version)
        });
        let next = async {
            begins.await.unwrap();
            faults.outage(true);
            tokio::time::sleep(LEASE).await;
            let write = async |version| row.write(version);
            in_time(other.update_versioned(KEY, write)).await.unwrap();
            go_on.send(()).unwrap();
        };
        let (late, ()) = tokio::join!(late, next);
        assert!(matches!(late, Err(DbError::Refused)));
        assert_eq!(cut_off.stats().total().lost_locks, 1);
    }
}

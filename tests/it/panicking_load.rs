//! A load that panics does so to its own caller only. Waiters go on, and no lock is poisoned.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cached_redis::{Cache, redis_cached};
use tokio::task::JoinHandle;

use crate::support::{Source, World, eventually, in_time, on_both_stores};

on_both_stores!(
    waiters_of_a_panicking_load_go_on,
    the_cache_works_after_a_panic,
    a_panicking_condition_of_storing_releases_the_lease,
);

#[redis_cached(ttl = 60, key = "panicking-load:<id>", skip(source, panics))]
async fn read(source: &Source, id: u64, panics: bool) -> u64 {
    let version = source.load().await;
    assert!(!panics, "this load was asked to panic");
    version
}

static UNLESS_PANICS: AtomicBool = AtomicBool::new(false);

#[redis_cached(ttl = 60, key = "panicking-load:unless:<id>", skip(source), unless = refuse(*result))]
async fn read_unless(source: &Source, id: u64) -> u64 {
    source.load().await
}

fn refuse(_: u64) -> bool {
    assert!(
        !UNLESS_PANICS.swap(false, Ordering::SeqCst),
        "`unless` was asked to panic"
    );
    false
}

fn reader(cache: &Cache, source: &Source, panics: bool) -> JoinHandle<u64> {
    let source = source.clone();
    cache.spawn(async move { read(&source, 1, panics).await })
}

async fn patient(world: &World) -> Cache {
    let builder = world.patient();
    builder
        .wait_budget(Duration::from_secs(1200))
        .build()
        .await
        .unwrap()
}

async fn waiters_of_a_panicking_load_go_on(world: World) {
    let [cache, other] = [patient(&world).await, patient(&world).await];
    let source = Source::held();
    let leader = reader(&cache, &source, true);
    source.begun(1).await;
    let mut waiters: Vec<_> = (0..10).map(|_| reader(&cache, &source, false)).collect();
    waiters.extend((0..10).map(|_| reader(&other, &source, false)));
    let waits = async || {
        [&cache, &other]
            .iter()
            .all(|cache| cache.stats().total().waits == 10)
    };
    eventually("the readers to wait", waits).await;
    source.release();

    assert!(leader.await.is_err_and(|error| error.is_panic()));
    for waiter in waiters {
        assert_eq!(in_time(waiter).await.unwrap(), 1);
    }
    assert_eq!((source.loads(), source.most_at_once()), (2, 1));
}

async fn the_cache_works_after_a_panic(world: World) {
    let cache = patient(&world).await;
    let source = Source::new();
    for _ in 0..10 {
        cache.invalidate("panicking-load:1").await.unwrap();
        let panicked = reader(&cache, &source, true).await;
        assert!(panicked.is_err_and(|error| error.is_panic()));
        assert_eq!(in_time(reader(&cache, &source, false)).await.unwrap(), 1);
        assert_eq!(
            in_time(reader(&cache, &source, true)).await.unwrap(),
            1,
            "a hit"
        );
    }
}

async fn a_panicking_condition_of_storing_releases_the_lease(world: World) {
    // The other store's test of this function must not take the panic away.
    static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let _alone = ONE_AT_A_TIME.lock().await;
    let cache = patient(&world).await;
    let source = Source::new();
    let read = |source: Source| async move { read_unless(&source, 1).await };
    UNLESS_PANICS.store(true, Ordering::SeqCst);
    let panicked = cache.spawn(read(source.clone())).await;
    assert!(panicked.is_err_and(|error| error.is_panic()));
    assert_eq!(in_time(cache.scope(read(source.clone()))).await, 1);
    assert_eq!(source.loads(), 2);
}

//! Values past their TTL that are served because their loads fail.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use cached_redis::{Cache, CachedExt as _, Status, redis_cached};
use tokio::task::JoinHandle;

use crate::support::{Form, Source, World, eventually, expired, filled, in_both_forms, in_time};

in_both_forms!(
    after_a_failed_load_the_old_value_is_served,
    past_the_ttl_callers_wait_for_the_one_load_that_may_succeed,
    callers_who_wait_for_a_load_that_fails_are_served_the_old_value,
    an_invalidated_value_is_never_served_again,
    an_entry_that_is_invalidated_during_its_failing_load_is_not_served,
    those_who_waited_for_an_overtaken_load_start_over,
    a_dropped_caller_hands_the_load_on,
    a_load_that_panics_does_so_to_its_own_caller_only,
    an_outage_of_the_source_sees_one_load_per_throttle,
);

#[redis_cached(
    ttl = 0.05,
    jitter = 0.0,
    stale_if_error = 600,
    key = "sie:<id>",
    skip(source)
)]
async fn read_one(source: &Source, id: u64) -> Result<u64, String> {
    source.try_load().await.ok_or_else(|| "failed".to_owned())
}

#[redis_cached(
    batch(id in ids),
    ttl = 0.05,
    jitter = 0.0,
    stale_if_error = 600,
    key = "sie:<id>",
    skip(source)
)]
async fn read_many(source: &Source, ids: &[u64]) -> Result<HashMap<u64, u64>, String> {
    let version = source.try_load().await.ok_or_else(|| "failed".to_owned())?;
    Ok(ids.iter().map(|id| (*id, version)).collect())
}

async fn read(form: Form, source: &Source) -> Result<u64, String> {
    match form {
        Form::One => read_one(source, 1).await,
        Form::Batch => read_many(source, &[1]).await.map(|values| values[&1]),
    }
}

const FAILED: Result<u64, &str> = Err("failed");

fn reader(cache: &Cache, form: Form, source: &Source) -> JoinHandle<Result<u64, String>> {
    let source = source.clone();
    cache.spawn(async move { read(form, &source).await })
}

/// An entry that is past its TTL for all `processes`, and a source that has changed since.
async fn outdated(form: Form, processes: &[&Cache]) -> Source {
    let (cache, source) = (processes[0], Source::new());
    assert_eq!(cache.scope(read(form, &source)).await, Ok(1));
    filled(cache, 1).await;
    expired("sie:1", processes.iter().copied()).await;
    source.write();
    source
}

async fn after_a_failed_load_the_old_value_is_served(world: World, form: Form) {
    let build = || world.builder().throttle(Duration::from_secs(600)).build();
    let [cache, other] = [build().await.unwrap(), build().await.unwrap()];
    let source = outdated(form, &[&cache, &other]).await;
    source.fail(usize::MAX);
    for process in [&cache, &other] {
        for _ in 0..10 {
            let (old, info) = process.scope(read(form, &source).with_info()).await;
            assert_eq!((old, info.status()), (Ok(1), Status::Stale));
            assert!(info.age().unwrap() >= Duration::from_millis(50));
        }
    }
    assert_eq!(
        source.loads(),
        2,
        "the source is left alone for the throttle"
    );
}

async fn past_the_ttl_callers_wait_for_the_one_load_that_may_succeed(world: World, form: Form) {
    let [cache, other] = [world.patient_cache().await, world.patient_cache().await];
    let source = outdated(form, &[&cache, &other]).await;
    source.hold();
    let readers: Vec<_> = (0..32)
        .flat_map(|_| [reader(&cache, form, &source), reader(&other, form, &source)])
        .collect();
    source.begun(2).await;
    assert!(readers.iter().all(|reader| !reader.is_finished()));
    source.release();
    for reader in readers {
        assert_eq!(in_time(reader).await.unwrap(), Ok(2));
    }
    assert_eq!(source.most_at_once(), 1);
}

async fn callers_who_wait_for_a_load_that_fails_are_served_the_old_value(world: World, form: Form) {
    let build = || world.patient().throttle(Duration::from_secs(600)).build();
    let [cache, other] = [build().await.unwrap(), build().await.unwrap()];
    let source = outdated(form, &[&cache, &other]).await;
    source.hold();
    source.fail(usize::MAX);
    let readers: Vec<_> = (0..32)
        .flat_map(|_| [reader(&cache, form, &source), reader(&other, form, &source)])
        .collect();
    source.begun(2).await;
    source.release();
    for reader in readers {
        assert_eq!(in_time(reader).await.unwrap(), Ok(1));
    }
    assert_eq!(source.loads(), 2);
}

async fn an_invalidated_value_is_never_served_again(world: World, form: Form) {
    let cache = world.cache().await;
    let source = outdated(form, &[&cache]).await;
    cache.invalidate("sie:1").await.unwrap();
    source.fail(1);
    assert_eq!(
        cache.scope(read(form, &source)).await,
        FAILED.map_err(str::to_owned)
    );
}

async fn an_entry_that_is_invalidated_during_its_failing_load_is_not_served(
    world: World,
    form: Form,
) {
    let build = || world.patient().throttle(Duration::from_millis(1)).build();
    let [cache, other] = [build().await.unwrap(), build().await.unwrap()];
    for process in [&cache, &other] {
        cache.invalidate("sie:1").await.unwrap();
        let source = Source::new();
        let fills = cache.stats().total().fills + 1;
        assert_eq!(cache.scope(read(form, &source)).await, Ok(1));
        filled(&cache, fills).await;
        source.hold();
        source.fail(usize::MAX);
        expired("sie:1", [&cache]).await;
        let failing = reader(&cache, form, &source);
        source.begun(2).await;
        process.invalidate("sie:1").await.unwrap();
        source.release();
        assert_eq!(
            in_time(failing).await.unwrap(),
            FAILED.map_err(str::to_owned)
        );
        let later = in_time(process.scope(read(form, &source))).await;
        assert_eq!(later, FAILED.map_err(str::to_owned));
    }
}

async fn those_who_waited_for_an_overtaken_load_start_over(world: World, form: Form) {
    let [cache, other] = [world.patient_cache().await, world.patient_cache().await];
    let source = outdated(form, &[&cache, &other]).await;
    source.hold();
    let overtaken = reader(&cache, form, &source);
    source.begun(2).await;
    let waiters: Vec<_> = (0..20).map(|_| reader(&cache, form, &source)).collect();
    tokio::task::yield_now().await;
    source.write();
    other.invalidate("sie:1").await.unwrap();
    // Nothing here tells this process, so a late reader may take its seat beside the old load.
    let late = reader(&cache, form, &source);
    source.release();
    in_time(overtaken).await.unwrap().unwrap();
    assert_eq!(in_time(late).await.unwrap(), Ok(3));
    for waiter in waiters {
        assert_eq!(in_time(waiter).await.unwrap(), Ok(3));
    }
}

async fn a_dropped_caller_hands_the_load_on(world: World, form: Form) {
    let [cache, other] = [world.patient_cache().await, world.patient_cache().await];
    let source = outdated(form, &[&cache, &other]).await;
    source.hold();
    for loads in 2..6 {
        let leader = reader(&cache, form, &source);
        source.begun(loads).await;
        leader.abort();
        assert!(leader.await.is_err_and(|error| error.is_cancelled()));
    }
    source.release();
    assert_eq!(in_time(reader(&other, form, &source)).await.unwrap(), Ok(2));
    assert_eq!(source.most_at_once(), 1);
}

#[redis_cached(
    ttl = 0.05,
    jitter = 0.0,
    stale_if_error = 600,
    key = "sie:<id>",
    skip(source)
)]
async fn panicking_one(source: &Source, id: u64) -> Result<u64, String> {
    source.load().await;
    panic!("the load of {id} was asked to panic");
}

#[redis_cached(
    batch(id in ids),
    ttl = 0.05,
    jitter = 0.0,
    stale_if_error = 600,
    key = "sie:<id>",
    skip(source)
)]
async fn panicking_many(source: &Source, ids: &[u64]) -> Result<HashMap<u64, u64>, String> {
    source.load().await;
    panic!("the load of {ids:?} was asked to panic");
}

async fn panicking(form: Form, source: &Source) {
    match form {
        Form::One => drop(panicking_one(source, 1).await),
        Form::Batch => drop(panicking_many(source, &[1]).await),
    }
}

async fn a_load_that_panics_does_so_to_its_own_caller_only(world: World, form: Form) {
    let cache = world.patient_cache().await;
    let source = outdated(form, &[&cache]).await;
    source.hold();
    let panics = cache.spawn({
        let source = source.clone();
        async move { panicking(form, &source).await }
    });
    source.begun(2).await;
    let waiters: Vec<_> = (0..10).map(|_| reader(&cache, form, &source)).collect();
    source.release();
    assert!(in_time(panics).await.is_err_and(|error| error.is_panic()));
    for waiter in waiters {
        assert_eq!(in_time(waiter).await.unwrap(), Ok(2));
    }
    assert_eq!(source.most_at_once(), 1);
}

/// The pause between two loads is a lower bound that no slow machine shortens.
async fn an_outage_of_the_source_sees_one_load_per_throttle(world: World, form: Form) {
    const THROTTLE: Duration = Duration::from_millis(60);
    /// The server counts in whole milliseconds.
    const ROUNDING: Duration = Duration::from_millis(2);
    let build = || world.patient().throttle(THROTTLE).build();
    let caches = [build().await.unwrap(), build().await.unwrap()];
    let source = outdated(form, &caches.each_ref()).await;
    source.fail(usize::MAX);
    let began = Instant::now();
    let mut starts = Vec::new();
    while source.loads() < 11 {
        for cache in &caches {
            let before = source.loads();
            assert_eq!(cache.scope(read(form, &source)).await, Ok(1));
            if source.loads() > before {
                starts.push(Instant::now());
            }
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(starts.len(), 10, "ten loads that failed");
    assert!(began.elapsed() >= 9 * (THROTTLE - ROUNDING));
    assert_eq!(source.most_at_once(), 1);
    source.fail(0);
    let new = async || caches[1].scope(read(form, &source)).await == Ok(2);
    eventually("the end of the outage", new).await;
}

#[cfg(feature = "testing")]
mod with_a_held_clock {
    use cached_redis::testing::HeldClock;

    use super::*;

    #[redis_cached(
        ttl = 10,
        jitter = 0.0,
        stale_if_error = 1000,
        key = "sie:held:<id>",
        skip(source)
    )]
    async fn read_one(source: &Source, id: u64) -> Result<u64, String> {
        source.try_load().await.ok_or_else(|| "failed".to_owned())
    }

    #[redis_cached(
        batch(id in ids),
        ttl = 10,
        jitter = 0.0,
        stale_if_error = 1000,
        key = "sie:held:<id>",
        skip(source)
    )]
    async fn read_many(source: &Source, ids: &[u64]) -> Result<HashMap<u64, u64>, String> {
        let version = source.try_load().await.ok_or_else(|| "failed".to_owned())?;
        Ok(ids.iter().map(|id| (*id, version)).collect())
    }

    async fn read(form: Form, source: &Source) -> Result<u64, String> {
        match form {
            Form::One => read_one(source, 1).await,
            Form::Batch => read_many(source, &[1]).await.map(|values| values[&1]),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn beyond_the_window_the_error_is_the_callers() {
        for form in Form::BOTH {
            let (clock, cache) = (HeldClock::new(), World::in_memory().cache().await);
            let source = Source::new();
            let read = async || cache.scope(read(form, &source).with_info()).await;
            assert_eq!(read().await.0, Ok(1));
            source.fail(usize::MAX);
            clock.advance(Duration::from_millis(1_009_999)).await;
            let (old, info) = read().await;
            assert_eq!((old, info.status()), (Ok(1), Status::Stale));
            assert_eq!(info.age(), Some(Duration::from_millis(1_009_999)));
            clock.advance(Duration::from_millis(1)).await;
            assert_eq!(read().await.0, FAILED.map_err(str::to_owned));
        }
    }

    /// Two processes read every 100 ms; the throttle is 1 s.
    #[tokio::test(start_paused = true)]
    async fn ten_throttles_of_an_outage_are_ten_loads_whatever_the_age_of_the_entry() {
        let ages = [10, 500, 990].into_iter();
        for (age, form) in ages.flat_map(|age| Form::BOTH.map(|form| (age, form))) {
            let (clock, world) = (HeldClock::new(), World::in_memory());
            let caches = [world.cache().await, world.cache().await];
            let source = Source::new();
            assert_eq!(caches[0].scope(read(form, &source)).await, Ok(1));
            clock.advance(Duration::from_secs(age)).await;
            source.fail(usize::MAX);
            for round in 0..100 {
                for cache in &caches {
                    assert_eq!(cache.scope(read(form, &source)).await, Ok(1));
                    clock.settle().await;
                }
                assert_eq!(
                    source.loads(),
                    2 + round / 10,
                    "{form:?}, {age} s, round {round}"
                );
                clock.advance(Duration::from_millis(100)).await;
            }
        }
    }
}

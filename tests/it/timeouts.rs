//! Loads that take too long: given up, or left behind with the old value.

use std::collections::HashMap;
use std::time::Duration;

use cached_redis::error::Timeout;
use cached_redis::{Cache, CachedExt as _, Error, Policy, Status, redis_cached};
use tokio::task::JoinHandle;

use crate::support::{
    Form, Source, World, eventually, expired, filled, in_both_forms, in_time, on_both_stores,
};

on_both_stores!(
    a_call_that_takes_too_long_is_given_up_with_a_typed_error,
    a_load_that_was_given_up_releases_its_lease_at_once,
    those_who_waited_for_a_load_that_was_given_up_go_on,
    a_call_that_waits_for_another_process_too_long_is_given_up,
    without_a_cache_there_is_no_timeout,
);
in_both_forms!(
    after_the_soft_timeout_the_old_value_is_served_and_the_result_arrives_later,
    callers_who_come_while_a_late_load_runs_are_served_the_old_value,
    a_caller_dropped_before_the_soft_timeout_leaves_the_load_running,
    a_load_that_panics_in_time_does_so_to_its_caller,
    a_load_that_fails_in_time_is_answered_with_the_old_value,
    without_an_old_value_a_soft_timeout_does_not_apply,
);

#[derive(Clone, Debug, PartialEq)]
enum DbError {
    Failed,
    TooSlow(Timeout),
}

impl From<Timeout> for DbError {
    fn from(timeout: Timeout) -> Self {
        Self::TooSlow(timeout)
    }
}

#[redis_cached(ttl = 600, timeout = 0.05, key = "hard:<id>", skip(source))]
async fn hard(source: &Source, id: u64) -> Result<u64, DbError> {
    source.try_load().await.ok_or(DbError::Failed)
}

/// The same entry without a limit.
#[redis_cached(ttl = 600, key = "hard:<id>", skip(source))]
async fn patiently(source: &Source, id: u64) -> Result<u64, DbError> {
    source.try_load().await.ok_or(DbError::Failed)
}

#[redis_cached(
    ttl = 0.05,
    jitter = 0.0,
    stale_if_error = 600,
    soft_timeout = 0.05,
    key = "soft:<id>",
    skip(source, panics)
)]
async fn soft_one(source: &Source, id: u64, panics: bool) -> Result<u64, DbError> {
    let version = source.try_load().await.ok_or(DbError::Failed);
    assert!(!panics, "this load was asked to panic");
    version
}

#[redis_cached(
    batch(id in ids),
    ttl = 0.05,
    jitter = 0.0,
    stale_if_error = 600,
    soft_timeout = 0.05,
    key = "soft:<id>",
    skip(source, panics)
)]
async fn soft_many(
    source: &Source,
    ids: &[u64],
    panics: bool,
) -> Result<HashMap<u64, u64>, DbError> {
    let version = source.try_load().await.ok_or(DbError::Failed);
    assert!(!panics, "this load was asked to panic");
    Ok(ids.iter().copied().zip([version?]).collect())
}

async fn soft(form: Form, source: &Source, panics: bool) -> Result<u64, DbError> {
    match form {
        Form::One => soft_one(source, 1, panics).await,
        Form::Batch => soft_many(source, &[1], panics)
            .await
            .map(|values| values[&1]),
    }
}

fn too_slow<T>(result: &Result<T, DbError>) -> bool {
    matches!(result, Err(DbError::TooSlow(timeout)) if timeout.after == Duration::from_millis(50))
}

async fn patient(world: &World) -> Cache {
    let builder = world.patient().wait_budget(Duration::from_secs(1200));
    builder.build().await.unwrap()
}

fn reader(cache: &Cache, source: &Source) -> JoinHandle<Result<u64, DbError>> {
    let source = source.clone();
    cache.spawn(async move { patiently(&source, 1).await })
}

async fn a_call_that_takes_too_long_is_given_up_with_a_typed_error(world: World) {
    let cache = patient(&world).await;
    let source = Source::held();
    let late = in_time(cache.scope(hard(&source, 1))).await;
    assert!(too_slow(&late), "{late:?}");
    let late = late.unwrap_err();
    let DbError::TooSlow(timeout) = late else {
        unreachable!()
    };
    assert_eq!(timeout.to_string(), "no value after 50ms");
    assert_eq!(cache.stats().total().timeouts, 1);
    source.release();
    let in_time = async || cache.scope(hard(&source, 1)).await == Ok(1);
    eventually("a call that is fast enough", in_time).await;
}

async fn a_load_that_was_given_up_releases_its_lease_at_once(world: World) {
    let [cache, other] = [patient(&world).await, patient(&world).await];
    let source = Source::held();
    assert!(too_slow(&in_time(cache.scope(hard(&source, 1))).await));
    source.release();
    assert_eq!(in_time(reader(&other, &source)).await.unwrap(), Ok(1));
    assert_eq!(source.most_at_once(), 1, "the load was dropped");
}

async fn those_who_waited_for_a_load_that_was_given_up_go_on(world: World) {
    let cache = patient(&world).await;
    let source = Source::held();
    let impatient = cache.spawn({
        let source = source.clone();
        async move { hard(&source, 1).await }
    });
    source.begun(1).await;
    let waiters: Vec<_> = (0..10).map(|_| reader(&cache, &source)).collect();
    assert!(too_slow(&in_time(impatient).await.unwrap()));
    source.begun(2).await;
    source.release();
    for waiter in waiters {
        assert_eq!(in_time(waiter).await.unwrap(), Ok(1));
    }
    assert_eq!((source.loads(), source.most_at_once()), (2, 1));
}

async fn a_call_that_waits_for_another_process_too_long_is_given_up(world: World) {
    let [cache, other] = [patient(&world).await, patient(&world).await];
    let source = Source::held();
    let leader = reader(&other, &source);
    source.begun(1).await;
    assert!(too_slow(&in_time(cache.scope(hard(&source, 1))).await));
    source.release();
    assert_eq!(in_time(leader).await.unwrap(), Ok(1));
    assert_eq!(source.loads(), 1);
}

async fn without_a_cache_there_is_no_timeout(world: World) {
    const LONG: Duration = Duration::from_millis(150);
    let source = Source::slow(LONG);
    assert_eq!(hard(&source, 1).await, Ok(1));
    let cache = patient(&world).await;
    assert_eq!(cache.scope(hard(&source, 1).uncached()).await, Ok(1));
}

/// A cache whose entry is past its TTL, and a source that has changed since and is held.
async fn outdated(form: Form, cache: &Cache) -> Source {
    let source = Source::new();
    let fills = cache.stats().total().fills + 1;
    assert_eq!(
        in_time(cache.scope(soft(form, &source, false))).await,
        Ok(1)
    );
    filled(cache, fills).await;
    expired("soft:1", [cache]).await;
    source.write();
    source.hold();
    source
}

async fn late(form: Form, cache: &Cache, source: &Source) {
    let (old, info) = in_time(cache.scope(soft(form, source, false).with_info())).await;
    assert_eq!((old, info.status()), (Ok(1), Status::Stale));
    // On a busy machine the timeout may come before it.
    source.begun(2).await;
}

async fn after_the_soft_timeout_the_old_value_is_served_and_the_result_arrives_later(
    world: World,
    form: Form,
) {
    let [cache, other] = [patient(&world).await, patient(&world).await];
    let source = outdated(form, &cache).await;
    late(form, &cache, &source).await;
    assert_eq!(source.loads(), 2);
    source.release();
    filled(&cache, 2).await;
    let new = async || other.scope(soft(form, &source, false)).await == Ok(2);
    eventually("the new value", new).await;
    assert_eq!(source.most_at_once(), 1);
}

async fn callers_who_come_while_a_late_load_runs_are_served_the_old_value(
    world: World,
    form: Form,
) {
    let [cache, other] = [patient(&world).await, patient(&world).await];
    let source = outdated(form, &cache).await;
    late(form, &cache, &source).await;
    let callers: Vec<_> = (0..20)
        .flat_map(|_| [&cache, &other])
        .map(|cache| {
            let source = source.clone();
            cache.spawn(async move { soft(form, &source, false).await })
        })
        .collect();
    for caller in callers {
        assert_eq!(in_time(caller).await.unwrap(), Ok(1));
    }
    assert_eq!(source.loads(), 2);
}

async fn a_caller_dropped_before_the_soft_timeout_leaves_the_load_running(
    world: World,
    form: Form,
) {
    let cache = patient(&world).await;
    let source = outdated(form, &cache).await;
    let caller = cache.spawn({
        let source = source.clone();
        async move { soft(form, &source, false).await }
    });
    source.begun(2).await;
    caller.abort();
    // Either way: it may have been served just before.
    let _ = caller.await;
    source.release();
    filled(&cache, 2).await;
    assert_eq!(source.loads(), 2);
}

async fn a_load_that_panics_in_time_does_so_to_its_caller(world: World, form: Form) {
    let cache = patient(&world).await;
    let source = outdated(form, &cache).await;
    source.release();
    // The load takes no time, but a busy machine may be late all the same.
    let panicked = async || {
        let caller = cache.spawn({
            let source = source.clone();
            async move { soft(form, &source, true).await }
        });
        match in_time(caller).await {
            Ok(served) => {
                assert_eq!(served, Ok(1));
                false
            }
            Err(error) => error.is_panic(),
        }
    };
    eventually("the panic", panicked).await;
    let new = async || cache.scope(soft(form, &source, false)).await == Ok(2);
    eventually("the next caller's load", new).await;
}

async fn a_load_that_fails_in_time_is_answered_with_the_old_value(world: World, form: Form) {
    let cache = patient(&world).await;
    let source = outdated(form, &cache).await;
    source.fail(usize::MAX);
    source.release();
    late(form, &cache, &source).await;
    let failed = async || cache.stats().total().loads == 2;
    eventually("the failure", failed).await;
}

async fn without_an_old_value_a_soft_timeout_does_not_apply(world: World, form: Form) {
    let cache = patient(&world).await;
    let source = Source::slow(Duration::from_millis(150));
    assert_eq!(cache.scope(soft(form, &source, false)).await, Ok(1));
}

#[tokio::test]
async fn settings_that_cannot_be_meant_are_refused_by_name() {
    let build = async |builder: cached_redis::Builder| builder.build().await.unwrap_err();
    let world = World::in_memory();
    let refused = |error: Error, expected: &str| {
        let Error::Setting { setting, .. } = error else {
            panic!("{error:?}");
        };
        assert_eq!(setting, expected);
    };
    let builder = world.builder().throttle(Duration::ZERO);
    refused(build(builder).await, "throttle");
    let policies = [
        Policy::new().refresh_ahead(0.0),
        Policy::new().refresh_ahead(1.0),
        Policy::new().refresh_ahead(f64::NAN),
        Policy::new().early_expiry(0.0),
        Policy::new().early_expiry(-1.0),
        Policy::new().early_expiry(f64::INFINITY),
        Policy::new().soft_timeout(Duration::ZERO),
    ];
    for policy in policies {
        let policy = policy.ttl(Duration::from_secs(1));
        let builder = world.builder().policy("odd", policy);
        refused(build(builder).await, "policy odd");
    }
}

#[cfg(feature = "testing")]
#[tokio::test(start_paused = true)]
async fn a_reader_whose_old_value_is_invalidated_waits_for_the_new_one_as_everybody_does() {
    for form in Form::BOTH {
        loses_its_old_value(form).await;
    }
}

#[cfg(feature = "testing")]
async fn loses_its_old_value(form: Form) {
    let (clock, world) = (cached_redis::testing::HeldClock::new(), World::in_memory());
    let [cache, other, third] = [
        patient(&world).await,
        patient(&world).await,
        patient(&world).await,
    ];
    let source = outdated(form, &cache).await;
    late(form, &cache, &source).await;
    let reader = |cache: &Cache| {
        let source = source.clone();
        cache.spawn(async move { soft(form, &source, false).await })
    };
    let holds = reader(&other);
    clock.settle().await;
    source.write();
    cache.invalidate("soft:1").await.unwrap();
    let loads = reader(&third);
    source.begun(3).await;
    // The patience of the one who held the old value is over.
    clock.advance(Duration::from_millis(60)).await;
    assert_eq!(source.loads(), 3);
    source.release();
    assert_eq!(in_time(holds).await.unwrap(), Ok(3));
    assert_eq!(in_time(loads).await.unwrap(), Ok(3));
}

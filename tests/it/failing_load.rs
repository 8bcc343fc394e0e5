//! When a load fails, those who waited for it get its error where it can be cloned, and load
//! one at a time where it cannot. No herd follows in either case, and no error is kept.

use std::sync::Arc;

use cached_redis::{Cache, redis_cached};
use tokio::task::JoinHandle;

use crate::support::{Source, World, eventually, in_time, on_both_stores};

const CALLERS: usize = 50;

on_both_stores!(
    callers_who_waited_share_an_error_that_can_be_cloned,
    callers_who_waited_load_one_at_a_time_after_an_error_that_cannot_be_cloned,
    callers_who_waited_share_the_load_after_a_single_failure,
    two_processes_of_failing_callers_load_one_at_a_time,
    an_error_is_not_kept,
);

#[derive(Clone, Debug, PartialEq)]
struct Shareable;

#[derive(Debug, PartialEq)]
struct Unique;

#[redis_cached(ttl = 60, key = "failing-load:shareable:<id>", skip(source))]
async fn shareable(source: &Source, id: u64) -> Result<u64, Shareable> {
    source.try_load().await.ok_or(Shareable)
}

#[redis_cached(ttl = 60, key = "failing-load:unique:<id>", skip(source))]
async fn unique(source: &Source, id: u64) -> Result<u64, Unique> {
    source.try_load().await.ok_or(Unique)
}

async fn waiting(cache: &Cache, readers: usize) {
    let waits = async || cache.stats().total().waits >= readers as u64;
    eventually("the readers to wait", waits).await;
}

/// Starts a leader and, when it loads, the other callers.
macro_rules! callers {
    ($function:ident, $cache:expr, $source:expr) => {{
        let call = || {
            let source: Source = $source.clone();
            $cache.spawn(async move { $function(&source, 1).await })
        };
        let mut callers: Vec<JoinHandle<_>> = vec![call()];
        $source.begun(1).await;
        callers.extend((1..CALLERS).map(|_| call()));
        waiting(&$cache, CALLERS - 1).await;
        callers
    }};
}

async fn callers_who_waited_share_an_error_that_can_be_cloned(world: World) {
    let cache = world.cache().await;
    let source = Source::held();
    source.fail(usize::MAX);
    let callers = callers!(shareable, cache, source);
    source.release();
    for caller in callers {
        assert_eq!(in_time(caller).await.unwrap(), Err(Shareable));
    }
    assert_eq!(source.loads(), 1);
}

async fn callers_who_waited_load_one_at_a_time_after_an_error_that_cannot_be_cloned(world: World) {
    let cache = world.cache().await;
    let source = Source::held();
    source.fail(usize::MAX);
    let callers = callers!(unique, cache, source);
    source.release();
    for caller in callers {
        assert_eq!(in_time(caller).await.unwrap(), Err(Unique));
    }
    assert_eq!((source.loads(), source.most_at_once()), (CALLERS, 1));
}

async fn callers_who_waited_share_the_load_after_a_single_failure(world: World) {
    let cache = world.cache().await;
    let source = Source::held();
    source.fail(1);
    let callers = callers!(unique, cache, source);
    source.release();
    let mut failed = 0;
    for caller in callers {
        failed += usize::from(in_time(caller).await.unwrap().is_err());
    }
    assert_eq!((failed, source.loads(), source.most_at_once()), (1, 2, 1));
}

async fn two_processes_of_failing_callers_load_one_at_a_time(world: World) {
    let [cache, other] = [world.cache().await, world.cache().await];
    let source = Source::held();
    source.fail(usize::MAX);
    let mut callers = callers!(unique, cache, source);
    let others = (0..CALLERS).map(|_| {
        let source = source.clone();
        other.spawn(async move { unique(&source, 1).await })
    });
    callers.extend(others.collect::<Vec<_>>());
    waiting(&other, CALLERS).await;
    source.release();
    for caller in callers {
        assert_eq!(in_time(caller).await.unwrap(), Err(Unique));
    }
    assert_eq!((source.loads(), source.most_at_once()), (2 * CALLERS, 1));
}

async fn an_error_is_not_kept(world: World) {
    let cache = world.cache().await;
    let source = Arc::new(Source::new());
    source.fail(3);
    cache
        .scope(async {
            for _ in 0..3 {
                assert_eq!(shareable(&source, 1).await, Err(Shareable));
            }
            for _ in 0..3 {
                assert_eq!(shareable(&source, 1).await, Ok(1));
            }
        })
        .await;
    assert_eq!(source.loads(), 4);
}

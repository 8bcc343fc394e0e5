//! Warming up: many calls, a bounded number at once, each as fenced as any other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cached_redis::request::Progress;
use cached_redis::{Cache, redis_cached};

use crate::support::{Source, World, eventually, filled, in_time, on_both_stores, on_redis};

on_both_stores!(
    what_is_missing_is_loaded_and_the_rest_left_alone,
    a_refreshing_warm_up_replaces_what_stands,
    no_more_calls_run_at_once_than_allowed,
    an_error_stops_nobody_and_is_kept,
    progress_is_told_after_each_call,
    what_an_invalidation_overtakes_during_a_warm_up_is_not_kept,
    a_dropped_warm_up_hands_its_keys_on,
    batches_are_warmed_up_in_chunks,
);

on_redis!(
    entries_that_were_warmed_together_do_not_expire_together,
    without_the_store_nothing_is_stored_and_that_is_told,
);

#[derive(Clone, Debug, PartialEq)]
struct Failed;

#[redis_cached(ttl = 600, jitter = 0.5, key = "warm:<id>", skip(source))]
async fn get(source: &Source, id: u64) -> Result<u64, Failed> {
    source.try_load().await.ok_or(Failed)
}

#[redis_cached(batch(id in ids), ttl = 600, key = "warm:<id>", skip(source))]
async fn get_all(source: &Source, ids: &[u64]) -> Result<HashMap<u64, u64>, Failed> {
    let version = source.try_load().await.ok_or(Failed)?;
    Ok(ids.iter().map(|id| (*id, version)).collect())
}

fn counts(progress: Progress) -> [usize; 4] {
    let Progress {
        loaded,
        hits,
        bypassed,
        failed,
        ..
    } = progress;
    [loaded, hits, bypassed, failed]
}

async fn stored(cache: &Cache, id: u64) -> Option<u64> {
    cache.get(format!("warm:{id}")).await.unwrap()
}

async fn what_is_missing_is_loaded_and_the_rest_left_alone(world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    cache.scope(get(&source, 3)).await.unwrap();
    filled(&cache, 1).await;
    source.write();
    let warm_up = in_time(cache.warm(0..10, |id| get(&source, id)).into_future()).await;
    assert_eq!(counts(warm_up.calls), [9, 1, 0, 0]);
    assert_eq!((warm_up.calls.done(), warm_up.errors), (10, vec![]));
    filled(&cache, 10).await;
    assert_eq!(
        (stored(&cache, 3).await, stored(&cache, 4).await),
        (Some(1), Some(2))
    );
}

async fn a_refreshing_warm_up_replaces_what_stands(world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    cache.warm(0..3, |id| get(&source, id)).await;
    filled(&cache, 3).await;
    source.write();
    let warm_up = cache.warm(0..4, |id| get(&source, id)).refresh(true).await;
    assert_eq!(counts(warm_up.calls), [4, 0, 0, 0]);
    for id in 0..4 {
        assert_eq!(stored(&cache, id).await, Some(2));
    }
}

async fn no_more_calls_run_at_once_than_allowed(world: World) {
    let cache = world.cache().await;
    for (allowed, most) in [(5, 5), (0, 1)] {
        let source = Source::held();
        let warm_up = cache.spawn({
            let (cache, source) = (cache.clone(), source.clone());
            async move {
                let warm_up = cache.warm(0..20, |id| get(&source, id)).refresh(true);
                warm_up.concurrency(allowed).await
            }
        });
        source.begun(most).await;
        source.release();
        assert_eq!(in_time(warm_up).await.unwrap().calls.loaded, 20);
        assert_eq!((source.loads(), source.most_at_once()), (20, most));
    }
}

async fn an_error_stops_nobody_and_is_kept(world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    source.fail(30);
    let warm_up = cache.warm(0..100, |id| get(&source, id)).await;
    assert_eq!(counts(warm_up.calls), [70, 0, 0, 30]);
    assert_eq!(warm_up.errors, vec![Failed; 16]);
}

async fn progress_is_told_after_each_call(world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    let told = Arc::<Mutex<Vec<_>>>::default();
    let warm_up = cache
        .warm([1, 2, 1], |id| get(&source, id))
        .concurrency(1)
        .on_progress({
            let told = Arc::clone(&told);
            move |progress| told.lock().unwrap().push(progress.done())
        })
        .await;
    assert_eq!(counts(warm_up.calls), [2, 1, 0, 0]);
    assert_eq!(*told.lock().unwrap(), [1, 2, 3]);
}

async fn what_an_invalidation_overtakes_during_a_warm_up_is_not_kept(world: World) {
    let [cache, other] = [world.cache().await, world.cache().await];
    for refresh in [false, true] {
        let source = Source::held();
        let warm_up = cache.spawn({
            let (cache, source) = (cache.clone(), source.clone());
            async move {
                cache
                    .warm(0..4, |id| get(&source, id))
                    .refresh(refresh)
                    .await
            }
        });
        source.begun(4).await;
        source.write();
        other
            .invalidation()
            .keys(["warm:1", "warm:3"])
            .send()
            .await
            .unwrap();
        let before = cache.stats().total();
        source.release();
        assert_eq!(in_time(warm_up).await.unwrap().calls.loaded, 4);
        eventually("the fills", async || {
            let now = cache.stats().total();
            (
                now.fills - before.fills,
                now.refused_fills - before.refused_fills,
            ) == (2, 2)
        })
        .await;
        for (id, kept) in [(0, Some(1)), (1, None), (2, Some(1)), (3, None)] {
            assert_eq!(stored(&cache, id).await, kept);
        }
    }
}

async fn a_dropped_warm_up_hands_its_keys_on(world: World) {
    let cache = world.patient().build().await.unwrap();
    let source = Source::held();
    let warm_up = cache.spawn({
        let (cache, source) = (cache.clone(), source.clone());
        async move { cache.warm(0..3, |id| get(&source, id)).await }
    });
    source.begun(3).await;
    warm_up.abort();
    assert!(warm_up.await.is_err_and(|error| error.is_cancelled()));
    source.release();
    for id in 0..3 {
        assert_eq!(in_time(cache.scope(get(&source, id))).await, Ok(1));
    }
}

async fn batches_are_warmed_up_in_chunks(world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    let ids: Vec<_> = (0..100).collect();
    let warm_up = cache
        .warm(ids.chunks(30), |ids| get_all(&source, ids))
        .await;
    assert_eq!(counts(warm_up.calls), [4, 0, 0, 0]);
    filled(&cache, 100).await;
    assert_eq!(source.loads(), 4);
    let warm_up = cache
        .warm(ids.chunks(50), |ids| get_all(&source, ids))
        .await;
    assert_eq!(counts(warm_up.calls), [0, 2, 0, 0]);
    assert_eq!(cache.scope(get(&source, 99)).await, Ok(1));
}

async fn entries_that_were_warmed_together_do_not_expire_together(mut world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    cache.warm(0..50, |id| get(&source, id)).await;
    filled(&cache, 50).await;
    let lives: Vec<_> = world.redis().lives().into_values().collect();
    let (least, most) = (lives.iter().min().unwrap(), lives.iter().max().unwrap());
    let spread = Duration::from_millis((most - least).unsigned_abs());
    // Of 50 draws from 300 s to 900 s.
    assert!(spread > Duration::from_secs(200), "{spread:?}");
}

async fn without_the_store_nothing_is_stored_and_that_is_told(mut world: World) {
    let cache = world.cache().await;
    world.redis().kill();
    let source = Source::new();
    let warm_up = cache.warm(0..5, |id| get(&source, id)).await;
    assert_eq!(counts(warm_up.calls), [0, 0, 5, 0]);
}

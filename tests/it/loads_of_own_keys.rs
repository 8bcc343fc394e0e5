//! A load that calls, for the very key that it loads, a cached function: the inner call runs beside the
//! cache, since it would wait for itself.

use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::time::Duration;

use cached_redis::{Cache, CachedExt as _, Policy, redis_cached};
use tracing::Level;

use crate::support::{Failed, Log, Source, World, eventually, filled, in_time, on_both_stores};

on_both_stores!(
    a_function_that_calls_itself_for_its_own_key_does_not_wait_for_itself,
    two_functions_that_call_each_other_do_not_wait_for_themselves,
    a_batch_that_calls_the_single_form_does_not_wait_for_itself,
    a_single_read_that_calls_its_batch_does_not_wait_for_itself,
    a_load_by_hand_of_its_own_key_does_not_wait_for_itself,
    a_refreshed_call_of_its_own_key_does_not_wait_for_itself,
    a_load_whose_tag_was_invalidated_meanwhile_does_not_wait_for_itself,
    a_load_in_a_task_of_its_own_does_not_wait_for_itself,
    what_an_inner_call_of_the_same_key_loads_has_its_tags_for_the_outer_one,
    the_same_key_in_another_cache_is_another_entry,
);

const POLICY: Policy = Policy::new().ttl(Duration::from_secs(60));

/// Somebody who waits fails the test.
async fn endless(world: &World) -> Cache {
    let builder = world.patient().wait_budget(Duration::from_secs(1200));
    builder.build().await.unwrap()
}

/// The one entry is that of the outer load; the inner calls have taken no lease.
async fn assert_one_kept(cache: &Cache, key: &str, value: u64, inner: u64) {
    filled(cache, 1).await;
    assert_eq!(cache.get(key).await.unwrap(), Some(value));
    let stats = cache.stats().total();
    let seen = (stats.misses, stats.bypasses, stats.waits);
    assert_eq!(seen, (1, inner, 0), "{stats:?}");
}

#[redis_cached(ttl = 60, key = "own:itself", skip(source, depth))]
async fn itself(source: &Source, depth: u64) -> u64 {
    match depth {
        0 => source.load().await,
        _ => 1 + Box::pin(itself(source, depth - 1)).await,
    }
}

async fn a_function_that_calls_itself_for_its_own_key_does_not_wait_for_itself(world: World) {
    let (cache, source) = (endless(&world).await, Source::new());
    assert_eq!(in_time(cache.scope(itself(&source, 3))).await, 4);
    assert_one_kept(&cache, "own:itself", 4, 3).await;
}

#[redis_cached(ttl = 60, key = "own:ping", skip(source, depth))]
async fn ping(source: &Source, depth: u64) -> u64 {
    match depth {
        0 => source.load().await,
        _ => 1 + Box::pin(pong(source, depth - 1)).await,
    }
}

#[redis_cached(ttl = 60, key = "own:pong", skip(source, depth))]
async fn pong(source: &Source, depth: u64) -> u64 {
    1 + Box::pin(ping(source, depth)).await
}

async fn two_functions_that_call_each_other_do_not_wait_for_themselves(world: World) {
    let (cache, source) = (endless(&world).await, Source::new());
    // ping, pong, ping, pong, ping
    assert_eq!(in_time(cache.scope(ping(&source, 2))).await, 5);
    filled(&cache, 2).await;
    let kept = async |key| cache.get::<u64>(key).await.unwrap();
    assert_eq!(
        (kept("own:ping").await, kept("own:pong").await),
        (Some(5), Some(4))
    );
    let stats = cache.stats().total();
    assert_eq!((stats.misses, stats.bypasses, stats.waits), (2, 3, 0));
}

#[redis_cached(ttl = 60, key = "own:row:<id>", skip(source, depth))]
async fn row(source: &Source, id: u64, depth: u64) -> u64 {
    match depth {
        0 => source.load().await,
        _ => Box::pin(rows(source, &[id, id + 1], depth - 1)).await[&id],
    }
}

#[redis_cached(batch(id in ids), ttl = 60, key = "own:row:<id>", skip(source, depth))]
async fn rows(source: &Source, ids: &[u64], depth: u64) -> HashMap<u64, u64> {
    let mut rows = HashMap::new();
    for id in ids {
        let row = match depth {
            0 => source.load().await,
            _ => Box::pin(row(source, *id, depth - 1)).await,
        };
        rows.insert(*id, row);
    }
    rows
}

async fn a_batch_that_calls_the_single_form_does_not_wait_for_itself(world: World) {
    let (cache, source) = (endless(&world).await, Source::new());
    let all = in_time(cache.scope(rows(&source, &[1, 2, 3], 1))).await;
    assert_eq!(all, HashMap::from([(1, 1), (2, 1), (3, 1)]));
    filled(&cache, 3).await;
    let stats = cache.stats().total();
    assert_eq!((stats.misses, stats.bypasses, stats.waits), (3, 3, 0));
}

async fn a_single_read_that_calls_its_batch_does_not_wait_for_itself(world: World) {
    let (cache, source) = (endless(&world).await, Source::new());
    assert_eq!(in_time(cache.scope(row(&source, 1, 1))).await, 1);
    filled(&cache, 2).await;
    let stats = cache.stats().total();
    // The other row of the batch is loaded and kept as ever.
    assert_eq!((stats.misses, stats.bypasses, stats.waits), (2, 1, 0));
}

async fn by_hand(cache: &Cache, key: &str, source: &Source, depth: u64) -> u64 {
    let load = async || {
        Ok::<_, Infallible>(match depth {
            0 => source.load().await,
            _ => 1 + Box::pin(by_hand(cache, key, source, depth - 1)).await,
        })
    };
    let Ok(value) = cache.get_or_fill(&POLICY, key, load).await;
    value
}

async fn a_load_by_hand_of_its_own_key_does_not_wait_for_itself(world: World) {
    let (cache, source) = (endless(&world).await, Source::new());
    assert_eq!(in_time(by_hand(&cache, "own:hand", &source, 2)).await, 3);
    assert_one_kept(&cache, "own:hand", 3, 2).await;
}

/// There is no flight: the lease alone says that somebody loads.
async fn a_refreshed_call_of_its_own_key_does_not_wait_for_itself(world: World) {
    let (cache, source) = (endless(&world).await, Source::new());
    let refreshed = cache.scope(itself(&source, 2).refreshed());
    assert_eq!(in_time(refreshed).await, 3);
    assert_one_kept(&cache, "own:itself", 3, 2).await;
    cache.invalidate("own:row:1").await.unwrap();
    let refreshed = cache.scope(rows(&source, &[1], 1).refreshed());
    assert_eq!(in_time(refreshed).await, HashMap::from([(1, 1)]));
}

#[redis_cached(
    ttl = 60,
    key = "own:tagged",
    tags = "own:tag",
    cache = cache,
    skip(cache, source, depth)
)]
async fn tagged(cache: &Cache, source: &Source, depth: u64) -> u64 {
    match depth {
        0 => source.load().await,
        _ => {
            // Nobody joins this load any more, and its lease goes on standing.
            cache.invalidate_tag("own:tag").await.unwrap();
            1 + Box::pin(tagged(cache, source, depth - 1)).await
        }
    }
}

async fn a_load_whose_tag_was_invalidated_meanwhile_does_not_wait_for_itself(world: World) {
    let (cache, source) = (endless(&world).await, Source::new());
    assert_eq!(in_time(tagged(&cache, &source, 1)).await, 2);
    assert_eq!(cache.stats().total().waits, 0);
}

#[redis_cached(
    ttl = 0.001,
    jitter = 0.0,
    stale_if_error = 600,
    soft_timeout = 600,
    key = "own:detached",
    skip(source, depth)
)]
async fn detached(source: &Source, depth: u64) -> Result<u64, Failed> {
    match depth {
        0 => Ok(source.load().await),
        _ => boxed_around(source, depth - 1).await,
    }
}

#[redis_cached(ttl = 60, key = "own:around", skip(source, depth))]
async fn around(source: &Source, depth: u64) -> Result<u64, Failed> {
    detached(source, depth).await
}

fn boxed_around(
    source: &Source,
    depth: u64,
) -> Pin<Box<dyn Future<Output = Result<u64, Failed>> + Send + '_>> {
    Box::pin(around(source, depth))
}

/// The outer load waits for one in another task, which calls the outer function.
async fn a_load_in_a_task_of_its_own_does_not_wait_for_itself(world: World) {
    let (cache, source) = (endless(&world).await, Source::new());
    assert!(cache.scope(detached(&source, 0)).await.is_ok());
    filled(&cache, 1).await;
    eventually("the end of the TTL", async || {
        cache.get::<u64>("own:detached").await.unwrap().is_none()
    })
    .await;
    source.write();
    let read = in_time(cache.scope(around(&source, 1))).await;
    assert_eq!(read.unwrap(), 2);
    assert_eq!(cache.stats().total().waits, 0);
}

#[redis_cached(ttl = 60, key = "own:found", skip(source, depth))]
async fn found(source: &Source, depth: u64) -> u64 {
    match depth {
        0 => {
            cached_redis::current().tag("own:found");
            source.load().await
        }
        _ => Box::pin(found(source, depth - 1)).await,
    }
}

async fn what_an_inner_call_of_the_same_key_loads_has_its_tags_for_the_outer_one(world: World) {
    let (cache, source) = (endless(&world).await, Source::new());
    let read = async || in_time(cache.scope(found(&source, 1))).await;
    eventually("an entry with the tag", async || {
        read().await;
        cache.stats().total().hits > 0
    })
    .await;
    let version = source.write();
    cache.invalidate_tag("own:found").await.unwrap();
    assert_eq!(read().await, version);
}

async fn the_same_key_in_another_cache_is_another_entry(world: World) {
    let (outer, source) = (endless(&world).await, Source::new());
    let inner = endless(&World::in_memory()).await;
    let load = async || Ok::<_, Infallible>(by_hand(&inner, "own:both", &source, 0).await);
    let Ok(value) = outer.get_or_fill(&POLICY, "own:both", load).await;
    assert_eq!(value, 1);
    for cache in [&outer, &inner] {
        assert_one_kept(cache, "own:both", 1, 0).await;
    }
}

#[redis_cached(ttl = 60, key = "own:told:<id>", skip(depth))]
async fn told(id: u64, depth: u64) -> u64 {
    match depth {
        0 => id,
        _ => Box::pin(told(id, depth - 1)).await,
    }
}

#[tokio::test]
async fn a_function_that_calls_itself_for_its_own_key_is_told_of_once() {
    let (log, _guard) = Log::collect();
    let cache = World::in_memory().cache().await;
    for id in 0..3 {
        assert_eq!(cache.scope(told(id, 2)).await, id);
    }
    let warnings = log.count(Level::WARN, "own_keys::told");
    assert_eq!(warnings, 1, "{}", log.text());
}

#[tokio::test(start_paused = true)]
async fn a_call_in_a_task_of_its_own_waits_for_the_budget() {
    let cache = World::in_memory().cache().await;
    let inner = cache.clone();
    let spawned = async move || {
        let task = inner.clone().spawn(async move { told(7, 0).await });
        Ok::<_, Infallible>(task.await.unwrap())
    };
    let began = tokio::time::Instant::now();
    let Ok(value) = cache.get_or_fill(&POLICY, "own:told:7", spawned).await;
    assert_eq!((value, began.elapsed().as_secs()), (7, 10));
}

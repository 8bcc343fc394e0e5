//! Entries that are loaded anew before their TTL has passed, so that nobody waits for them.

use std::time::Duration;

use cached_redis::{Cache, CachedExt as _, Status, redis_cached};

use crate::support::{Source, World, eventually, filled, in_time, on_both_stores};

on_both_stores!(
    past_its_share_of_the_ttl_an_entry_is_loaded_anew_behind_its_readers,
    one_of_64_callers_in_each_of_three_processes_refreshes,
    a_refresh_that_fails_leaves_the_entry_and_is_not_tried_again_for_the_throttle,
);

/// Refreshed after 60 ms, and good for 10 minutes.
#[redis_cached(
    ttl = 600,
    jitter = 0.0,
    refresh_ahead = 0.0001,
    key = "ahead:<id>",
    skip(source)
)]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await
}

#[redis_cached(
    ttl = 600,
    jitter = 0.0,
    refresh_ahead = 0.0001,
    key = "ahead:try:<id>",
    skip(source)
)]
async fn try_read(source: &Source, id: u64) -> Result<u64, String> {
    source.try_load().await.ok_or_else(|| "failed".to_owned())
}

/// A source that has changed since `read` was kept, and is loaded anew in vain.
async fn refreshing(cache: &Cache) -> Source {
    let source = Source::new();
    let fills = cache.stats().total().fills + 1;
    assert_eq!(cache.scope(read(&source, 1)).await, 1);
    filled(cache, fills).await;
    source.write();
    source.hold();
    let refreshes = async || {
        assert_eq!(cache.scope(read(&source, 1)).await, 1);
        source.loads() == 2
    };
    eventually("the refresh", refreshes).await;
    source
}

async fn past_its_share_of_the_ttl_an_entry_is_loaded_anew_behind_its_readers(world: World) {
    let cache = world.patient_cache().await;
    let source = refreshing(&cache).await;
    let read = async || cache.scope(read(&source, 1).with_info()).await;
    let (value, info) = read().await;
    assert_eq!(
        (value, info.status()),
        (1, Status::Hit),
        "it is still fresh"
    );
    assert!(info.time_left().unwrap() > Duration::from_secs(1));
    source.release();
    let new = async || {
        let (value, info) = read().await;
        assert_eq!(info.status(), Status::Hit);
        value == 2
    };
    eventually("the new value", new).await;
    let stats = cache.stats().total();
    assert_eq!((stats.misses, stats.stale, stats.waits), (1, 0, 0));
}

async fn one_of_64_callers_in_each_of_three_processes_refreshes(world: World) {
    let caches = [
        world.patient_cache().await,
        world.patient_cache().await,
        world.patient_cache().await,
    ];
    let source = refreshing(&caches[0]).await;
    let callers: Vec<_> = (0..64)
        .flat_map(|_| &caches)
        .map(|cache| {
            let source = source.clone();
            cache.spawn(async move { read(&source, 1).await })
        })
        .collect();
    for caller in callers {
        assert_eq!(in_time(caller).await.unwrap(), 1);
    }
    assert_eq!(source.loads(), 2);
    source.release();
    for cache in &caches {
        let new = async || cache.scope(read(&source, 1)).await == 2;
        eventually("the new value", new).await;
    }
    assert_eq!(source.most_at_once(), 1);
}

async fn a_refresh_that_fails_leaves_the_entry_and_is_not_tried_again_for_the_throttle(
    world: World,
) {
    let build = || world.patient().throttle(Duration::from_secs(600)).build();
    let [cache, other] = [build().await.unwrap(), build().await.unwrap()];
    let source = Source::new();
    assert_eq!(cache.scope(try_read(&source, 1)).await, Ok(1));
    filled(&cache, 1).await;
    source.fail(usize::MAX);
    let read = async |process: &Cache| {
        let (value, info) = process.scope(try_read(&source, 1).with_info()).await;
        assert_eq!((value, info.status()), (Ok(1), Status::Hit));
    };
    let failed = async || {
        read(&cache).await;
        cache.stats().total().loads == 2
    };
    eventually("the refresh to fail", failed).await;
    for _ in 0..200 {
        read(&cache).await;
        read(&other).await;
    }
    assert_eq!(source.loads(), 2);
}

#[cfg(feature = "testing")]
mod with_a_held_clock {
    use cached_redis::testing::{HeldClock, Recorded, Recorder};

    use super::*;

    #[redis_cached(
        ttl = 10,
        jitter = 0.0,
        refresh_ahead = 0.8,
        key = "ahead:held:<id>",
        skip(source)
    )]
    async fn read(source: &Source, id: u64) -> u64 {
        source.load().await
    }

    #[tokio::test(start_paused = true)]
    async fn the_share_is_one_of_the_ttl_of_the_entry() {
        let (clock, recorder) = (HeldClock::new(), Recorder::new());
        let builder = World::in_memory().builder().recorder(recorder.clone());
        let (cache, source) = (builder.build().await.unwrap(), Source::new());
        let read = async || cache.scope(read(&source, 1)).await;
        read().await;
        clock.advance(Duration::from_millis(7_999)).await;
        read().await;
        clock.settle().await;
        assert_eq!(source.loads(), 1);
        clock.advance(Duration::from_millis(1)).await;
        read().await;
        clock.settle().await;
        assert_eq!(source.loads(), 2);
        use Recorded::{Fill, Hit, Load, Miss, Renewing};
        let expected = [Miss, Load, Fill, Hit, Hit, Renewing, Load, Fill];
        assert_eq!(recorder.of("read"), expected);

        // The new entry has a TTL of its own.
        clock.advance(Duration::from_millis(7_999)).await;
        read().await;
        clock.settle().await;
        assert_eq!(source.loads(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_that_nobody_reads_is_not_refreshed() {
        let (clock, cache) = (HeldClock::new(), World::in_memory().cache().await);
        let source = Source::new();
        cache.scope(read(&source, 1)).await;
        clock.advance(Duration::from_secs(20)).await;
        assert_eq!(source.loads(), 1);
        let (_, info) = cache.scope(read(&source, 1).with_info()).await;
        assert_eq!(info.status(), Status::Miss);
    }
}

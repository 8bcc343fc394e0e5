//! Programs that end right after their work: what `flush` has waited for is there for the next one, and
//! without it the next one is held up no longer than a lease.

use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::pin;
use std::thread;
use std::time::Duration;

use cached_redis::{Cache, CachedExt as _, Error, Status, redis_cached};
use tokio::runtime::Builder;

use crate::support::{Source, World, expired, filled, in_time, on_both_stores, poll_once};

on_both_stores!(
    what_one_has_loaded_and_flushed_the_next_one_hits,
    what_one_has_loaded_together_and_flushed_the_next_one_hits,
    what_one_has_refreshed_behind_a_read_and_flushed_the_next_one_finds,
    what_one_has_warmed_up_the_next_one_hits,
    after_a_load_that_failed_and_a_flush_the_next_one_need_not_wait,
    an_invalidation_that_nobody_awaits_is_flushed,
    a_guard_and_a_lock_that_were_dropped_are_flushed,
    without_a_flush_the_next_one_waits_for_the_rest_of_a_lease_at_most,
    a_flush_does_not_wait_for_the_loads_of_others,
    a_flush_that_gives_up_tells_how_much_is_under_way,
);

#[derive(Clone, Debug)]
struct Failed;

#[redis_cached(ttl = 60, key = "short:<id>", skip(source))]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await
}

#[redis_cached(batch(id in ids), ttl = 60, key = "short:<id>", skip(source))]
async fn read_all(source: &Source, ids: &[u64]) -> HashMap<u64, u64> {
    let version = source.load().await;
    ids.iter().map(|id| (*id, version)).collect()
}

#[redis_cached(ttl = 60, key = "short:<id>", skip(source))]
async fn try_read(source: &Source, id: u64) -> Result<u64, Failed> {
    source.try_load().await.ok_or(Failed)
}

#[redis_cached(
    ttl = "50ms",
    stale_while_revalidate = "1h",
    key = "short:<id>",
    skip(source)
)]
async fn read_stale(source: &Source, id: u64) -> u64 {
    source.load().await
}

/// Runs a program: it has a runtime and a cache of its own, which end with it.
fn program<T: Send>(world: &World, main: impl AsyncFnOnce(&Cache) -> T + Send) -> T {
    let builder = world.builder().wait_budget(Duration::from_secs(3600));
    let main = async || main(&builder.build().await.unwrap()).await;
    let runtime = || Builder::new_current_thread().enable_all().build().unwrap();
    let run = || runtime().block_on(async { in_time(main()).await });
    thread::scope(|threads| threads.spawn(run).join().unwrap())
}

/// The next program gets `value` without a load of its own, and at once.
fn hits(world: &World, source: &Source, value: u64) {
    let loads = source.loads();
    program(world, async |cache| {
        let (read, info) = cache.scope(read(source, 1).with_info()).await;
        assert_eq!((read, info.status()), (value, Status::Hit));
        assert_eq!(cache.stats().total().waits, 0);
    });
    assert_eq!(source.loads(), loads);
}

async fn what_one_has_loaded_and_flushed_the_next_one_hits(world: World) {
    // A store in memory lives as long as somebody has it.
    let _keeper = world.cache().await;
    let source = Source::new();
    program(&world, async |cache| {
        cache.scope(read(&source, 1)).await;
        cache.flush().await.unwrap();
    });
    hits(&world, &source, 1);
}

async fn what_one_has_loaded_together_and_flushed_the_next_one_hits(world: World) {
    let _keeper = world.cache().await;
    let source = Source::new();
    program(&world, async |cache| {
        cache.scope(read_all(&source, &[1, 2])).await;
        cache.flush().await.unwrap();
    });
    hits(&world, &source, 1);
}

async fn what_one_has_refreshed_behind_a_read_and_flushed_the_next_one_finds(world: World) {
    let keeper = world.cache().await;
    let source = Source::new();
    keeper.scope(read_stale(&source, 1)).await;
    filled(&keeper, 1).await;
    source.write();
    expired("short:1", [&keeper]).await;
    program(&world, async |cache| {
        let (value, info) = cache.scope(read_stale(&source, 1).with_info()).await;
        assert_eq!((value, info.status()), (1, Status::Stale));
        cache.flush().await.unwrap();
    });
    program(&world, async |cache| {
        assert_eq!(cache.scope(read_stale(&source, 1)).await, 2);
    });
}

async fn what_one_has_warmed_up_the_next_one_hits(world: World) {
    let _keeper = world.cache().await;
    let source = Source::new();
    program(&world, async |cache| {
        let warm = async |id| Ok::<_, Infallible>(read(&source, id).await);
        cache.warm(0..3, warm).await;
    });
    hits(&world, &source, 1);
}

async fn after_a_load_that_failed_and_a_flush_the_next_one_need_not_wait(world: World) {
    let _keeper = world.cache().await;
    let source = Source::new();
    source.fail(1);
    program(&world, async |cache| {
        cache.scope(try_read(&source, 1)).await.unwrap_err();
        cache.flush().await.unwrap();
    });
    program(&world, async |cache| {
        cache.scope(try_read(&source, 1)).await.unwrap();
        assert_eq!(cache.stats().total().waits, 0);
    });
}

async fn an_invalidation_that_nobody_awaits_is_flushed(world: World) {
    let keeper = world.cache().await;
    let source = Source::new();
    keeper.scope(read(&source, 1)).await;
    filled(&keeper, 1).await;
    source.write();
    program(&world, async |cache| {
        assert!(poll_once(pin!(cache.invalidate("short:1"))).is_pending());
        cache.flush().await.unwrap();
    });
    assert_eq!(keeper.scope(read(&source, 1)).await, 2);
}

async fn a_guard_and_a_lock_that_were_dropped_are_flushed(world: World) {
    let keeper = world.builder().guarded(true).build().await.unwrap();
    program(&world, async |_| {
        let cache = world.builder().guarded(true).build().await.unwrap();
        drop(cache.begin_write(["short:1"]).await.unwrap());
        drop(cache.lock("short").await.unwrap());
        cache.flush().await.unwrap();
    });
    drop(keeper.lock_within("short", Duration::ZERO).await.unwrap());
    let (_, info) = keeper.scope(read(&Source::new(), 1).with_info()).await;
    assert_eq!(info.status(), Status::Miss, "nobody bars it");
}

async fn without_a_flush_the_next_one_waits_for_the_rest_of_a_lease_at_most(world: World) {
    let _keeper = world.cache().await;
    let source = Source::new();
    program(&world, async |cache| cache.scope(read(&source, 1)).await);
    // Nobody else ends its wait: the budget is an hour.
    program(&world, async |cache| {
        let (value, info) = cache.scope(read(&source, 1).with_info()).await;
        assert_eq!((value, info.status()), (1, Status::Miss));
        cache.flush().await.unwrap();
    });
    hits(&world, &source, 1);
}

async fn a_flush_does_not_wait_for_the_loads_of_others(world: World) {
    let (cache, source) = (world.cache().await, Source::held());
    let loading = source.clone();
    let load = cache.spawn(async move { read(&loading, 1).await });
    source.begun(1).await;
    in_time(cache.flush()).await.unwrap();
    source.release();
    assert_eq!(load.await.unwrap(), 1);
}

async fn a_flush_that_gives_up_tells_how_much_is_under_way(world: World) {
    let builder = world.builder().flush_timeout(Duration::from_millis(10));
    let (cache, source) = (builder.build().await.unwrap(), Source::new());
    cache.scope(read_stale(&source, 1)).await;
    filled(&cache, 1).await;
    expired("short:1", [&cache]).await;
    source.hold();
    cache.scope(read_stale(&source, 1)).await;
    let unflushed = in_time(cache.flush()).await.unwrap_err();
    assert!(matches!(&unflushed, Error::Unflushed { pending } if pending.tasks == 1));
    assert!(unflushed.to_string().ends_with(", 1 task"), "{unflushed}");
    source.release();
}

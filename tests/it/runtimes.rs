//! A cache outlives the runtime that it was built in, as where a helper of tests builds it once and each
//! test has a runtime of its own.

use std::pin::pin;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use cached_redis::{
    AfterCommit, Cache, CachedExt as _, Invalidation, Status, invalidates, redis_cached,
};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use crate::support::{
    RedisServer, Source, World, eventually, filled, in_time, on_both_stores, on_redis, poll_once,
};

on_redis!(
    a_runtime_without_drivers_is_told_when_the_cache_is_built,
    a_guarded_write_is_finished_though_the_home_of_its_cache_stands_still,
);

on_both_stores!(
    five_runtimes_one_after_the_other_use_one_cache,
    five_runtimes_side_by_side_use_one_cache,
    an_invalidation_whose_runtime_ends_is_sent_from_the_next_one,
    an_invalidation_of_a_pattern_whose_runtime_ends_is_sent_from_the_next_one,
    a_guarded_write_whose_runtime_ends_is_ended_from_the_next_one,
    an_event_whose_runtime_ends_is_sent_from_the_next_one,
    an_invalidation_whose_runtime_stands_still_is_sent_from_the_next_one,
    an_invalidation_of_a_pattern_whose_runtime_stands_still_is_sent_from_the_next_one,
    a_writer_whose_runtime_stands_still_invalidates_from_the_next_one,
    a_commit_whose_runtime_stands_still_is_sent_from_the_next_one,
    a_guarded_write_whose_runtime_stands_still_is_ended_from_the_next_one,
    an_event_whose_runtime_stands_still_is_sent_from_the_next_one,
    the_event_of_a_guarded_write_in_a_commit_whose_runtime_stands_still_is_sent_from_the_next_one,
    a_guarded_write_outlives_the_runtime_that_it_began_in,
    a_guarded_write_is_finished_though_the_runtime_that_it_began_in_stands_still,
    a_fill_ends_for_all_who_wait_for_it_though_the_home_of_its_cache_stands_still,
    events_can_be_subscribed_to_again_once_their_runtime_has_ended,
    warming_up_beside_an_ended_runtime_stores_everything,
    a_load_whose_runtime_ends_leaves_its_key_to_the_next_one,
    a_runtime_that_nobody_drives_holds_nobody_up,
    flushing_brings_to_an_end_what_an_undriven_runtime_has_left,
);

#[redis_cached(ttl = 60, key = "runtimes:<id>", skip(source))]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Runs `test` in a runtime of its own, which ends with it, as `#[tokio::test]` does.
fn tokio_test<T: Send>(test: impl AsyncFnOnce() -> T + Send) -> T {
    let run = || runtime().block_on(async { in_time(test()).await });
    thread::scope(|threads| threads.spawn(run).join().unwrap())
}

/// A cache whose runtime has ended.
fn cache_of_the_past(world: &World) -> Cache {
    tokio_test(async || world.cache().await)
}

/// What a test would do: read, write, invalidate and read again.
async fn exercise(cache: &Cache, source: &Source, id: u64) {
    let before = source.write();
    assert_eq!(cache.invalidate(key(id)).await.unwrap(), Invalidation::Done);
    let loaded = cache.scope(read(source, id)).await;
    assert!(loaded >= before, "{loaded} is older than {before}");
    let hit = async || {
        let (value, info) = cache.scope(read(source, id).with_info()).await;
        assert!(value >= before);
        info.status() == Status::Hit
    };
    eventually("a hit", hit).await;
    let after = source.write();
    assert_eq!(cache.invalidate(key(id)).await.unwrap(), Invalidation::Done);
    let loaded = cache.scope(read(source, id)).await;
    assert!(loaded >= after, "{loaded} is older than {after}");
}

fn key(id: u64) -> String {
    format!("runtimes:{id}")
}

async fn five_runtimes_one_after_the_other_use_one_cache(world: World) {
    let (cache, source) = (cache_of_the_past(&world), Source::new());
    for _ in 0..5 {
        tokio_test(async || {
            exercise(&cache, &source, 1).await;
            cache.flush().await.unwrap();
            eventually("a connection to each server", async || {
                cache.stats().store().connected
            })
            .await;
        });
    }
    let total = cache.stats().total();
    assert_eq!(
        (total.bypasses, total.errors, total.waits),
        (0, 0, 0),
        "{total:?}"
    );
    assert_eq!(total.deferred_invalidations, 0, "{total:?}");
}

async fn five_runtimes_side_by_side_use_one_cache(world: World) {
    let (cache, source) = (cache_of_the_past(&world), Source::new());
    thread::scope(|threads| {
        for id in 0..5 {
            let (cache, source) = (&cache, &source);
            threads.spawn(move || {
                for _ in 0..3 {
                    // The home may end while others use it: that costs loads and nothing else.
                    tokio_test(async || {
                        let value = source.write();
                        cache.invalidate(key(id)).await.unwrap();
                        assert!(cache.scope(read(source, id)).await >= value);
                    });
                }
            });
        }
    });
    tokio_test(async || {
        cache.flush().await.unwrap();
        exercise(&cache, &source, 1).await;
    });
}

/// Has a runtime of its own begin a write and end before it is through.
fn begin_and_end<F: Future>(write: impl FnOnce() -> F + Send) {
    tokio_test(async || assert!(poll_once(pin!(write())).is_pending()));
}

/// A cache of the past that has stored the first value of `source`, and another process.
fn filled_cache(world: &World, source: &Source) -> (Cache, Cache) {
    filled_caches(&world.builder(), source)
}

fn filled_caches(builder: &cached_redis::Builder, source: &Source) -> (Cache, Cache) {
    let builder = || builder.clone().guarded(true);
    let guarded = || tokio_test(async || builder().build().await.unwrap());
    let (cache, other) = (guarded(), guarded());
    tokio_test(async || {
        cache.scope(read(source, 1)).await;
        filled(&cache, 1).await;
    });
    (cache, other)
}

/// What was begun holds from the next call on: here at once, elsewhere when it is flushed.
fn has_arrived(cache: &Cache, other: &Cache, source: &Source) {
    tokio_test(async || {
        assert_eq!(cache.scope(read(source, 1)).await, 2);
        cache.flush().await.unwrap();
        assert!(cache.stats().pending_invalidations().is_empty());
        assert_eq!(other.scope(read(source, 1)).await, 2);
    });
    let total = cache.stats().total();
    let counted = (total.deferred_invalidations, total.lost_invalidations);
    assert_eq!(counted, (1, 0), "{total:?}");
}

async fn an_invalidation_whose_runtime_ends_is_sent_from_the_next_one(world: World) {
    let source = Source::new();
    let (cache, other) = filled_cache(&world, &source);
    source.write();
    begin_and_end(|| cache.invalidate(key(1)));
    has_arrived(&cache, &other, &source);
}

async fn an_invalidation_of_a_pattern_whose_runtime_ends_is_sent_from_the_next_one(world: World) {
    let source = Source::new();
    let (cache, other) = filled_cache(&world, &source);
    source.write();
    begin_and_end(|| cache.invalidation().matching("runtimes:*").send());
    has_arrived(&cache, &other, &source);
}

async fn a_guarded_write_whose_runtime_ends_is_ended_from_the_next_one(world: World) {
    let source = Source::new();
    let (cache, other) = filled_cache(&world, &source);
    tokio_test(async || {
        let _write = cache.begin_write([key(1)]).await.unwrap();
        source.write();
    });
    has_arrived(&cache, &other, &source);
}

async fn an_event_whose_runtime_ends_is_sent_from_the_next_one(world: World) {
    let cache = cache_of_the_past(&world);
    let mut events = cache.events().await;
    begin_and_end(|| cache.invalidation().key(key(1)).publish().send());
    tokio_test(async || cache.flush().await.unwrap());
    let event = in_time(events.next()).await;
    assert!(format!("{event:?}").contains(&key(1)), "{event:?}");
}

/// Has a runtime of its own begin a write and then run nothing any more, as after `block_on(timeout(…))`.
fn begin_and_stand_still<F: Future>(write: impl FnOnce() -> F + Send) {
    let runtime = runtime();
    let begin = || runtime.block_on(async { assert!(poll_once(pin!(write())).is_pending()) });
    thread::scope(|threads| threads.spawn(begin).join().unwrap());
    // It stays for ever: dropped, it would drop what it has left.
    std::mem::forget(runtime);
}

/// What a dropped caller has left holds from the next call on, here and elsewhere.
fn has_been_left(cache: &Cache, other: &Cache, source: &Source) {
    tokio_test(async || {
        assert_eq!(cache.scope(read(source, 1)).await, 2, "here");
        cache.flush().await.unwrap();
        assert!(cache.stats().pending_invalidations().is_empty());
        assert_eq!(other.scope(read(source, 1)).await, 2, "elsewhere");
    });
    assert_eq!(cache.stats().total().lost_invalidations, 0);
}

async fn an_invalidation_whose_runtime_stands_still_is_sent_from_the_next_one(world: World) {
    let source = Source::new();
    let (cache, other) = filled_cache(&world, &source);
    source.write();
    begin_and_stand_still(|| cache.invalidate(key(1)));
    has_been_left(&cache, &other, &source);
}

async fn an_invalidation_of_a_pattern_whose_runtime_stands_still_is_sent_from_the_next_one(
    world: World,
) {
    let source = Source::new();
    let (cache, other) = filled_cache(&world, &source);
    source.write();
    begin_and_stand_still(|| cache.invalidation().matching("runtimes:*").send());
    has_been_left(&cache, &other, &source);
}

#[invalidates("runtimes:<id>")]
async fn write(source: &Source, id: u64) {
    source.write();
    std::future::pending::<()>().await;
}

async fn a_writer_whose_runtime_stands_still_invalidates_from_the_next_one(world: World) {
    let source = Source::new();
    let (cache, other) = filled_cache(&world, &source);
    begin_and_stand_still(|| cache.scope(write(&source, 1)));
    has_been_left(&cache, &other, &source);
}

async fn a_commit_whose_runtime_stands_still_is_sent_from_the_next_one(world: World) {
    let source = Source::new();
    let (cache, other) = filled_cache(&world, &source);
    let commit = async |transaction: AfterCommit| {
        transaction.scope(cache.invalidate(key(1))).await.unwrap();
        source.write();
        transaction.commit().await
    };
    begin_and_stand_still(|| commit(cache.after_commit()));
    has_been_left(&cache, &other, &source);
}

async fn a_guarded_write_whose_runtime_stands_still_is_ended_from_the_next_one(world: World) {
    let source = Source::new();
    let (cache, other) = filled_cache(&world, &source);
    let write = tokio_test(async || cache.begin_write([key(1)]).await.unwrap());
    source.write();
    begin_and_stand_still(|| write.finish());
    has_been_left(&cache, &other, &source);
}

async fn an_event_whose_runtime_stands_still_is_sent_from_the_next_one(world: World) {
    let cache = cache_of_the_past(&world);
    let mut events = cache.events().await;
    begin_and_stand_still(|| cache.invalidation().key(key(1)).publish().send());
    tokio_test(async || cache.flush().await.unwrap());
    let event = in_time(events.next()).await;
    assert!(format!("{event:?}").contains(&key(1)), "{event:?}");
}

#[invalidates("runtimes:1", guard, publish, cache = cache)]
async fn write_guarded(cache: &Cache) {}

async fn the_event_of_a_guarded_write_in_a_commit_whose_runtime_stands_still_is_sent_from_the_next_one(
    world: World,
) {
    let (cache, _) = filled_cache(&world, &Source::new());
    let mut events = cache.events().await;
    let after = cache.after_commit();
    tokio_test(async || {
        after.scope(write_guarded(&cache)).await;
        after.invalidate("another");
    });
    begin_and_stand_still(|| after.commit());
    tokio_test(async || cache.flush().await.unwrap());
    let event = in_time(events.next()).await;
    assert!(format!("{event:?}").contains(&key(1)), "{event:?}");
}

async fn a_guarded_write_outlives_the_runtime_that_it_began_in(world: World) {
    let source = Source::new();
    let (cache, other) = filled_cache(&world, &source);
    let write = tokio_test(async || cache.begin_write([key(1)]).await.unwrap());
    tokio_test(async || {
        // Nothing was sent before the commit.
        assert_eq!(cache.stats().total().deferred_invalidations, 0);
        source.write();
        assert_eq!(write.finish().await.unwrap(), Invalidation::Done);
        assert_eq!(other.scope(read(&source, 1)).await, 2);
    });
    let dropped = tokio_test(async || cache.begin_write([key(1)]).await.unwrap());
    tokio_test(async || {
        source.write();
        drop(dropped);
        cache.flush().await.unwrap();
        assert_eq!(other.scope(read(&source, 1)).await, 3);
    });
}

async fn a_guarded_write_is_finished_though_the_runtime_that_it_began_in_stands_still(
    world: World,
) {
    let source = Source::new();
    // The connection of that runtime answers nobody.
    let builder = world.builder().deadline(Duration::from_secs(2));
    let (cache, other) = filled_caches(&builder, &source);
    let still = runtime();
    let write = thread::scope(|threads| {
        let begun = threads.spawn(|| still.block_on(cache.begin_write([key(1)])));
        begun.join().unwrap().unwrap()
    });
    tokio_test(async || {
        source.write();
        // Where the connection stands still as well, it is deferred.
        write.finish().await.unwrap();
        cache.flush().await.unwrap();
        assert_eq!(other.scope(read(&source, 1)).await, 2);
    });
    std::mem::forget(still);
}

/// A cache, and what stops whoever drives its home, which stays.
fn housed(builder: cached_redis::Builder) -> (Cache, impl FnOnce() + Send) {
    let (stop, stops) = oneshot::channel::<()>();
    let (give, given) = mpsc::channel();
    let driver = thread::spawn(move || {
        let home = runtime();
        home.block_on(async {
            give.send(builder.build().await.unwrap()).unwrap();
            stops.await.unwrap();
        });
        std::mem::forget(home);
    });
    let stand_still = move || {
        stop.send(()).unwrap();
        driver.join().unwrap();
    };
    (given.recv().unwrap(), stand_still)
}

async fn a_guarded_write_is_finished_though_the_home_of_its_cache_stands_still(world: World) {
    // It is noticed by somebody else than the caller.
    let builder = world.builder().guarded(true);
    let (cache, stand_still) = housed(builder.deadline(Duration::from_secs(2)));
    tokio_test(async || {
        let write = cache.begin_write([key(1)]).await.unwrap();
        stand_still();
        let mut finish = pin!(write.finish());
        assert!(poll_once(finish.as_mut()).is_pending());
        let given_up = async || cache.stats().store().timeouts > 0;
        eventually("somebody who gives it up", given_up).await;
        finish.await.unwrap();
        cache.flush().await.unwrap();
    });
}

async fn a_fill_ends_for_all_who_wait_for_it_though_the_home_of_its_cache_stands_still(
    world: World,
) {
    let source = Source::held();
    let builder = world.builder().flush_timeout(Duration::from_secs(5));
    let (cache, stand_still) = housed(builder.deadline(Duration::from_millis(300)));
    let joined = || cache.stats().total().waits == 1;
    tokio_test(async || {
        let changes = async {
            source.begun(1).await;
            eventually("somebody who waits", async || joined()).await;
            stand_still();
            source.release();
        };
        let read = || cache.scope(read(&source, 1));
        let (one, other, ()) = tokio::join!(read(), read(), changes);
        assert_eq!([one, other], [1, 1]);
        cache.flush().await.unwrap();
    });
}

async fn events_can_be_subscribed_to_again_once_their_runtime_has_ended(world: World) {
    let cache = cache_of_the_past(&world);
    let mut events = tokio_test(async || cache.events().await);
    tokio_test(async || {
        let mut again = cache.events().await;
        cache
            .invalidation()
            .key(key(1))
            .publish()
            .send()
            .await
            .unwrap();
        let event = again.next().await;
        assert!(format!("{event:?}").contains(&key(1)), "{event:?}");
    });
    // The former tells its end, or goes on where it needs no runtime.
    tokio_test(async || drop(events.next().await));
}

#[redis_cached(ttl = 60, key = "runtimes:<id>", skip(source))]
async fn read_ok(source: &Source, id: u64) -> Result<u64, String> {
    Ok(source.load().await)
}

async fn warming_up_beside_an_ended_runtime_stores_everything(world: World) {
    let (cache, source) = (cache_of_the_past(&world), Source::new());
    tokio_test(async || {
        let warmed = cache.warm(0..20u64, |id| read_ok(&source, id)).await;
        assert_eq!(warmed.calls.loaded, 20, "{warmed:?}");
        for id in 0..20 {
            let (_, info) = cache.scope(read_ok(&source, id).with_info()).await;
            assert_eq!(info.status(), Status::Hit);
        }
    });
}

async fn a_load_whose_runtime_ends_leaves_its_key_to_the_next_one(world: World) {
    // Nobody waits until such a lease has run out.
    let builder = world.patient().wait_budget(Duration::from_secs(3600));
    let (cache, source) = (
        tokio_test(async || builder.build().await.unwrap()),
        Source::held(),
    );
    tokio_test(async || {
        let loading = source.clone();
        cache.spawn(async move { read(&loading, 1).await });
        source.begun(1).await;
    });
    source.release();
    tokio_test(async || {
        assert_eq!(cache.scope(read(&source, 1)).await, 1);
        let total = cache.stats().total();
        assert_eq!((total.misses, total.bypasses), (2, 0), "{total:?}");
    });
}

#[tokio::test]
async fn reads_that_an_undriven_runtime_has_begun_hold_up_nobody() {
    let server = RedisServer::start();
    let builder = Cache::builder().url(server.url()).namespace("it");
    let cache = builder.deadline(Duration::from_secs(2)).build().await;
    let (cache, source) = (cache.unwrap(), Source::new());
    cache.scope(read(&source, 1)).await;
    filled(&cache, 1).await;
    let (still, cache) = (runtime(), &cache);
    // The second one is to be sent together with whoever joins it.
    let begin = async || {
        let mut begun = [(); 2].map(|()| Box::pin(cache.get::<u64>(key(1))));
        for read in &mut begun {
            assert!(poll_once(read.as_mut()).is_pending());
        }
        begun
    };
    server.freeze();
    let begun = thread::scope(|threads| threads.spawn(|| still.block_on(begin())).join().unwrap());
    server.thaw();
    assert_eq!(cache.get(key(1)).await.unwrap(), Some(1_u64));
    drop(begun);
    still.shutdown_background();
}

async fn a_runtime_without_drivers_is_told_when_the_cache_is_built(world: World) {
    let without: [fn(&mut Builder) -> &mut Builder; 3] =
        [|builder| builder, Builder::enable_time, Builder::enable_io];
    for drivers in without {
        let mut builder = Builder::new_current_thread();
        let runtime = drivers(&mut builder).build().unwrap();
        let world = &world;
        // It ends there too.
        let building = move || runtime.block_on(world.builder().build());
        let built = thread::scope(|threads| threads.spawn(building).join().unwrap());
        let error = built.unwrap_err().to_string();
        assert!(error.contains("enable_all()"), "{error}");
    }
}

/// A cache whose runtime is driven no longer.
fn cache_of_an_undriven(world: &World) -> Cache {
    let runtime = runtime();
    let builder = world.builder().deadline(Duration::from_millis(50));
    let cache = thread::scope(|threads| {
        let built = threads.spawn(|| runtime.block_on(builder.build()));
        built.join().unwrap().unwrap()
    });
    // It stays for ever: it may not be dropped in another one.
    std::mem::forget(runtime);
    cache
}

async fn a_runtime_that_nobody_drives_holds_nobody_up(world: World) {
    let (cache, source) = (cache_of_an_undriven(&world), Source::new());
    tokio_test(async || {
        assert_eq!(cache.scope(read(&source, 1)).await, 1);
        let value = source.write();
        cache.invalidate(key(1)).await.unwrap();
        assert_eq!(cache.scope(read(&source, 1)).await, value);
        let hit = async || {
            let (read, info) = cache.scope(read(&source, 1).with_info()).await;
            assert_eq!(read, value);
            info.status() == Status::Hit
        };
        eventually("a hit", hit).await;
    });
}

async fn flushing_brings_to_an_end_what_an_undriven_runtime_has_left(world: World) {
    let (cache, other) = (cache_of_an_undriven(&world), cache_of_the_past(&world));
    let source = Source::new();
    tokio_test(async || {
        other.scope(read(&source, 1)).await;
        filled(&other, 1).await;
        let value = source.write();
        cache.invalidate(key(1)).await.unwrap();
        cache.flush().await.unwrap();
        assert_eq!(other.scope(read(&source, 1)).await, value);
    });
}

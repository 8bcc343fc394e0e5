//! `cache.lock`: one holder at a time among all processes, and a number by which the resource can tell
//! a holder that has lost it from the next one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use cached_redis::{Cache, Error, Lock, Policy};
use tokio::task::JoinSet;

use crate::support::{World, after_polls, eventually, in_time, on_both_stores, on_redis};

const KEY: &str = "report:1";
const SHORT: Duration = Duration::from_millis(200);

on_both_stores!(
    of_many_callers_in_several_processes_one_holds_the_lock_at_a_time,
    numbers_grow_from_holder_to_holder,
    a_lock_that_is_held_is_not_given_to_others,
    a_dropped_lock_is_released,
    a_panicking_holder_releases,
    whoever_waits_gets_the_lock_after_the_release,
    whoever_stops_waiting_takes_nothing_away,
    a_lock_of_a_process_that_died_goes_on_to_the_next_one,
    locks_of_other_keys_and_namespaces_are_others,
    a_lock_and_the_entry_of_its_key_have_nothing_to_do_with_each_other,
);
on_redis!(
    a_lock_whose_record_is_gone_is_lost,
    waiting_asks_few_times,
    without_a_server_asking_for_a_lock_fails_at_once,
    a_lock_of_foreign_bytes_is_refused,
);

async fn lock(cache: &Cache) -> Lock {
    in_time(cache.lock(KEY)).await.unwrap()
}

async fn refused(cache: &Cache) -> bool {
    let asked = cache.lock_within(KEY, Duration::ZERO).await;
    matches!(asked, Err(Error::Contended))
}

async fn processes(world: &World) -> [Cache; 3] {
    let process = async || {
        let budget = Duration::from_secs(60);
        let builder = world.patient().wait_budget(budget);
        builder.build().await.unwrap()
    };
    [process().await, process().await, process().await]
}

async fn of_many_callers_in_several_processes_one_holds_the_lock_at_a_time(world: World) {
    let (taken, mut callers) = (Arc::new(AtomicBool::new(false)), JoinSet::new());
    for cache in processes(&world).await {
        for _ in 0..5 {
            let (cache, taken) = (cache.clone(), taken.clone());
            callers.spawn(async move {
                let lock = lock(&cache).await;
                assert!(!taken.swap(true, Ordering::SeqCst), "somebody holds it");
                for _ in 0..10 {
                    tokio::task::yield_now().await;
                }
                taken.store(false, Ordering::SeqCst);
                lock.release().await.unwrap();
            });
        }
    }
    callers.join_all().await;
}

async fn numbers_grow_from_holder_to_holder(world: World) {
    let (mut last, caches) = (0, processes(&world).await);
    for cache in caches.iter().cycle().take(20) {
        let lock = lock(cache).await;
        let number = lock.fencing_token();
        assert!(number > last, "{number} after {last}");
        last = number;
        lock.release().await.unwrap();
    }
}

async fn a_lock_that_is_held_is_not_given_to_others(world: World) {
    let [cache, other, _] = processes(&world).await;
    let lock = lock(&cache).await;
    assert!(refused(&other).await);
    assert!(refused(&cache).await, "nor to its holder again");
    assert!(lock.is_held());
    lock.release().await.unwrap();
    assert!(!refused(&other).await);
}

async fn a_dropped_lock_is_released(world: World) {
    let [cache, other, _] = processes(&world).await;
    drop(lock(&cache).await);
    lock(&other).await.release().await.unwrap();
}

async fn a_panicking_holder_releases(world: World) {
    let [cache, other, _] = processes(&world).await;
    let holder = tokio::spawn(async move {
        let _lock = lock(&cache).await;
        panic!("asked to");
    });
    let ended: Result<(), _> = holder.await;
    assert!(ended.is_err_and(|error| error.is_panic()));
    lock(&other).await.release().await.unwrap();
}

async fn whoever_waits_gets_the_lock_after_the_release(world: World) {
    let [cache, other, _] = processes(&world).await;
    let held = lock(&cache).await;
    let first = held.fencing_token();
    let waiting = tokio::spawn(async move { lock(&other).await.fencing_token() });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    held.release().await.unwrap();
    // Its lease would have lasted for ten minutes.
    assert!(in_time(waiting).await.unwrap() > first);
}

async fn whoever_stops_waiting_takes_nothing_away(world: World) {
    let [cache, other, third] = processes(&world).await;
    for polls in 0..8 {
        after_polls(polls, other.lock(KEY)).await;
        let held = lock(&cache).await;
        after_polls(polls, other.lock(KEY)).await;
        assert!(held.is_held() && refused(&third).await);
        held.release().await.unwrap();
    }
}

async fn a_lock_of_a_process_that_died_goes_on_to_the_next_one(world: World) {
    let url = world.url().to_owned();
    let (tell, told) = mpsc::channel();
    // Its runtime ends with all its tasks: nobody extends the lock, and nobody releases it.
    let process = move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let lock = runtime.block_on(async {
            let builder = Cache::builder().url(url).namespace("it").lease(SHORT);
            let cache = builder.build().await.unwrap();
            cache.lock(KEY).await.unwrap()
        });
        runtime.shutdown_timeout(Duration::ZERO);
        tell.send(lock).unwrap();
    };
    let cache = world.patient().build().await.unwrap();
    std::thread::spawn(process);
    let dead = tokio::task::block_in_place(|| told.recv().unwrap());
    let next = lock(&cache).await;
    assert!(next.fencing_token() > dead.fencing_token());
    in_time(dead.lost()).await;
    assert!(!dead.is_held());
    assert!(dead.release().await.is_err());
    assert!(next.is_held());
}

async fn locks_of_other_keys_and_namespaces_are_others(world: World) {
    let cache = world.cache().await;
    let elsewhere = world.builder().namespace("elsewhere");
    let elsewhere = elsewhere.build().await.unwrap();
    let _held = lock(&cache).await;
    let _other_key = in_time(cache.lock("report:2")).await.unwrap();
    let _other_namespace = lock(&elsewhere).await;
}

async fn a_lock_and_the_entry_of_its_key_have_nothing_to_do_with_each_other(world: World) {
    const POLICY: Policy = Policy::new().ttl(Duration::from_secs(60));
    let cache = world.cache().await;
    cache.put(&POLICY, KEY, &7_u64).await.unwrap();
    let lock = lock(&cache).await;
    assert_eq!(cache.get(KEY).await.unwrap(), Some(7_u64));
    cache.invalidate(KEY).await.unwrap();
    lock.release().await.unwrap();
}

async fn a_lock_whose_record_is_gone_is_lost(mut world: World) {
    let cache = world.builder().lease(SHORT).build().await.unwrap();
    let lost = lock(&cache).await;
    world.redis().run::<()>(&["FLUSHALL"]);
    in_time(lost.lost()).await;
    assert!(!lost.is_held());
    let patient = world.patient().build().await.unwrap();
    let next = lock(&patient).await;
    assert!(next.fencing_token() > lost.fencing_token());
    assert!(matches!(lost.release().await, Err(Error::LockLost)));
    assert_eq!(cache.stats().total().lost_locks, 1);
    assert!(next.is_held());
}

async fn waiting_asks_few_times(mut world: World) {
    let [cache, other, _] = processes(&world).await;
    let _held = lock(&cache).await;
    let server = world.redis();
    server.reset_commands();
    let waited = other.lock_within(KEY, Duration::from_millis(400)).await;
    assert!(matches!(waited, Err(Error::Contended)));
    let asked = server.commands()["evalsha"];
    assert!((1..=20).contains(&asked), "{asked} times");
}

async fn without_a_server_asking_for_a_lock_fails_at_once(mut world: World) {
    let cache = world.patient().build().await.unwrap();
    let held = lock(&cache).await;
    world.redis().kill();
    let gone = async || cache.get::<u64>("any").await.is_err();
    eventually("the connection to be gone", gone).await;
    let asked = in_time(cache.lock("another")).await;
    assert!(matches!(asked, Err(Error::Store(_))));
    assert!(matches!(held.release().await, Err(Error::Store(_))));
}

async fn a_lock_of_foreign_bytes_is_refused(mut world: World) {
    let cache = world.cache().await;
    let server = world.redis();
    server.plant("it:#lock:report:1", b"mine");
    assert!(matches!(cache.lock(KEY).await, Err(Error::Store(_))));
    assert_eq!(server.bytes("it:#lock:report:1").unwrap(), b"mine");
}

#[cfg(feature = "testing")]
mod on_a_held_clock {
    use cached_redis::Builder;
    use cached_redis::testing::{Faults, HeldClock, Recorded, Recorder};

    use super::*;

    const LEASE: Duration = Duration::from_secs(3);
    const MOMENT: Duration = Duration::from_millis(1);

    /// A process behind a network that can fail, and one that is not.
    async fn pair(faults: &Faults, change: impl Fn(Builder) -> Builder) -> (Cache, Cache) {
        let world = World::in_memory();
        let behind = change(world.builder().deadline(MOMENT).faults(faults.clone()));
        let other = world.builder().build().await.unwrap();
        (behind.build().await.unwrap(), other)
    }

    #[tokio::test(start_paused = true)]
    async fn a_lock_outlives_its_lease_while_its_holder_lives() {
        let (cache, other) = pair(&Faults::seeded(7), |builder| builder).await;
        let lock = lock(&cache).await;
        for _ in 0..10 {
            HeldClock::new().advance(LEASE).await;
            assert!(lock.is_held() && refused(&other).await);
        }
        lock.release().await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_heartbeat_that_fails_once_loses_nothing() {
        let faults = Faults::seeded(7);
        let (cache, other) = pair(&faults, |builder| builder).await;
        let lock = lock(&cache).await;
        for _ in 0..10 {
            faults.outage(true);
            HeldClock::new().advance(LEASE / 2).await;
            faults.outage(false);
            HeldClock::new().advance(LEASE / 2).await;
            assert!(lock.is_held() && refused(&other).await);
        }
        lock.release().await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_holder_that_is_cut_off_loses_the_lock_before_the_next_one_has_it() {
        let (faults, recorder) = (Faults::seeded(7), Recorder::new());
        let (cache, other) = pair(&faults, |builder| builder.recorder(recorder.clone())).await;
        let held = lock(&cache).await;
        faults.outage(true);
        let order = tokio::join!(
            async {
                held.lost().await;
                tokio::time::Instant::now()
            },
            async {
                let next = lock(&other).await;
                assert!(!held.is_held());
                assert!(next.fencing_token() > held.fencing_token());
                tokio::time::Instant::now()
            }
        );
        assert!(order.0 <= order.1);
        HeldClock::new().advance(LEASE).await;
        assert_eq!(recorder.count(Recorded::LockLost), 1);
        faults.heal();
        assert!(matches!(held.release().await, Err(Error::LockLost)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_stalled_for_longer_than_its_lease_knows_it_at_once() {
        let (cache, other) = pair(&Faults::seeded(7), |builder| builder).await;
        let held = lock(&cache).await;
        // In one jump: no heartbeat had a turn.
        tokio::time::advance(LEASE).await;
        assert!(!held.is_held());
        let next = lock(&other).await;
        assert!(next.fencing_token() > held.fencing_token());
        HeldClock::new().advance(LEASE).await;
        assert!(!held.is_held() && next.is_held());
    }

    #[tokio::test(start_paused = true)]
    async fn an_unanswered_grant_is_released() {
        let faults = Faults::seeded(7).lose_answer(1.0);
        let (cache, other) = pair(&faults, |builder| builder).await;
        assert!(matches!(cache.lock(KEY).await, Err(Error::Store(_))));
        HeldClock::new().settle().await;
        assert!(!refused(&other).await);
    }

    #[tokio::test(start_paused = true)]
    async fn invalidating_the_whole_namespace_spares_locks() {
        let faults = Faults::seeded(7);
        let (cache, other) = pair(&faults, |builder| builder.journal_keys(1)).await;
        let lock = lock(&cache).await;
        faults.outage(true);
        for key in ["a", "b", "c"] {
            cache.invalidate(key).await.unwrap();
        }
        assert!(cache.stats().pending_invalidations().namespace);
        faults.outage(false);
        in_time(cache.flush()).await.unwrap();
        assert!(lock.is_held() && refused(&other).await);
        lock.release().await.unwrap();
    }
}

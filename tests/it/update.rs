//! `cache.update`: a value that has no source but the cache is changed by many callers in many
//! processes, and no change is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cached_redis::{Cache, Error, Policy, redis_cached};
use tokio::runtime::Handle;
use tokio::task::{JoinSet, block_in_place};

use crate::support::{
    Source, World, expired, filled, in_time, on_both_stores, on_redis, poll_once,
};

const POLICY: Policy = Policy::new().ttl(Duration::from_secs(60));
const KEY: &str = "update:1";

on_both_stores!(
    an_update_is_given_what_the_last_one_stored,
    no_update_of_many_callers_in_several_processes_is_lost,
    of_200_reservations_of_100_pieces_exactly_100_succeed,
    an_update_overtaken_by_another_begins_again_with_its_value,
    an_update_overtaken_by_an_invalidation_begins_again_with_nothing,
    a_first_update_overtaken_by_an_invalidation_begins_again,
    an_update_that_is_overtaken_at_every_attempt_gives_up,
    a_load_that_runs_elsewhere_is_waited_for_and_updated,
    a_load_that_takes_too_long_is_left_alone,
    a_guarded_write_is_waited_for,
    an_error_of_the_change_changes_nothing,
    a_change_that_panics_leaves_the_key_free,
    an_update_that_is_dropped_leaves_the_key_free,
    a_value_of_another_type_is_left_alone,
    a_cached_absence_is_updated_as_nothing,
    past_its_ttl_in_a_stale_window_a_value_is_updated_as_nothing,
    an_update_needs_a_ttl,
);
on_redis!(
    foreign_bytes_are_left_alone,
    an_update_takes_one_look_and_one_step,
    each_update_gives_the_whole_ttl_anew,
    what_stood_before_a_restart_is_nothing_where_epochs_say_so,
    without_a_server_an_update_fails_at_once,
);

#[redis_cached(ttl = 60, key = "update:<id>", skip(source))]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await
}

/// Adds one.
async fn count(cache: &Cache) -> Result<u64, Error> {
    let one_more = |old: Option<u64>| Ok(old.unwrap_or(0) + 1);
    in_time(cache.entry(KEY).policy(&POLICY).update(one_more)).await
}

async fn value(cache: &Cache) -> Option<u64> {
    cache.get(KEY).await.unwrap()
}

/// What somebody else does while a change is computed.
fn meanwhile<F: Future>(future: F) -> F::Output {
    block_in_place(|| Handle::current().block_on(future))
}

#[derive(Debug, PartialEq)]
enum Sale {
    SoldOut,
    Failed(String),
}

impl From<Error> for Sale {
    fn from(error: Error) -> Self {
        Self::Failed(error.to_string())
    }
}

async fn an_update_is_given_what_the_last_one_stored(world: World) {
    let [cache, other] = [world.cache().await, world.cache().await];
    assert_eq!(count(&cache).await.unwrap(), 1);
    assert_eq!(count(&other).await.unwrap(), 2);
    assert_eq!(value(&cache).await, Some(2));
    cache.put(&POLICY, KEY, &7_u64).await.unwrap();
    assert_eq!(count(&other).await.unwrap(), 8);
    let source = Source::new();
    assert_eq!(cache.scope(read(&source, 1)).await, 8, "a hit");
}

async fn no_update_of_many_callers_in_several_processes_is_lost(world: World) {
    let mut callers = JoinSet::new();
    let mut attempts = Vec::new();
    for _ in 0..4 {
        let cache = world.builder().update_attempts(1000).build().await.unwrap();
        attempts.push(cache.clone());
        for _ in 0..10 {
            let cache = cache.clone();
            callers.spawn(async move {
                for _ in 0..10 {
                    count(&cache).await.unwrap();
                }
            });
        }
    }
    callers.join_all().await;
    assert_eq!(value(&world.cache().await).await, Some(400));
    let fills: u64 = attempts
        .iter()
        .map(|cache| cache.stats().total().fills)
        .sum();
    assert_eq!(fills, 400);
}

async fn of_200_reservations_of_100_pieces_exactly_100_succeed(world: World) {
    let reserve = |stock: Option<u32>| {
        let stock = stock.unwrap_or(100);
        stock.checked_sub(1).ok_or(Sale::SoldOut)
    };
    // The store in memory lives as long as this one does.
    let _keeper = world.cache().await;
    let mut reservations = JoinSet::new();
    for _ in 0..4 {
        let cache = world.builder().update_attempts(1000).build().await.unwrap();
        for _ in 0..50 {
            let cache = cache.clone();
            let reservation = async move { cache.entry(KEY).policy(&POLICY).update(reserve).await };
            reservations.spawn(in_time(reservation));
        }
    }
    let results = reservations.join_all().await;
    let refused = |result: &&Result<u32, Sale>| **result == Err(Sale::SoldOut);
    let mut left: Vec<_> = results.iter().flatten().copied().collect();
    left.sort_unstable();
    assert_eq!(left, (0..100).collect::<Vec<_>>(), "each piece once");
    assert_eq!(results.iter().filter(refused).count(), 100);
}

async fn an_update_overtaken_by_another_begins_again_with_its_value(world: World) {
    let [cache, other] = [world.cache().await, world.cache().await];
    count(&cache).await.unwrap();
    let mut seen = Vec::new();
    let update = cache.entry(KEY).policy(&POLICY).update(|old: Option<u64>| {
        seen.push(old);
        if seen.len() == 1 {
            meanwhile(count(&other))?;
        }
        Ok::<_, Error>(old.unwrap_or(0) + 10)
    });
    assert_eq!(in_time(update).await.unwrap(), 12);
    assert_eq!(seen, [Some(1), Some(2)]);
    assert_eq!(value(&other).await, Some(12));
}

async fn an_update_overtaken_by_an_invalidation_begins_again_with_nothing(world: World) {
    let [cache, other] = [world.cache().await, world.cache().await];
    cache.put(&POLICY, KEY, &5_u64).await.unwrap();
    let mut seen = Vec::new();
    let update = cache.entry(KEY).policy(&POLICY).update(|old: Option<u64>| {
        seen.push(old);
        if seen.len() == 1 {
            meanwhile(other.invalidate(KEY))?;
        }
        Ok::<_, Error>(old.unwrap_or(0) + 1)
    });
    assert_eq!(in_time(update).await.unwrap(), 1);
    assert_eq!(seen, [Some(5), None]);
    assert_eq!(value(&other).await, Some(1));
    assert_eq!(cache.stats().total().refused_fills, 1);
}

async fn a_first_update_overtaken_by_an_invalidation_begins_again(world: World) {
    let [cache, other] = [world.cache().await, world.cache().await];
    let mut seen = Vec::new();
    let update = cache.entry(KEY).policy(&POLICY).update(|old: Option<u64>| {
        seen.push(old);
        if seen.len() == 1 {
            meanwhile(other.invalidate(KEY))?;
            meanwhile(other.put(&POLICY, KEY, &7_u64))?;
        }
        Ok::<_, Error>(old.unwrap_or(0) + 1)
    });
    assert_eq!(in_time(update).await.unwrap(), 8);
    assert_eq!(seen, [None, Some(7)]);
}

async fn an_update_that_is_overtaken_at_every_attempt_gives_up(world: World) {
    let cache = world.builder().update_attempts(3).build().await.unwrap();
    let other = world.cache().await;
    let mut attempts = 0_u64;
    let update = cache.entry(KEY).policy(&POLICY).update(|_: Option<u64>| {
        attempts += 1;
        meanwhile(other.put(&POLICY, KEY, &attempts))?;
        Ok::<_, Error>(100_u64)
    });
    assert!(matches!(in_time(update).await, Err(Error::Contended)));
    assert_eq!((attempts, value(&cache).await), (3, Some(3)));
}

async fn a_load_that_runs_elsewhere_is_waited_for_and_updated(world: World) {
    let [cache, other] = [
        world.patient().build().await.unwrap(),
        world.patient().build().await.unwrap(),
    ];
    let source = Source::held();
    let load = other.spawn({
        let source = source.clone();
        async move { read(&source, 1).await }
    });
    source.begun(1).await;
    let mut update = Box::pin(count(&cache));
    for _ in 0..20 {
        assert!(poll_once(update.as_mut()).is_pending());
        tokio::task::yield_now().await;
    }
    source.release();
    assert_eq!(update.await.unwrap(), 2, "of the loaded 1");
    assert_eq!(load.await.unwrap(), 1);
    filled(&other, 1).await;
    assert_eq!(value(&other).await, Some(2));
}

async fn a_load_that_takes_too_long_is_left_alone(world: World) {
    let hasty = world.builder().wait_budget(Duration::from_millis(30));
    let cache = hasty.build().await.unwrap();
    let other = world.patient().build().await.unwrap();
    let source = Source::held();
    let load = other.spawn({
        let source = source.clone();
        async move { read(&source, 1).await }
    });
    source.begun(1).await;
    assert!(matches!(count(&cache).await, Err(Error::Contended)));
    source.release();
    load.await.unwrap();
    filled(&other, 1).await;
    assert_eq!(value(&cache).await, Some(1));
}

async fn a_guarded_write_is_waited_for(world: World) {
    let guarded = || world.builder().guarded(true);
    let hasty = guarded().wait_budget(Duration::from_millis(30));
    let [cache, hasty] = [
        guarded().build().await.unwrap(),
        hasty.build().await.unwrap(),
    ];
    count(&cache).await.unwrap();
    let write = cache.begin_write([KEY]).await.unwrap();
    assert!(matches!(count(&hasty).await, Err(Error::Contended)));
    let update = tokio::spawn({
        let cache = cache.clone();
        async move { count(&cache).await }
    });
    write.finish().await.unwrap();
    assert_eq!(in_time(update).await.unwrap().unwrap(), 1);
}

async fn an_error_of_the_change_changes_nothing(world: World) {
    let cache = world.patient().build().await.unwrap();
    let refuse = |_: Option<u64>| Err(Sale::SoldOut);
    for before in [None, Some(1)] {
        let refused = cache.entry(KEY).policy(&POLICY).update(refuse).await;
        assert_eq!(refused, Err(Sale::SoldOut));
        assert_eq!(value(&cache).await, before);
        // And nothing holds the key.
        assert_eq!(count(&cache).await.unwrap(), before.unwrap_or(0) + 1);
    }
}

async fn a_change_that_panics_leaves_the_key_free(world: World) {
    let cache = world.patient().build().await.unwrap();
    for before in 0..2 {
        let update = tokio::spawn({
            let cache = cache.clone();
            let panic = |_: Option<u64>| -> Result<u64, Error> { panic!("asked to") };
            async move { cache.entry(KEY).policy(&POLICY).update(panic).await }
        });
        assert!(update.await.is_err_and(|error| error.is_panic()));
        assert_eq!(count(&cache).await.unwrap(), before + 1);
    }
}

async fn an_update_that_is_dropped_leaves_the_key_free(world: World) {
    let cache = world.patient().build().await.unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    for polls in 0..6 {
        let before = value(&cache).await.unwrap_or(0);
        let update = cache.entry(KEY).policy(&POLICY).update(|old: Option<u64>| {
            calls.fetch_add(1, Ordering::Relaxed);
            Ok::<_, Error>(old.unwrap_or(0) + 1)
        });
        crate::support::after_polls(polls, update).await;
        let after = count(&cache).await.unwrap();
        assert!(
            (before + 1..=before + 2).contains(&after),
            "{before}, {after}"
        );
        cache.invalidate(KEY).await.unwrap();
    }
    assert!(calls.load(Ordering::Relaxed) > 0);
}

async fn a_value_of_another_type_is_left_alone(world: World) {
    let cache = world.cache().await;
    let text = "a session".to_owned();
    cache.put(&POLICY, KEY, &text).await.unwrap();
    assert!(matches!(count(&cache).await, Err(Error::Unreadable)));
    assert_eq!(cache.get::<String>(KEY).await.unwrap(), Some(text));
    cache.invalidate(KEY).await.unwrap();
    assert_eq!(count(&cache).await.unwrap(), 1);
}

async fn a_cached_absence_is_updated_as_nothing(world: World) {
    let cache = world.cache().await;
    let absent = cache.entry(KEY).policy(&POLICY).optional();
    let absent = absent.get_or_fill(async || Ok::<Option<u64>, ()>(None));
    assert_eq!(absent.await, Ok(None));
    filled(&cache, 1).await;
    assert_eq!(count(&cache).await.unwrap(), 1);
    assert_eq!(value(&cache).await, Some(1));
}

async fn past_its_ttl_in_a_stale_window_a_value_is_updated_as_nothing(world: World) {
    let cache = world.cache().await;
    let window = Duration::from_secs(600);
    let kept = Policy::new()
        .ttl(Duration::from_millis(20))
        .stale_if_error(window);
    cache.put(&kept, KEY, &7_u64).await.unwrap();
    expired(KEY, [&cache]).await;
    assert_eq!(count(&cache).await.unwrap(), 1);
    let tagged = |policy| cache.entry(KEY).policy(policy).tags(["update"]);
    tagged(&kept).put(&7_u64).await.unwrap();
    expired(KEY, [&cache]).await;
    let one_more = |old: Option<u64>| Ok::<_, Error>(old.unwrap_or(0) + 1);
    assert_eq!(in_time(tagged(&POLICY).update(one_more)).await.unwrap(), 1);
}

async fn an_update_needs_a_ttl(world: World) {
    let cache = world.cache().await;
    let one = |_: Option<u64>| Ok::<_, Error>(1);
    let refused = cache.entry(KEY).policy(&Policy::new()).update(one).await;
    assert!(matches!(refused, Err(Error::Setting { .. })));
    assert_eq!(value(&cache).await, None);
}

async fn foreign_bytes_are_left_alone(mut world: World) {
    let cache = world.cache().await;
    let server = world.redis();
    server.plant("it:update:1", b"17");
    assert!(matches!(count(&cache).await, Err(Error::Unreadable)));
    assert_eq!(server.bytes("it:update:1").unwrap(), b"17");
    server.run::<()>(&["DEL", "it:update:1"]);
    server.run::<()>(&["LPUSH", "it:update:1", "17"]);
    assert!(matches!(count(&cache).await, Err(Error::Store(_))));
    assert_eq!(server.run::<String>(&["LPOP", "it:update:1"]), "17");
}

async fn an_update_takes_one_look_and_one_step(mut world: World) {
    let cache = world.cache().await;
    count(&cache).await.unwrap();
    let server = world.redis();
    server.reset_commands();
    for _ in 0..10 {
        count(&cache).await.unwrap();
    }
    let commands = server.commands();
    assert_eq!((commands["get"], commands["evalsha"]), (10, 10));
}

async fn each_update_gives_the_whole_ttl_anew(mut world: World) {
    let cache = world.cache().await;
    count(&cache).await.unwrap();
    let server = world.redis();
    server.run::<()>(&["PEXPIRE", "it:update:1", "20000"]);
    count(&cache).await.unwrap();
    assert!(server.lives()["it:update:1"] > 20_000);
}

async fn what_stood_before_a_restart_is_nothing_where_epochs_say_so(mut world: World) {
    let epochs = world.builder().on_failover(cached_redis::OnFailover::Epoch);
    let cache = epochs.build().await.unwrap();
    count(&cache).await.unwrap();
    count(&cache).await.unwrap();
    let server = world.redis();
    server.run::<()>(&["SAVE"]);
    server.kill();
    server.restart();
    let counted = async || match count(&cache).await {
        Ok(counted) => counted == 1,
        Err(_) => false,
    };
    crate::support::eventually("the new connection", counted).await;
    assert_eq!(count(&cache).await.unwrap(), 2);
}

async fn without_a_server_an_update_fails_at_once(mut world: World) {
    let cache = world.cache().await;
    count(&cache).await.unwrap();
    world.redis().kill();
    assert!(matches!(
        count(&cache).await,
        Err(Error::Store(_) | Error::Unconfirmed)
    ));
}

#[cfg(feature = "testing")]
mod on_a_bad_network {
    use cached_redis::Invalidation;
    use cached_redis::testing::Faults;

    use super::*;
    use crate::support::tier;

    const DEADLINE: Duration = Duration::from_millis(50);

    /// How many updates of one run succeeded, and of how many nobody knows.
    async fn run(faults: &Faults) -> (u64, u64, u64) {
        let world = World::in_memory();
        // The store lives as long as this one does.
        let undisturbed = world.cache().await;
        let builder = world.builder().deadline(DEADLINE).faults(faults.clone());
        let mut callers = JoinSet::new();
        for _ in 0..3 {
            let cache = builder.clone().build().await.unwrap();
            for _ in 0..3 {
                let cache = cache.clone();
                callers.spawn(async move {
                    let (mut done, mut unknown) = (0, 0);
                    for _ in 0..10 {
                        match count(&cache).await {
                            Ok(_) => done += 1,
                            Err(Error::Unconfirmed) => unknown += 1,
                            Err(_) => {}
                        }
                    }
                    (done, unknown)
                });
            }
        }
        let results = callers.join_all().await;
        let (done, unknown) = results
            .into_iter()
            .fold((0, 0), |sum, run| (sum.0 + run.0, sum.1 + run.1));
        faults.heal();
        // What is still on its way has arrived by then.
        tokio::time::sleep(DEADLINE * 20).await;
        (done, unknown, value(&undisturbed).await.unwrap_or(0))
    }

    #[tokio::test(start_paused = true)]
    async fn every_update_that_succeeded_is_there_once_and_none_that_failed_is() {
        let (mut all_done, mut all_unknown, seeds) = (0, 0, tier(12, 60));
        for seed in 0..seeds {
            println!("seed {seed}");
            fastrand::seed(seed);
            let faults = Faults::seeded(seed)
                .delay(0.1, DEADLINE * 2)
                .fail(0.05)
                .lose_answer(0.1)
                .drop(0.05)
                .reorder(0.1);
            let (done, unknown, value) = run(&faults).await;
            assert!(
                (done..=done + unknown).contains(&value),
                "{done} to {unknown} more: {value}"
            );
            all_done += done;
            all_unknown += unknown;
        }
        assert!(
            all_done > 15 * seeds && all_unknown > 0,
            "{all_done}, {all_unknown}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_answer_is_asked_for_again() {
        let faults = Faults::seeded(7).lose_answer(0.1);
        let cache = World::in_memory().builder().faults(faults.clone());
        let cache = cache.build().await.unwrap();
        let mut counted = 0;
        for _ in 0..100 {
            counted += u64::from(count(&cache).await.is_ok());
        }
        faults.heal();
        assert_eq!(value(&cache).await, Some(counted));
        assert!(faults.injected().lost_answers > 10 && counted > 80);
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_whose_invalidation_is_deferred_is_not_updated() {
        let faults = Faults::seeded(7);
        let cache = World::in_memory().builder().faults(faults.clone());
        let cache = cache.build().await.unwrap();
        count(&cache).await.unwrap();
        faults.outage(true);
        let sent = cache.invalidate(KEY).await.unwrap();
        assert_eq!(sent, Invalidation::Deferred);
        assert!(matches!(count(&cache).await, Err(Error::Deferred)));
        faults.outage(false);
        in_time(cache.flush()).await.unwrap();
        assert_eq!(count(&cache).await.unwrap(), 1);
    }
}

//! When the caller that leads a load is dropped, its lease is released at once and those who
//! waited go on by themselves.

use std::time::Duration;

use cached_redis::{Cache, redis_cached};
use tokio::task::JoinHandle;

use crate::support::{Source, World, after_polls, in_time, on_both_stores, waiting};

on_both_stores!(
    waiters_of_a_dropped_leader_go_on_with_one_load,
    the_lease_of_a_dropped_leader_is_released_and_not_waited_out,
    leaders_dropped_one_after_the_other_hand_the_key_on,
    a_caller_dropped_after_any_number_of_polls_blocks_nobody,
    a_dropped_waiter_disturbs_nobody,
);

#[redis_cached(ttl = 60, key = "dropped-leader:<id>", skip(source))]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await
}

fn reader(cache: &Cache, source: &Source) -> JoinHandle<u64> {
    let source = source.clone();
    cache.spawn(async move { read(&source, 1).await })
}

/// A process that would wait for a leaked lease for longer than any test.
async fn patient(world: &World) -> Cache {
    let builder = world.patient();
    builder
        .wait_budget(Duration::from_secs(1200))
        .build()
        .await
        .unwrap()
}

async fn abort(reader: JoinHandle<u64>) {
    reader.abort();
    assert!(reader.await.is_err_and(|error| error.is_cancelled()));
}

async fn waiters_of_a_dropped_leader_go_on_with_one_load(world: World) {
    let [cache, other] = [patient(&world).await, patient(&world).await];
    let source = Source::held();
    let leader = reader(&cache, &source);
    source.begun(1).await;
    let mut waiters: Vec<_> = (0..20).map(|_| reader(&cache, &source)).collect();
    waiters.extend((0..20).map(|_| reader(&other, &source)));
    waiting(&cache, 20).await;
    waiting(&other, 20).await;

    abort(leader).await;
    source.begun(2).await;
    source.release();

    for waiter in waiters {
        assert_eq!(in_time(waiter).await.unwrap(), 1);
    }
    assert_eq!((source.loads(), source.most_at_once()), (2, 1));
}

async fn the_lease_of_a_dropped_leader_is_released_and_not_waited_out(world: World) {
    let [cache, other] = [patient(&world).await, patient(&world).await];
    let source = Source::held();
    let leader = reader(&cache, &source);
    source.begun(1).await;
    abort(leader).await;
    source.release();

    assert_eq!(in_time(reader(&other, &source)).await.unwrap(), 1);
    assert_eq!(other.stats().total().bypasses, 0);
}

async fn leaders_dropped_one_after_the_other_hand_the_key_on(world: World) {
    let cache = patient(&world).await;
    let source = Source::held();
    for round in 1..=20 {
        let leader = reader(&cache, &source);
        source.begun(round).await;
        abort(leader).await;
    }
    source.release();
    assert_eq!(in_time(reader(&cache, &source)).await.unwrap(), 1);
    assert_eq!(source.loads(), 21);
}

async fn a_caller_dropped_after_any_number_of_polls_blocks_nobody(world: World) {
    let [cache, other] = [patient(&world).await, patient(&world).await];
    let source = Source::new();
    for polls in 0..40 {
        cache.invalidate("dropped-leader:1").await.unwrap();
        let process = if polls % 2 == 0 { &cache } else { &other };
        in_time(after_polls(polls / 4, cache.scope(read(&source, 1)))).await;
        assert_eq!(in_time(process.scope(read(&source, 1))).await, 1);
    }
    assert_eq!(cache.stats().total().bypasses, 0);
}

async fn a_dropped_waiter_disturbs_nobody(world: World) {
    let cache = patient(&world).await;
    let source = Source::held();
    let leader = reader(&cache, &source);
    source.begun(1).await;
    let [dropped, waiter] = [reader(&cache, &source), reader(&cache, &source)];
    waiting(&cache, 2).await;
    abort(dropped).await;
    source.release();
    assert_eq!(in_time(leader).await.unwrap(), 1);
    assert_eq!(in_time(waiter).await.unwrap(), 1);
    assert_eq!(source.loads(), 1);
}

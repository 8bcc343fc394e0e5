//! Many processes with many callers on one cold key make one load, and few commands.

use std::time::Duration;

use cached_redis::{Cache, redis_cached};
use tokio::task::JoinHandle;

use crate::support::{Source, World, eventually, in_time, on_both_stores, on_redis};

const PROCESSES: usize = 3;
const CALLERS: usize = 50;

on_both_stores!(
    many_callers_in_many_processes_make_one_load,
    callers_of_different_keys_do_not_wait_for_each_other,
);
on_redis!(the_commands_of_many_waiting_callers_are_bounded);

#[redis_cached(ttl = 60, key = "one-load:<id>", skip(source))]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await
}

async fn processes(world: &World) -> Vec<Cache> {
    let mut processes = Vec::new();
    for _ in 0..PROCESSES {
        processes.push(world.cache().await);
    }
    processes
}

/// The callers of all processes, in turn.
fn everywhere<T>(
    processes: &[Cache],
    call: impl Fn(&Cache) -> JoinHandle<T>,
) -> Vec<JoinHandle<T>> {
    let in_turn = (0..CALLERS).flat_map(|_| processes);
    in_turn.map(call).collect()
}

async fn many_callers_in_many_processes_make_one_load(world: World) {
    let processes = processes(&world).await;
    let source = Source::held();
    let callers = everywhere(&processes, |cache| {
        let source = source.clone();
        cache.spawn(async move { read(&source, 1).await })
    });
    let waits = || {
        processes
            .iter()
            .map(|cache| cache.stats().total().waits)
            .sum::<u64>()
    };
    let all_but_one = (PROCESSES * CALLERS - 1) as u64;
    eventually("all but one to wait", async || waits() == all_but_one).await;
    source.release();

    for caller in callers {
        assert_eq!(in_time(caller).await.unwrap(), 1);
    }
    assert_eq!(source.loads(), 1);
    let totals = processes.iter().map(|cache| cache.stats().total());
    let joined: u64 = totals.map(|total| total.joined).sum();
    assert_eq!(joined, all_but_one);
}

async fn callers_of_different_keys_do_not_wait_for_each_other(world: World) {
    let cache = world.cache().await;
    let source = Source::held();
    let callers: Vec<_> = (0..CALLERS as u64)
        .map(|id| {
            let source = source.clone();
            cache.spawn(async move { read(&source, id).await })
        })
        .collect();
    source.begun(CALLERS).await;
    assert_eq!(source.most_at_once(), CALLERS);
    source.release();
    for caller in callers {
        assert_eq!(in_time(caller).await.unwrap(), 1);
    }
}

async fn the_commands_of_many_waiting_callers_are_bounded(mut world: World) {
    let processes = processes(&world).await;
    let server = world.redis();
    server.reset_commands();
    let source = Source::slow(Duration::from_millis(50));
    let callers = everywhere(&processes, |cache| {
        let source = source.clone();
        cache.spawn(async move { read(&source, 1).await })
    });
    for caller in callers {
        assert_eq!(in_time(caller).await.unwrap(), 1);
    }
    assert_eq!(source.loads(), 1);
    let commands = server.commands();
    // A caller looks once when it comes and, outside the loading process, once when the load has
    // ended; beside that, each process polls.
    let looks = PROCESSES * CALLERS + (PROCESSES - 1) * CALLERS;
    let polls = (PROCESSES - 1) * 40;
    assert!(commands["get"] <= (looks + polls) as u64, "{commands:?}");
    assert!(commands["set"] <= 2 + PROCESSES as u64, "{commands:?}");
    assert!(commands["evalsha"] <= 2, "{commands:?}");
}

//! Batches with old values to go back to: what is held of their ids answers them if the load fails, or is late.

use std::collections::HashMap;
use std::time::Duration;

use cached_redis::{Cache, CachedExt as _, Jitter, Key, Policy, Status, redis_cached};
use tokio::runtime::Builder;

use crate::support::table::{Table, Values, all, status};
use crate::support::{World, eventually, expired, filled, in_time, on_both_stores, on_redis};

on_both_stores!(
    a_failed_load_is_answered_with_all_that_is_held,
    what_is_missing_is_loaded_with_what_is_held_and_its_failure_is_the_callers,
    of_entries_one_of_which_was_invalidated_none_answers_the_failure,
    what_the_function_of_one_id_keeps_outlives_the_failed_load_of_a_batch,
    ids_that_rest_are_answered_beside_the_load_of_the_others,
    beside_late_ids_those_that_are_missing_are_waited_for,
    the_failure_of_what_is_missing_leaves_a_late_load_running,
    a_late_load_whose_runtime_ends_leaves_its_ids_to_the_next_caller,
    inside_of_an_open_transaction_nothing_is_held,
    a_load_that_is_not_late_tells_its_caller_its_tags,
    held_entries_go_with_their_tags_and_are_replaced_under_them,
    held_entries_of_another_version_answer_nothing,
    what_is_made_of_held_values_is_not_stored,
    what_is_not_to_be_kept_is_gone_when_the_caller_goes_on,
    a_value_that_is_an_error_is_no_failed_load,
    entries_by_hand_are_held_as_well,
);
on_redis!(held_ids_are_claimed_replaced_and_looked_at_together);

#[redis_cached(
    batch(id in ids),
    ttl = 0.05,
    jitter = 0.0,
    stale_if_error = 600,
    key = "held:<id>",
    skip(table)
)]
async fn read(table: &Table, ids: &[u64]) -> Result<Values, Failed> {
    table.load(ids).await.ok_or(Failed)
}

#[redis_cached(
    ttl = 0.05,
    jitter = 0.0,
    stale_if_error = 600,
    key = "held:<id>",
    skip(table)
)]
async fn read_one(table: &Table, id: u64) -> Result<Option<u64>, Failed> {
    Ok(table.load(&[id]).await.ok_or(Failed)?.remove(&id))
}

#[derive(Clone, Debug, PartialEq)]
struct Failed;

/// The values of ids 1 and 2 before their TTL ended.
fn stale() -> (Values, Status) {
    (all(&[1, 1]), Status::Stale)
}

async fn patient(world: &World) -> Cache {
    let builder = world.patient().throttle(Duration::from_secs(600));
    builder.build().await.unwrap()
}

/// Has ids 1 and 2 stored by `read`, waits for the end of their TTL in all of `processes`, and changes the table.
async fn outdated<E>(
    processes: &[&Cache],
    prefix: &str,
    read: impl AsyncFn(&Table) -> Result<Values, E>,
) -> Table {
    let (table, fills) = (Table::new(), processes[0].stats().total().fills);
    let loaded = in_time(processes[0].scope(read(&table))).await;
    assert!(loaded.is_ok_and(|values| values == all(&[1, 1])));
    filled(processes[0], fills + 2).await;
    for id in [1, 2] {
        expired(&format!("{prefix}:{id}"), processes.iter().copied()).await;
    }
    table.asked();
    table.rows.write();
    table
}

async fn outdated_read(processes: &[&Cache]) -> Table {
    outdated(processes, "held", async |table| read(table, &[1, 2]).await).await
}

async fn a_failed_load_is_answered_with_all_that_is_held(world: World) {
    let [cache, other] = [patient(&world).await, patient(&world).await];
    let table = outdated_read(&[&cache, &other]).await;
    table.rows.fail(1);
    for process in [&cache, &cache, &other] {
        assert_eq!(status(process, read(&table, &[1, 2])).await, stale());
        cache.flush().await.unwrap();
    }
    assert_eq!(table.asked(), [[1, 2]], "the source is left alone");
    let stats = cache.stats().total();
    assert_eq!((stats.misses, stats.renewals, stats.stale), (2, 2, 4));
}

async fn what_is_missing_is_loaded_with_what_is_held_and_its_failure_is_the_callers(world: World) {
    let cache = patient(&world).await;
    let table = outdated_read(&[&cache]).await;
    table.rows.fail(1);
    let (failed, info) = in_time(cache.scope(read(&table, &[1, 2, 3]).with_info())).await;
    assert_eq!((failed, info.status()), (Err(Failed), Status::Miss));
    assert_eq!(table.asked(), [[1, 2, 3]]);
    assert_eq!(status(&cache, read(&table, &[1, 2])).await, stale());
    let third = [(1, 1), (2, 1), (3, 2)].into();
    assert_eq!(
        status(&cache, read(&table, &[1, 2, 3])).await,
        (third, Status::Miss)
    );
    assert_eq!(table.asked(), [[3]], "the others are left alone");
}

async fn of_entries_one_of_which_was_invalidated_none_answers_the_failure(world: World) {
    let build = || world.patient().throttle(Duration::from_millis(1)).build();
    let [cache, other] = [build().await.unwrap(), build().await.unwrap()];
    for process in [&cache, &other] {
        let table = outdated_read(&[&cache]).await;
        table.rows.fail(1);
        table.rows.hold();
        let call = cache.spawn({
            let table = table.clone();
            async move { read(&table, &[1, 2]).await }
        });
        table.rows.begun(2).await;
        process.invalidate("held:1").await.unwrap();
        table.rows.release();
        assert_eq!(in_time(call).await.unwrap(), Err(Failed));
        table.rows.fail(1);
        let second = [(2, 1)].into();
        assert_eq!(
            status(&cache, read(&table, &[2])).await,
            (second, Status::Stale)
        );
        let keys = cache.invalidation().key("held:1").key("held:2");
        keys.send().await.unwrap();
    }
}

async fn what_the_function_of_one_id_keeps_outlives_the_failed_load_of_a_batch(world: World) {
    let [cache, other] = [patient(&world).await, patient(&world).await];
    let table = outdated_read(&[&cache, &other]).await;
    table.rows.fail(usize::MAX);
    assert_eq!(
        in_time(cache.scope(read(&table, &[1, 3]))).await,
        Err(Failed)
    );
    for process in [&cache, &other] {
        let call = process.scope(read_one(&table, 1).with_info());
        let (old, info) = in_time(call).await;
        assert_eq!((old, info.status()), (Ok(Some(1)), Status::Stale));
        cache.flush().await.unwrap();
    }
}

async fn ids_that_rest_are_answered_beside_the_load_of_the_others(world: World) {
    let cache = patient(&world).await;
    let table = outdated_read(&[&cache]).await;
    table.rows.fail(1);
    assert_eq!(in_time(cache.scope(read_one(&table, 1))).await, Ok(Some(1)));
    assert_eq!(
        status(&cache, read(&table, &[1, 2])).await,
        (all(&[1, 2]), Status::Miss)
    );
    assert_eq!(table.asked(), [[1], [2]]);
}

/// Ids from 3 on are of a table of their own.
#[redis_cached(
    batch(id in ids),
    ttl = 0.05,
    jitter = 0.0,
    stale_if_error = 600,
    soft_timeout = 0.02,
    key = "held:soft:<id>",
    skip(old, new)
)]
async fn soft(old: &Table, new: &Table, ids: &[u64]) -> Result<Values, Failed> {
    let table = match ids.contains(&3) {
        true => new,
        false => old,
    };
    table.load(ids).await.ok_or(Failed)
}

/// The old and the new table of [`soft`].
async fn outdated_soft(cache: &Cache) -> [Table; 2] {
    let new = Table::new();
    let read = async |old: &Table| soft(old, &new, &[1, 2]).await;
    [outdated(&[cache], "held:soft", read).await, new]
}

async fn beside_late_ids_those_that_are_missing_are_waited_for(world: World) {
    let cache = patient(&world).await;
    let [old, new] = outdated_soft(&cache).await;
    old.rows.hold();
    new.rows.hold();
    let call = cache.spawn({
        let (old, new) = (old.clone(), new.clone());
        async move { soft(&old, &new, &[1, 2, 3]).with_info().await }
    });
    old.rows.begun(2).await;
    new.rows.begun(1).await;
    // Those who need nothing else are answered already.
    assert_eq!(status(&cache, soft(&old, &new, &[1, 2])).await, stale());
    assert!(!call.is_finished());
    new.rows.release();
    let (values, info) = in_time(call).await.unwrap();
    assert_eq!((values, info.status()), (Ok(all(&[1, 1, 1])), Status::Miss));
    assert_eq!(
        (old.asked(), new.asked()),
        (vec![vec![1, 2]], vec![vec![3]])
    );
    old.rows.release();
    let renewed = async || status(&cache, soft(&old, &new, &[1, 2])).await.0 == all(&[2, 2]);
    eventually("the new values", renewed).await;
}

async fn the_failure_of_what_is_missing_leaves_a_late_load_running(world: World) {
    let cache = patient(&world).await;
    let [old, new] = outdated_soft(&cache).await;
    old.rows.hold();
    new.rows.fail(1);
    let failed = in_time(cache.scope(soft(&old, &new, &[1, 2, 3]))).await;
    assert_eq!(failed, Err(Failed));
    old.rows.begun(2).await;
    old.rows.release();
    filled(&cache, 4).await;
    assert_eq!(old.asked(), [[1, 2]]);
}

async fn a_late_load_whose_runtime_ends_leaves_its_ids_to_the_next_caller(world: World) {
    let cache = patient(&world).await;
    let [old, new] = outdated_soft(&cache).await;
    old.rows.hold();
    let caller = std::thread::spawn({
        let (cache, old, new) = (cache.clone(), old.clone(), new.clone());
        move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            let late = runtime.block_on(status(&cache, soft(&old, &new, &[1, 2])));
            assert_eq!(late, stale());
        }
    });
    let ended = tokio::task::spawn_blocking(|| caller.join().unwrap());
    ended.await.unwrap();
    old.rows.release();
    let renewed = async || status(&cache, soft(&old, &new, &[1, 2])).await.0 == all(&[2, 2]);
    eventually("the new values", renewed).await;
}

async fn inside_of_an_open_transaction_nothing_is_held(world: World) {
    let cache = patient(&world).await;
    let table = outdated_read(&[&cache]).await;
    let read = async || {
        let inside = cache.after_commit();
        in_time(inside.scope(cache.scope(read(&table, &[1, 2])))).await
    };
    table.rows.fail(1);
    assert_eq!(read().await, Err(Failed), "it sees what is not for others");
    assert_eq!(read().await, Ok(all(&[2, 2])));
    let stats = cache.stats().total();
    assert_eq!((stats.renewals, stats.bypasses), (0, 4));
}

#[redis_cached(
    batch(id in ids),
    ttl = 0.05,
    jitter = 0.0,
    stale_if_error = 600,
    soft_timeout = 600,
    tags = ["held:tag:<id>"],
    key = "held:tagged:<id>",
    skip(table)
)]
async fn tagged(table: &Table, ids: &[u64]) -> Result<Values, Failed> {
    table.load(ids).await.ok_or(Failed)
}

async fn outdated_tagged(cache: &Cache) -> Table {
    let read = async |table: &Table| tagged(table, &[1, 2]).await;
    let table = outdated(&[cache], "held:tagged", read).await;
    // What is read by hand does not know the tags, and so not the end of the TTL.
    tokio::time::sleep(Duration::from_millis(60)).await;
    table
}

#[redis_cached(ttl = 600, key = "held:sum", skip(table))]
async fn sum(table: &Table) -> Result<u64, Failed> {
    Ok(tagged(table, &[1, 2]).await?.into_values().sum())
}

async fn a_load_that_is_not_late_tells_its_caller_its_tags(world: World) {
    let cache = patient(&world).await;
    let table = outdated_tagged(&cache).await;
    let read = async || in_time(cache.scope(sum(&table).with_info())).await;
    let kept = async |value: u64| {
        eventually("a hit", async || read().await.1.status() == Status::Hit).await;
        assert_eq!(read().await.0, Ok(value));
    };
    kept(4).await;
    table.rows.write();
    kept(4).await;
    cache.invalidate_tag("held:tag:2").await.unwrap();
    assert_ne!(read().await.0, Ok(4));
}

async fn held_entries_go_with_their_tags_and_are_replaced_under_them(world: World) {
    let cache = patient(&world).await;
    let table = outdated_tagged(&cache).await;
    let read = async || in_time(cache.scope(tagged(&table, &[1, 2]))).await;
    assert_eq!(read().await, Ok(all(&[2, 2])));
    cache.flush().await.unwrap();
    cache.invalidate_tag("held:tag:1").await.unwrap();
    table.rows.fail(usize::MAX);
    assert_eq!(read().await, Err(Failed), "nothing is held of the first");
}

#[redis_cached(
    batch(id in ids),
    ttl = 0.05,
    jitter = 0.0,
    stale_if_error = 600,
    version = version_of,
    key = "held:versioned:<id>",
    skip(table)
)]
async fn versioned(table: &Table, ids: &[u64]) -> Result<Values, Failed> {
    table.load(ids).await.ok_or(Failed)
}

/// That of the second id is the table's.
async fn version_of(table: &Table, id: u64) -> u64 {
    match id {
        2 => table.rows.version(),
        _ => 1,
    }
}

async fn held_entries_of_another_version_answer_nothing(world: World) {
    let cache = patient(&world).await;
    let read = async |table: &Table| versioned(table, &[1, 2]).await;
    let table = outdated(&[&cache], "held:versioned", read).await;
    table.rows.fail(usize::MAX);
    let failed = in_time(cache.scope(versioned(&table, &[2]))).await;
    assert_eq!(failed, Err(Failed));
    let first = in_time(cache.scope(versioned(&table, &[1]))).await;
    assert_eq!(first, Ok([(1, 1)].into()));
}

#[redis_cached(ttl = 600, key = "held:outer", skip(table))]
async fn outer(table: &Table) -> Result<u64, Failed> {
    Ok(read(table, &[1, 2]).await?.into_values().sum())
}

async fn what_is_made_of_held_values_is_not_stored(world: World) {
    let cache = world.patient_cache().await;
    let table = outdated_read(&[&cache]).await;
    table.rows.fail(1);
    assert_eq!(in_time(cache.scope(outer(&table))).await, Ok(2));
    let new = async || in_time(cache.scope(outer(&table))).await == Ok(4);
    eventually("the new values", new).await;
}

#[redis_cached(
    batch(id in ids),
    ttl = 0.05,
    jitter = 0.0,
    stale_if_error = 600,
    unless = *result == 2,
    key = "held:odd:<id>",
    skip(table)
)]
async fn odd(table: &Table, ids: &[u64]) -> Result<Values, Failed> {
    table.load(ids).await.ok_or(Failed)
}

async fn what_is_not_to_be_kept_is_gone_when_the_caller_goes_on(world: World) {
    let cache = patient(&world).await;
    let read = async |table: &Table| odd(table, &[1, 2]).await;
    let table = outdated(&[&cache], "held:odd", read).await;
    let found = status(&cache, odd(&table, &[1, 2])).await;
    assert_eq!(found, (all(&[2, 2]), Status::Miss));
    table.rows.fail(1);
    let failed = in_time(cache.scope(odd(&table, &[1, 2]))).await;
    assert_eq!(failed, Err(Failed), "there is nothing to go back to");
}

const IF_ERROR: Policy = Policy::new()
    .ttl(Duration::from_millis(50))
    .jitter(Jitter::NONE)
    .stale_if_error(Duration::from_secs(600))
    .soft_timeout(Duration::from_millis(1));

/// Under a policy, whose load borrows: whoever runs it waits for it.
async fn by_hand(table: &Table, ids: &[u64]) -> Result<Values, Failed> {
    let key = |id: &u64| Key::new("held:hand:").value(*id);
    let load = |ids: Vec<u64>| async move { table.load(&ids).await.ok_or(Failed) };
    let cache = Cache::current().unwrap();
    let entries = cache.entries(ids.iter().copied(), key).policy(&IF_ERROR);
    entries.get_or_fill(load).await
}

async fn entries_by_hand_are_held_as_well(world: World) {
    let cache = patient(&world).await;
    let read = async |table: &Table| by_hand(table, &[1, 2]).await;
    let table = outdated(&[&cache], "held:hand", read).await;
    table.rows.hold();
    let first = cache.spawn({
        let table = table.clone();
        async move { by_hand(&table, &[1, 2]).await }
    });
    table.rows.begun(2).await;
    let second = in_time(cache.scope(by_hand(&table, &[1, 2]))).await;
    assert_eq!(second, Ok(all(&[1, 1])), "its patience is short");
    assert!(!first.is_finished());
    table.rows.release();
    assert_eq!(in_time(first).await.unwrap(), Ok(all(&[2, 2])));
    assert_eq!(table.asked(), [[1, 2]]);
}

async fn held_ids_are_claimed_replaced_and_looked_at_together(world: World) {
    let cache = patient(&world).await;
    let server = world.server().unwrap();
    let sent = async |table: &Table, expected: &[(&str, u64)]| {
        server.reset_commands();
        status(&cache, read(table, &[1, 2])).await;
        cache.flush().await.unwrap();
        let mut commands = server.commands();
        let found = expected
            .iter()
            .map(|(name, _)| (*name, commands.remove(*name).unwrap_or(0)));
        assert_eq!(found.collect::<Vec<_>>(), expected);
    };
    // The look; two claims; two fills, and two releases of the claims.
    let table = outdated_read(&[&cache]).await;
    sent(&table, &[("mget", 1), ("evalsha", 4), ("set", 2 + 2)]).await;
    for id in [1, 2] {
        expired(&format!("held:{id}"), [&cache]).await;
    }
    // The look; two claims; word of the failure in their places, and a look whether the entries stand.
    table.rows.fail(1);
    sent(&table, &[("mget", 2), ("evalsha", 2), ("set", 2 + 2)]).await;
}

#[redis_cached(
    batch(id in ids),
    ttl = 0.05,
    jitter = 0.0,
    stale_if_error = 600,
    key = "held-results:<id>",
    skip(table)
)]
async fn results(table: &Table, ids: &[u64]) -> HashMap<u64, Result<u64, String>> {
    let found = table.load(ids).await;
    let failed = || "failed".to_owned();
    let result = |id: &u64| {
        (
            *id,
            found.as_ref().map(|found| found[id]).ok_or_else(failed),
        )
    };
    ids.iter().map(result).collect()
}

async fn a_value_that_is_an_error_is_no_failed_load(world: World) {
    let (cache, table) = (patient(&world).await, Table::new());
    let call = async || in_time(cache.scope(results(&table, &[1, 2]).with_info())).await;
    let both = |result: Result<u64, &str>| {
        let result = result.map_err(str::to_owned);
        HashMap::from([1, 2].map(|id| (id, result.clone())))
    };
    assert_eq!(call().await.0, both(Ok(1)));
    filled(&cache, 2).await;
    for id in [1, 2] {
        let key = format!("held-results:{id}");
        eventually("the end of the TTL", async || {
            let entry = cache.get::<Result<u64, String>>(&key).await;
            entry.unwrap().is_none()
        })
        .await;
    }
    table.rows.write();
    table.rows.fail(1);
    assert_eq!(call().await.0, both(Err("failed")));
    let (loaded, info) = call().await;
    assert_eq!(
        (loaded, info.status()),
        (both(Ok(2)), Status::Miss),
        "the old values are gone"
    );
}

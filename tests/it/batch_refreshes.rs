//! Batches with stale windows, early refreshes and audits: the ids that want it are loaded once more, by one
//! load behind the caller.

use std::convert::Infallible;
use std::time::Duration;

use cached_redis::{Cache, CachedExt as _, Jitter, Key, Policy, Status, current, redis_cached};
use tokio::runtime::Builder;
use tokio::task::JoinHandle;

use crate::support::table::{Table, Values, all, status};
use crate::support::{
    World, eventually, expired, filled, in_time, on_both_stores, on_redis, waiting,
};

on_both_stores!(
    past_their_ttl_values_are_served_and_loaded_anew_by_one_load_behind_the_caller,
    ids_that_are_missing_are_loaded_for_the_caller_and_stale_ones_behind_it,
    one_of_many_callers_and_processes_loads_anew,
    a_batch_and_the_function_of_one_id_load_an_entry_anew_once,
    values_that_are_not_to_be_kept_remove_the_old_ones,
    a_failed_load_behind_a_batch_leaves_the_source_alone_for_the_throttle,
    a_load_that_panics_behind_a_batch_leaves_the_old_values,
    what_was_invalidated_behind_a_batch_is_not_filled,
    entries_under_tags_are_loaded_anew_under_them,
    nothing_of_another_version_is_served_in_a_stale_window,
    a_missing_id_that_is_slow_or_fails_keeps_no_stale_one_from_its_refresh,
    what_is_made_of_stale_values_leaves_the_old_ones,
    a_load_of_too_many_tags_leaves_the_old_values,
    where_the_load_borrows_one_caller_has_the_new_values,
    where_the_load_borrows_nobody_is_kept_from_a_refresh_that_has_not_begun,
    what_is_made_of_stale_values_of_a_batch_is_not_stored,
    values_close_to_their_end_are_loaded_anew_behind_the_caller,
    hits_of_a_batch_are_audited_by_one_load,
    what_is_found_after_a_wait_is_loaded_anew_before_the_next_one,
    a_refresh_is_stored_where_its_caller_has_read,
    inside_of_an_open_transaction_nothing_is_loaded_anew,
    a_refresh_whose_runtime_ends_leaves_its_ids_to_the_next_caller,
);
on_redis!(a_refresh_of_a_batch_is_one_round_trip_each_for_claims_and_fills);

#[redis_cached(
    batch(id in ids),
    ttl = 0.05,
    jitter = 0.0,
    stale_while_revalidate = 600,
    key = "batch-refreshes:<id>",
    skip(table)
)]
async fn read(table: &Table, ids: &[u64]) -> Result<Values, String> {
    table.load(ids).await.ok_or_else(|| "failed".to_owned())
}

#[redis_cached(
    ttl = 0.05,
    jitter = 0.0,
    stale_while_revalidate = 600,
    key = "batch-refreshes:<id>",
    skip(table)
)]
async fn read_one(table: &Table, id: u64) -> Result<Option<u64>, String> {
    let found = table.load(&[id]).await.ok_or_else(|| "failed".to_owned())?;
    Ok(found.get(&id).copied())
}

/// Has ids 1 and 2 loaded, waits for the end of their TTL in all of `processes`, and changes and holds the
/// source.
async fn outdated(processes: &[&Cache]) -> Table {
    let (cache, table) = (processes[0], Table::new());
    let loaded = status(cache, read(&table, &[1, 2])).await;
    assert_eq!(loaded, (all(&[1, 1]), Status::Miss));
    filled(cache, 2).await;
    end_ttl(processes, "batch-refreshes").await;
    table.asked();
    table.rows.write();
    table.rows.hold();
    table
}

async fn end_ttl(processes: &[&Cache], prefix: &str) {
    for id in [1, 2] {
        expired(&format!("{prefix}:{id}"), processes.iter().copied()).await;
    }
}

/// Reads until the new values are there.
async fn renewed(cache: &Cache, table: &Table, values: &[u64]) {
    eventually("the new values", async || {
        status(cache, read(table, &[1, 2])).await.0 == all(values)
    })
    .await;
}

async fn past_their_ttl_values_are_served_and_loaded_anew_by_one_load_behind_the_caller(
    world: World,
) {
    let cache = world.patient_cache().await;
    let table = outdated(&[&cache]).await;
    for _ in 0..3 {
        let found = status(&cache, read(&table, &[1, 2])).await;
        assert_eq!(found, (all(&[1, 1]), Status::Stale));
    }
    table.rows.begun(2).await;
    assert_eq!(table.asked(), [[1, 2]]);
    table.rows.release();
    renewed(&cache, &table, &[2, 2]).await;
    let stats = cache.stats().total();
    assert!(stats.stale >= 6 && stats.renewals >= 2, "{stats:?}");
    assert_eq!((stats.misses, stats.waits), (2, 0));
}

async fn ids_that_are_missing_are_loaded_for_the_caller_and_stale_ones_behind_it(world: World) {
    let cache = world.patient_cache().await;
    let table = outdated(&[&cache]).await;
    table.rows.release();
    let found = status(&cache, read(&table, &[1, 2, 3])).await;
    assert_eq!(found, (all(&[1, 1, 2]), Status::Miss));
    table.rows.begun(3).await;
    let mut asked = table.asked();
    asked.sort_unstable();
    assert_eq!(asked, [vec![1, 2], vec![3]]);
}

/// The same entries; there is an id that fails.
#[redis_cached(
    batch(id in ids),
    ttl = 0.05,
    jitter = 0.0,
    stale_while_revalidate = 600,
    key = "batch-refreshes:<id>",
    skip(table)
)]
async fn fails_for_9(table: &Table, ids: &[u64]) -> Result<Values, String> {
    let failure = || "failed".to_owned();
    if ids.contains(&9) {
        return Err(failure());
    }
    table.load(ids).await.ok_or_else(failure)
}

async fn a_missing_id_that_is_slow_or_fails_keeps_no_stale_one_from_its_refresh(world: World) {
    let cache = world.patient_cache().await;
    let table = outdated(&[&cache]).await;
    let call = cache.scope(fails_for_9(&table, &[1, 2, 9]));
    assert_eq!(in_time(call).await, Err("failed".to_owned()));
    table.rows.begun(2).await;
    table.rows.release();
    cache.flush().await.unwrap();
    end_ttl(&[&cache], "batch-refreshes").await;
    table.rows.write();
    table.rows.hold();
    let slow = cache.spawn({
        let table = table.clone();
        async move { read(&table, &[1, 2, 3]).await }
    });
    table.rows.begun(4).await;
    assert!(!slow.is_finished());
    table.rows.release();
    let expected = (1..).zip([2, 2, 3]).collect();
    assert_eq!(in_time(slow).await.unwrap(), Ok(expected));
    renewed(&cache, &table, &[3, 3]).await;
}

async fn one_of_many_callers_and_processes_loads_anew(world: World) {
    let [cache, other] = [world.patient_cache().await, world.patient_cache().await];
    let table = outdated(&[&cache, &other]).await;
    let calls = (0..32).map(|call| {
        let (table, cache) = (table.clone(), [&cache, &other][call % 2]);
        cache.spawn(async move { read(&table, &[1, 2]).await })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(in_time(call).await.unwrap(), Ok(all(&[1, 1])));
    }
    // By one of them, or each id by another one: they claim one after the other.
    let mut asked = Vec::new();
    let both = async {
        while asked.len() < 2 {
            asked.extend(table.asked().concat());
            tokio::task::yield_now().await;
        }
    };
    in_time(both).await;
    asked.sort_unstable();
    assert_eq!(asked, [1, 2]);
    for process in [&cache, &other] {
        assert_eq!(status(process, read(&table, &[1, 2])).await.0, all(&[1, 1]));
    }
    assert!(table.asked().is_empty(), "nobody begins another");
    table.rows.release();
    for process in [&cache, &other] {
        renewed(process, &table, &[2, 2]).await;
    }
}

async fn a_batch_and_the_function_of_one_id_load_an_entry_anew_once(world: World) {
    let cache = world.patient_cache().await;
    let table = outdated(&[&cache]).await;
    assert_eq!(cache.scope(read_one(&table, 1)).await, Ok(Some(1)));
    table.rows.begun(2).await;
    let found = status(&cache, read(&table, &[1, 2])).await;
    assert_eq!(found, (all(&[1, 1]), Status::Stale));
    table.rows.begun(3).await;
    assert_eq!(table.asked(), [[1], [2]]);
    table.rows.release();
}

async fn a_failed_load_behind_a_batch_leaves_the_source_alone_for_the_throttle(world: World) {
    let build = || world.builder().throttle(Duration::from_secs(600)).build();
    let [cache, other] = [build().await.unwrap(), build().await.unwrap()];
    let table = outdated(&[&cache, &other]).await;
    table.rows.fail(usize::MAX);
    table.rows.release();
    let stale = (all(&[1, 1]), Status::Stale);
    assert_eq!(status(&cache, read(&table, &[1, 2])).await, stale);
    let failed = async || cache.stats().total().loads == 2;
    eventually("the load to fail", failed).await;
    cache.flush().await.unwrap();
    for _ in 0..20 {
        for process in [&cache, &other] {
            assert_eq!(status(process, read(&table, &[1, 2])).await, stale);
        }
    }
    assert_eq!(table.asked(), [[1, 2]]);
}

async fn what_was_invalidated_behind_a_batch_is_not_filled(world: World) {
    let [cache, other] = [world.patient_cache().await, world.patient_cache().await];
    let table = outdated(&[&cache]).await;
    status(&cache, read(&table, &[1, 2])).await;
    table.rows.begun(2).await;
    table.rows.write();
    other.invalidate("batch-refreshes:1").await.unwrap();
    table.rows.release();
    cache.flush().await.unwrap();
    assert_eq!(cache.stats().total().refused_fills, 1);
    let found = status(&other, read(&table, &[1])).await;
    assert_eq!(found, (all(&[3]), Status::Miss));
}

#[redis_cached(
    batch(id in ids),
    ttl = 0.05,
    jitter = 0.0,
    negative_ttl = 0,
    stale_while_revalidate = 600,
    unless = *result == 2,
    key = "batch-refreshes:odd:<id>",
    skip(table)
)]
async fn odd(table: &Table, ids: &[u64]) -> Values {
    table.load(ids).await.unwrap()
}

async fn values_that_are_not_to_be_kept_remove_the_old_ones(world: World) {
    let (cache, table) = (world.patient_cache().await, Table::new());
    cache.scope(odd(&table, &[1, 2])).await;
    filled(&cache, 2).await;
    end_ttl(&[&cache], "batch-refreshes:odd").await;
    table.rows.write();
    assert_eq!(cache.scope(odd(&table, &[1, 2])).await, all(&[1, 1]));
    cache.flush().await.unwrap();
    assert_eq!(cache.scope(odd(&table, &[1, 2])).await, all(&[2, 2]));
}

#[redis_cached(
    batch(id in ids),
    ttl = 0.05,
    jitter = 0.0,
    stale_while_revalidate = 600,
    key = "batch-refreshes:panic:<id>",
    skip(table, panics)
)]
async fn panics(table: &Table, ids: &[u64], panics: bool) -> Values {
    let values = table.load(ids).await.unwrap();
    assert!(!panics, "this load was asked to panic");
    values
}

async fn a_load_that_panics_behind_a_batch_leaves_the_old_values(world: World) {
    let (cache, table) = (world.patient_cache().await, Table::new());
    cache.scope(panics(&table, &[1, 2], false)).await;
    filled(&cache, 2).await;
    end_ttl(&[&cache], "batch-refreshes:panic").await;
    table.rows.write();
    for loads in 2..4 {
        eventually("another try", async || {
            let found = cache.scope(panics(&table, &[1, 2], true)).await;
            assert_eq!(found, all(&[1, 1]));
            table.rows.loads() >= loads
        })
        .await;
    }
    eventually("the new values", async || {
        cache.scope(panics(&table, &[1, 2], false)).await == all(&[2, 2])
    })
    .await;
}

#[redis_cached(
    batch(id in ids),
    ttl = 0.05,
    jitter = 0.0,
    stale_while_revalidate = 600,
    tags = ["batch-refreshes:<id>"],
    key = "batch-refreshes:tagged:<id>",
    skip(table)
)]
async fn tagged(table: &Table, ids: &[u64]) -> Values {
    current().tag("batch-refreshes:found");
    table.load(ids).await.unwrap()
}

async fn entries_under_tags_are_loaded_anew_under_them(world: World) {
    let [cache, other] = [world.patient_cache().await, world.patient_cache().await];
    let table = Table::new();
    let read = async |cache: &Cache| in_time(cache.scope(tagged(&table, &[1, 2]))).await;
    // The first load finds a tag, and only names it.
    for fills in [2, 4] {
        read(&cache).await;
        filled(&cache, fills - 2).await;
        cache.flush().await.unwrap();
    }
    for (version, name) in (2..).zip(["batch-refreshes:1", "batch-refreshes:found"]) {
        table.rows.write();
        eventually("the new values", async || {
            read(&cache).await == all(&[version, version])
        })
        .await;
        cache.flush().await.unwrap();
        table.rows.hold();
        other.invalidate_tag(name).await.unwrap();
        let begun = table.rows.loads();
        let reading = cache.spawn({
            let table = table.clone();
            async move { tagged(&table, &[1]).await }
        });
        table.rows.begun(begun + 1).await;
        assert!(!reading.is_finished(), "it is not served: {name}");
        table.rows.release();
        in_time(reading).await.unwrap();
    }
}

#[redis_cached(
    batch(id in ids),
    ttl = 0.05,
    jitter = 0.0,
    stale_while_revalidate = 600,
    version = version_of,
    key = "batch-refreshes:versioned:<id>",
    skip(table)
)]
async fn versioned(table: &Table, ids: &[u64]) -> Values {
    table.load(ids).await.unwrap()
}

async fn version_of(table: &Table, _: u64) -> u64 {
    table.rows.version()
}

async fn nothing_of_another_version_is_served_in_a_stale_window(world: World) {
    let (cache, table) = (world.patient_cache().await, Table::new());
    cache.scope(versioned(&table, &[1, 2])).await;
    filled(&cache, 2).await;
    end_ttl(&[&cache], "batch-refreshes:versioned").await;
    let (found, info) = cache.scope(versioned(&table, &[1, 2]).with_info()).await;
    assert_eq!((found, info.status()), (all(&[1, 1]), Status::Stale));
    // The refreshed entries are of the version as well.
    filled(&cache, 4).await;
    table.rows.write();
    let (found, info) = cache.scope(versioned(&table, &[1, 2]).with_info()).await;
    assert_eq!((found, info.status()), (all(&[2, 2]), Status::Miss));
}

#[redis_cached(
    batch(id in ids),
    ttl = 0.05,
    jitter = 0.0,
    stale_while_revalidate = 600,
    key = "batch-refreshes:pages:<id>",
    skip(table, nests)
)]
async fn pages(table: &Table, ids: &[u64], nests: bool) -> Values {
    match nests {
        true => read(table, ids).await.unwrap(),
        false => table.load(ids).await.unwrap(),
    }
}

#[redis_cached(
    ttl = 0.05,
    jitter = 0.0,
    stale_while_revalidate = 600,
    key = "batch-refreshes:page",
    skip(table, nests)
)]
async fn page(table: &Table, nests: bool) -> usize {
    match nests {
        true => read(table, &[1, 2]).await.unwrap().len(),
        false => 2,
    }
}

async fn what_is_made_of_stale_values_leaves_the_old_ones(world: World) {
    let cache = world.patient_cache().await;
    let table = outdated(&[&cache]).await;
    table.rows.release();
    let read = async |nests| {
        cache.scope(pages(&table, &[1, 2], nests)).await;
        cache.scope(page(&table, nests)).await;
    };
    read(false).await;
    filled(&cache, 5).await;
    end_ttl(&[&cache], "batch-refreshes:pages").await;
    expired("batch-refreshes:page", [&cache]).await;
    // Both are loaded once more, of what is stale.
    table.rows.hold();
    let before = cache.stats().total();
    read(true).await;
    let loads = async || cache.stats().total().loads == before.loads + 2;
    eventually("the loads to end", loads).await;
    table.rows.release();
    cache.flush().await.unwrap();
    read(true).await;
    let misses = cache.stats().total().misses;
    assert_eq!(misses, before.misses, "nothing is removed");
}

#[redis_cached(
    batch(id in ids),
    ttl = 0.05,
    jitter = 0.0,
    stale_while_revalidate = 600,
    key = "batch-refreshes:labels:<id>",
    skip(table, tags)
)]
async fn labels(table: &Table, ids: &[u64], tags: u64) -> Values {
    (0..tags).for_each(|tag| current().tag(format!("batch-refreshes:label:{tag}")));
    table.load(ids).await.unwrap()
}

async fn a_load_of_too_many_tags_leaves_the_old_values(world: World) {
    let (cache, table) = (world.patient_cache().await, Table::new());
    cache.scope(labels(&table, &[1, 2], 0)).await;
    filled(&cache, 2).await;
    end_ttl(&[&cache], "batch-refreshes:labels").await;
    table.rows.write();
    for _ in 0..2 {
        let found = cache.scope(labels(&table, &[1, 2], 65)).await;
        assert_eq!(found, all(&[1, 1]));
        cache.flush().await.unwrap();
    }
    // The second call came while the key was left alone, or loaded as well.
    let stats = cache.stats().total();
    assert_eq!(stats.errors, stats.loads - 1, "each load is told once");
    eventually("the new values", async || {
        cache.scope(labels(&table, &[1, 2], 0)).await == all(&[2, 2])
    })
    .await;
    assert_eq!(cache.stats().total().misses, 2);
}

const WINDOW: Policy = Policy::new()
    .ttl(Duration::from_millis(50))
    .jitter(Jitter::NONE)
    .stale_while_revalidate(Duration::from_secs(600));

/// Under a policy, whose load borrows.
async fn in_place(table: &Table, ids: &[u64]) -> Values {
    let key = |id: &u64| Key::new("batch-refreshes:place:").value(*id);
    let load = |ids: Vec<u64>| async move { Ok::<_, Infallible>(table.load(&ids).await.unwrap()) };
    let cache = Cache::current().unwrap();
    let entries = cache.entries(ids.iter().copied(), key).policy(&WINDOW);
    let Ok(values) = entries.get_or_fill(load).await;
    values
}

async fn where_the_load_borrows_one_caller_has_the_new_values(world: World) {
    let (cache, table) = (world.patient_cache().await, Table::new());
    cache.scope(in_place(&table, &[1, 2])).await;
    filled(&cache, 2).await;
    end_ttl(&[&cache], "batch-refreshes:place").await;
    table.rows.write();
    table.rows.hold();
    let first = reader(&cache, &table, &[1, 2]);
    table.rows.begun(2).await;
    let second = in_time(cache.scope(in_place(&table, &[1, 2]))).await;
    assert_eq!(second, all(&[1, 1]));
    table.rows.release();
    assert_eq!(in_time(first).await.unwrap(), all(&[2, 2]));
    assert_eq!(table.asked(), [[1, 2], [1, 2]]);
}

fn reader(cache: &Cache, table: &Table, ids: &'static [u64]) -> JoinHandle<Values> {
    let table = table.clone();
    cache.spawn(async move { in_place(&table, ids).await })
}

async fn where_the_load_borrows_nobody_is_kept_from_a_refresh_that_has_not_begun(world: World) {
    let (cache, table) = (world.patient_cache().await, Table::new());
    cache.scope(in_place(&table, &[1, 2])).await;
    filled(&cache, 2).await;
    end_ttl(&[&cache], "batch-refreshes:place").await;
    table.rows.hold();
    // It waits for what is missing, and only then loads anew.
    let first = reader(&cache, &table, &[1, 2, 3]);
    table.rows.begun(2).await;
    let second = reader(&cache, &table, &[1, 2]);
    table.rows.begun(3).await;
    assert_eq!(table.asked(), [vec![1, 2], vec![3], vec![1, 2]]);
    table.rows.release();
    for reader in [first, second] {
        in_time(reader).await.unwrap();
    }
}

#[redis_cached(ttl = 600, key = "batch-refreshes:outer", skip(table))]
async fn outer(table: &Table) -> u64 {
    read(table, &[1, 2]).await.unwrap().into_values().sum()
}

async fn what_is_made_of_stale_values_of_a_batch_is_not_stored(world: World) {
    let cache = world.patient_cache().await;
    let table = outdated(&[&cache]).await;
    assert_eq!(cache.scope(outer(&table)).await, 2);
    table.rows.begun(2).await;
    table.rows.release();
    renewed(&cache, &table, &[2, 2]).await;
    assert_eq!(cache.scope(outer(&table)).await, 4);
}

#[redis_cached(
    batch(id in ids),
    ttl = 600,
    jitter = 0.0,
    refresh_ahead = 0.000_001,
    key = "batch-refreshes:ahead:<id>",
    skip(table)
)]
async fn ahead(table: &Table, ids: &[u64]) -> Values {
    table.load(ids).await.unwrap()
}

/// So eager that almost every look is an early one.
#[redis_cached(
    batch(id in ids),
    ttl = 600,
    jitter = 0.0,
    early_expiry = 1e9,
    key = "batch-refreshes:early:<id>",
    skip(table)
)]
async fn early(table: &Table, ids: &[u64]) -> Values {
    let values = table.load(ids).await.unwrap();
    // A load that takes no time never expires early.
    tokio::time::sleep(Duration::from_millis(1)).await;
    values
}

async fn values_close_to_their_end_are_loaded_anew_behind_the_caller(world: World) {
    let cache = world.patient_cache().await;
    let (first, second) = (Table::new(), Table::new());
    cache.scope(ahead(&first, &[1, 2])).await;
    cache.scope(early(&second, &[1, 2])).await;
    filled(&cache, 4).await;
    first.rows.write();
    second.rows.write();
    eventually("the new values", async || {
        let (one, info) = cache.scope(ahead(&first, &[1, 2]).with_info()).await;
        assert_eq!(info.status(), Status::Hit);
        let (other, info) = cache.scope(early(&second, &[1, 2]).with_info()).await;
        assert_eq!(info.status(), Status::Hit);
        (one, other) == (all(&[2, 2]), all(&[2, 2]))
    })
    .await;
}

#[redis_cached(
    batch(id in ids),
    ttl = 600,
    audit = 1,
    tags = "batch-refreshes:audits",
    key = "batch-refreshes:audited:<id>",
    skip(table)
)]
async fn with_audits(table: &Table, ids: &[u64]) -> Values {
    table.load(ids).await.unwrap()
}

async fn hits_of_a_batch_are_audited_by_one_load(world: World) {
    let (cache, table) = (world.cache().await, Table::new());
    let audits = async |audits: u64| {
        let stats = async || cache.stats().total();
        eventually("the audits", async || stats().await.audits == audits).await;
        stats().await
    };
    cache.scope(with_audits(&table, &[1, 2])).await;
    filled(&cache, 2).await;
    assert_eq!(
        cache.scope(with_audits(&table, &[1, 2, 3])).await,
        all(&[1, 1, 1])
    );
    assert_eq!(audits(2).await.stale_audits, 0);
    filled(&cache, 3).await;
    table.rows.write();
    assert_eq!(
        cache.scope(with_audits(&table, &[1, 2])).await,
        all(&[1, 1])
    );
    let stats = audits(4).await;
    assert_eq!(
        (stats.stale_audits, stats.fills),
        (2, 3),
        "an audit stores nothing"
    );
    let mut asked = table.asked();
    asked.sort_unstable();
    assert_eq!(asked, [vec![1, 2], vec![1, 2], vec![1, 2], vec![3]]);
}

async fn a_refresh_of_a_batch_is_one_round_trip_each_for_claims_and_fills(world: World) {
    let cache = world.patient_cache().await;
    let table = outdated(&[&cache]).await;
    table.rows.release();
    let server = world.server().unwrap();
    server.reset_commands();
    status(&cache, read(&table, &[1, 2])).await;
    cache.flush().await.unwrap();
    let mut commands = server.commands();
    let mut sent = |name: &str| commands.remove(name).unwrap_or(0);
    // The look; two claims; two fills, and two releases of the claims.
    assert_eq!((sent("mget"), sent("evalsha")), (1, 4));
    assert_eq!(sent("set"), 2 + 2);
}

#[redis_cached(
    batch(id in ids),
    ttl = 0.05,
    jitter = 0.0,
    stale_while_revalidate = 600,
    key = "batch-refreshes:<id>",
    cache = cache,
    skip(cache, table)
)]
async fn read_from(cache: &Cache, table: &Table, ids: &[u64]) -> Result<Values, String> {
    let _: &Cache = cache;
    table.load(ids).await.ok_or_else(|| "failed".to_owned())
}

async fn a_refresh_is_stored_where_its_caller_has_read(world: World) {
    let (cache, scoped) = (world.patient_cache().await, World::in_memory());
    let scoped = scoped.patient_cache().await;
    let table = outdated(&[&cache]).await;
    table.rows.release();
    let read = async || status(&scoped, read_from(&cache, &table, &[1, 2])).await.0;
    assert_eq!(read().await, all(&[1, 1]));
    eventually("the new values", async || read().await == all(&[2, 2])).await;
    assert_eq!(scoped.stats().total().loads, 0);
}

async fn inside_of_an_open_transaction_nothing_is_loaded_anew(world: World) {
    let cache = world.patient_cache().await;
    let table = outdated(&[&cache]).await;
    let stale = (all(&[1, 1]), Status::Stale);
    let transaction = cache.after_commit();
    let inside = transaction.scope(status(&cache, read(&table, &[1, 2])));
    assert_eq!(inside.await, stale);
    cache.flush().await.unwrap();
    assert_eq!(cache.stats().total().renewals, 0);
    assert_eq!(status(&cache, read(&table, &[1, 2])).await, stale);
    table.rows.begun(2).await;
    table.rows.release();
}

async fn a_refresh_whose_runtime_ends_leaves_its_ids_to_the_next_caller(world: World) {
    let cache = world.patient_cache().await;
    let table = outdated(&[&cache]).await;
    let caller = std::thread::spawn({
        let (cache, table) = (cache.clone(), table.clone());
        move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                status(&cache, read(&table, &[1, 2])).await;
                table.rows.begun(2).await;
            });
        }
    });
    tokio::task::spawn_blocking(|| caller.join().unwrap())
        .await
        .unwrap();
    table.rows.release();
    renewed(&cache, &table, &[2, 2]).await;
}

/// The second id is of a table of its own. Every look is an early one.
#[redis_cached(
    batch(id in ids),
    ttl = 600,
    jitter = 0.0,
    early_expiry = 1e15,
    key = "batch-refreshes:waits:<id>",
    skip(first, second)
)]
async fn waits(first: &Table, second: &Table, ids: &[u64]) -> Values {
    let table = match ids.contains(&2) {
        true => second,
        false => first,
    };
    let values = table.load(ids).await.unwrap();
    // A load that takes no time never expires early.
    tokio::time::sleep(Duration::from_millis(1)).await;
    values
}

async fn what_is_found_after_a_wait_is_loaded_anew_before_the_next_one(world: World) {
    let (cache, first, second) = (world.patient_cache().await, Table::new(), Table::new());
    first.rows.hold();
    second.rows.hold();
    let read = |ids: &'static [u64]| {
        let (first, second) = (first.clone(), second.clone());
        cache.spawn(async move { waits(&first, &second, ids).await })
    };
    let leaders = [read(&[1]), read(&[2])];
    first.rows.begun(1).await;
    second.rows.begun(1).await;
    let reader = read(&[1, 2]);
    waiting(&cache, 2).await;
    first.rows.release();
    first.rows.begun(2).await;
    assert!(!reader.is_finished(), "it waits for the second id");
    second.rows.release();
    for reader in leaders.into_iter().chain([reader]) {
        in_time(reader).await.unwrap();
    }
}

//! Batches: many ids in one call, on the entries of the single form.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cached_redis::error::Timeout;
use cached_redis::stats::FunctionStats;
use cached_redis::testing::Faults;
use cached_redis::{Cache, CachedExt as _, Key, Policy, Status, redis_cached};
use tokio::task::JoinHandle;

use crate::support::{
    Source, World, eventually, filled, in_time, landed, on_both_stores, on_redis, refused,
    unanswered, waiting,
};

on_both_stores!(
    the_missing_ids_are_loaded_by_one_call,
    an_id_given_twice_is_asked_for_once,
    ids_of_one_key_are_all_answered,
    ids_of_one_key_are_all_answered_by_the_load_of_another,
    an_entry_of_several_ids_has_the_value_that_any_of_them_was_given,
    without_ids_there_is_no_call,
    absent_ids_are_kept_as_absent,
    absences_are_not_kept_where_the_policy_says_so,
    a_batch_and_the_single_form_share_their_entries,
    a_single_read_joins_the_load_of_a_batch,
    a_batch_joins_the_load_of_a_single_read,
    a_batch_waits_for_the_lease_of_another_process,
    past_the_wait_budget_a_batch_loads_for_itself,
    of_a_batch_only_the_invalidated_id_is_not_kept,
    a_refreshed_batch_overtaken_by_an_invalidation_is_not_kept,
    a_failed_load_is_returned_and_told_to_those_who_waited,
    a_batch_that_waited_for_a_failed_load_fails_with_it,
    a_panic_hands_every_key_on,
    a_dropped_caller_hands_every_key_on,
    a_refreshed_batch_replaces_what_stands,
    an_uncached_batch_leaves_the_cache_alone,
    what_unless_names_is_not_kept,
    under_a_false_condition_the_function_runs,
    the_info_is_that_of_the_id_furthest_from_the_cache,
    entries_past_their_ttl_in_a_stale_window_are_loaded_anew,
    undecodable_entries_are_replaced_together,
    a_key_of_several_parameters_has_one_part_of_the_id,
    the_same_without_the_attribute,
    a_batch_of_owned_ids_returns_a_sorted_map,
    batches_are_methods_and_generic_and_boxed,
    overlapping_batches_of_two_processes_wait_for_each_other_and_not_for_ever,
    overlapping_batches_without_leases_do_not_wait_for_ever,
);

on_redis!(
    a_batch_is_one_mget_and_one_round_trip_each_for_leases_and_fills,
    hits_alone_are_one_mget,
    a_batch_of_more_than_a_command_may_name_is_read_in_parts,
    without_the_store_a_batch_is_one_load,
    a_key_that_the_store_refuses_bypasses_it_alone,
);

/// A source of users that remembers which ids it was asked for.
#[derive(Clone)]
struct Users {
    rows: Source,
    asked: Arc<Mutex<Vec<Vec<u64>>>>,
    /// Those that are being loaded.
    running: Arc<Mutex<Vec<u64>>>,
    /// Whether one ever was while it was asked for.
    met: Arc<AtomicBool>,
}

impl Users {
    fn new() -> Self {
        Self::of(Source::new())
    }

    fn held() -> Self {
        Self::of(Source::held())
    }

    fn of(rows: Source) -> Self {
        Self {
            rows,
            asked: Arc::default(),
            running: Arc::default(),
            met: Arc::default(),
        }
    }

    /// Ids from 1000 on are those of nobody.
    async fn load(&self, ids: &[u64]) -> Option<HashMap<u64, u64>> {
        self.asked.lock().unwrap().push(ids.to_vec());
        self.begin(ids);
        let version = self.rows.try_load().await;
        self.running.lock().unwrap().retain(|id| !ids.contains(id));
        let version = version?;
        let known = ids.iter().filter(|id| **id < 1000);
        Some(known.map(|id| (*id, version)).collect())
    }

    fn begin(&self, ids: &[u64]) {
        let mut running = self.running.lock().unwrap();
        if ids.iter().any(|id| running.contains(id)) {
            self.met.store(true, Ordering::SeqCst);
        }
        running.extend(ids);
    }

    /// What it was asked for since the last look.
    fn asked(&self) -> Vec<Vec<u64>> {
        let mut asked = std::mem::take(&mut *self.asked.lock().unwrap());
        asked.iter_mut().for_each(|ids| ids.sort_unstable());
        asked
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Failed;

type LoadResult<T> = Result<T, Failed>;

#[redis_cached(batch(id in ids), ttl = 60, key = "batches:<id>", skip(users))]
async fn get_all(users: &Users, ids: &[u64]) -> LoadResult<HashMap<u64, u64>> {
    users.load(ids).await.ok_or(Failed)
}

#[redis_cached(ttl = 60, key = "batches:<id>", skip(users))]
async fn get(users: &Users, id: u64) -> LoadResult<Option<u64>> {
    let found = users.load(&[id]).await.ok_or(Failed)?;
    Ok(found.get(&id).copied())
}

fn batch(cache: &Cache, users: &Users, ids: &[u64]) -> JoinHandle<LoadResult<HashMap<u64, u64>>> {
    let (users, ids) = (users.clone(), ids.to_vec());
    cache.spawn(async move { get_all(&users, &ids).await })
}

fn single(cache: &Cache, users: &Users, id: u64) -> JoinHandle<LoadResult<Option<u64>>> {
    let users = users.clone();
    cache.spawn(async move { get(&users, id).await })
}

async fn read(cache: &Cache, users: &Users, ids: &[u64]) -> HashMap<u64, u64> {
    in_time(cache.scope(get_all(users, ids))).await.unwrap()
}

fn all(ids: &[u64], version: u64) -> HashMap<u64, u64> {
    ids.iter().map(|id| (*id, version)).collect()
}

fn stats(cache: &Cache) -> FunctionStats {
    *cache.stats().function("batches::get_all").unwrap()
}

async fn the_missing_ids_are_loaded_by_one_call(world: World) {
    let cache = world.cache().await;
    let users = Users::new();
    assert_eq!(read(&cache, &users, &[2, 4]).await, all(&[2, 4], 1));
    filled(&cache, 2).await;
    assert_eq!(users.asked(), [[2, 4]]);

    assert_eq!(
        read(&cache, &users, &[1, 2, 3, 4, 5]).await,
        all(&[1, 2, 3, 4, 5], 1)
    );
    assert_eq!(users.asked(), [[1, 3, 5]]);
    filled(&cache, 5).await;
    let stats = stats(&cache);
    assert_eq!((stats.hits, stats.misses, stats.loads), (2, 5, 2));
    read(&cache, &users, &[5, 1]).await;
    assert_eq!(users.asked(), <[Vec<u64>; 0]>::default());
}

async fn an_id_given_twice_is_asked_for_once(world: World) {
    let cache = world.cache().await;
    let users = Users::new();
    assert_eq!(read(&cache, &users, &[7, 8, 7, 7]).await, all(&[7, 8], 1));
    assert_eq!(users.asked(), [[7, 8]]);
    filled(&cache, 2).await;
    read(&cache, &users, &[7, 7]).await;
    assert_eq!(stats(&cache).hits, 1);
}

const NAMES: [&str; 4] = ["Ada", "ada", "Ada", "ADA"];

/// Names whose case is no matter to the key. Those that `knows` says have a value.
async fn lengths(cache: &Cache, source: &Source, knows: fn(&str) -> bool) -> Vec<String> {
    let policy = Policy::new().ttl(Duration::from_secs(60));
    let key = |name: &String| Key::new("batches:named:").value(name.to_lowercase());
    let names = NAMES.map(str::to_owned);
    let found =
        cache
            .entries(names, key)
            .policy(&policy)
            .get_or_fill(|names: Vec<String>| async move {
                assert_eq!(names, ["Ada", "ada", "ADA"], "each once");
                source.load().await;
                let known = names.into_iter().filter(|name| knows(name));
                Ok::<BTreeMap<_, _>, Failed>(known.map(|name| (name, 3)).collect())
            });
    found.await.unwrap().into_keys().collect()
}

async fn ids_of_one_key_are_all_answered(world: World) {
    let faults = Faults::seeded(1);
    let cache = world
        .builder()
        .faults(faults.clone())
        .build()
        .await
        .unwrap();
    let source = &Source::new();
    let all = ["ADA", "Ada", "ada"];
    let read = || lengths(&cache, source, |_| true);
    assert_eq!(read().await, all, "a load");
    filled(&cache, 1).await;
    assert_eq!(read().await, all, "a hit");
    let hits = cache.stats().total().hits;
    assert_eq!((source.loads(), hits), (1, 1), "of one entry");
    assert_eq!(read().refreshed().await, all);
    faults.outage(true);
    assert_eq!(read().await, all, "a bypass");
    assert_eq!(source.loads(), 3);
}

async fn ids_of_one_key_are_all_answered_by_the_load_of_another(world: World) {
    let (cache, source) = (world.cache().await, Source::held());
    let read = || {
        let (cache, source) = (cache.clone(), source.clone());
        tokio::spawn(async move { lengths(&cache, &source, |_| true).await })
    };
    let leader = read();
    source.begun(1).await;
    let joined = read();
    waiting(&cache, 1).await;
    source.release();
    let all = ["ADA", "Ada", "ada"];
    assert_eq!(leader.await.unwrap(), all);
    assert_eq!(joined.await.unwrap(), all);
    assert_eq!(source.loads(), 1);
}

async fn an_entry_of_several_ids_has_the_value_that_any_of_them_was_given(world: World) {
    let (cache, source) = (world.cache().await, Source::new());
    let knows = |name: &str| name == "ada";
    assert_eq!(lengths(&cache, &source, knows).await, ["ada"]);
    filled(&cache, 1).await;
    assert_eq!(lengths(&cache, &source, knows).await, ["ADA", "Ada", "ada"]);
    assert_eq!(source.loads(), 1);
}

async fn without_ids_there_is_no_call(world: World) {
    let cache = world.cache().await;
    let users = Users::new();
    if let Some(server) = world.server() {
        server.reset_commands();
    }
    assert!(read(&cache, &users, &[]).await.is_empty());
    assert_eq!(users.rows.loads(), 0);
    if let Some(server) = world.server() {
        assert!(server.commands().is_empty());
    }
}

async fn absent_ids_are_kept_as_absent(world: World) {
    let cache = world.cache().await;
    let users = Users::new();
    assert_eq!(read(&cache, &users, &[1, 1000]).await, all(&[1], 1));
    filled(&cache, 2).await;
    users.asked();
    assert_eq!(read(&cache, &users, &[1000, 1, 2]).await, all(&[1, 2], 1));
    assert_eq!(users.asked(), [[2]]);
    assert_eq!(cache.scope(get(&users, 1000)).await, Ok(None));
    assert_eq!(users.rows.loads(), 2);
}

#[redis_cached(batch(id in ids), ttl = 60, negative_ttl = 0, key = "batches:present:<id>", skip(users))]
async fn get_present(users: &Users, ids: &[u64]) -> HashMap<u64, u64> {
    users.load(ids).await.unwrap_or_default()
}

async fn absences_are_not_kept_where_the_policy_says_so(world: World) {
    let cache = world.cache().await;
    let users = Users::new();
    for _ in 0..2 {
        let found = cache.scope(get_present(&users, &[1, 1000])).await;
        assert_eq!(found, all(&[1], 1));
        // The lease of what is not kept is released behind the caller.
        cache.flush().await.unwrap();
    }
    assert_eq!(users.asked(), [vec![1, 1000], vec![1000]]);
}

async fn a_batch_and_the_single_form_share_their_entries(world: World) {
    let cache = world.cache().await;
    let users = Users::new();
    assert_eq!(cache.scope(get(&users, 1)).await, Ok(Some(1)));
    filled(&cache, 1).await;
    assert_eq!(read(&cache, &users, &[1, 2]).await, all(&[1, 2], 1));
    filled(&cache, 2).await;
    assert_eq!(cache.scope(get(&users, 2)).await, Ok(Some(1)));
    assert_eq!(users.asked(), [[1], [2]]);
}

async fn a_single_read_joins_the_load_of_a_batch(world: World) {
    let cache = world.cache().await;
    let users = Users::held();
    let leader = batch(&cache, &users, &[1, 2, 1000]);
    users.rows.begun(1).await;
    let [joined, absent] = [single(&cache, &users, 2), single(&cache, &users, 1000)];
    waiting(&cache, 2).await;
    users.rows.release();
    assert_eq!(in_time(joined).await.unwrap(), Ok(Some(1)));
    assert_eq!(in_time(absent).await.unwrap(), Ok(None));
    assert_eq!(leader.await.unwrap().unwrap(), all(&[1, 2], 1));
    assert_eq!(users.rows.loads(), 1);
}

async fn a_batch_joins_the_load_of_a_single_read(world: World) {
    let cache = world.cache().await;
    let users = Users::held();
    let leader = single(&cache, &users, 2);
    users.rows.begun(1).await;
    let joined = batch(&cache, &users, &[1, 2, 3]);
    // It loads its own before it waits.
    users.rows.begun(2).await;
    users.rows.release();
    assert_eq!(in_time(joined).await.unwrap().unwrap(), all(&[1, 2, 3], 1));
    assert_eq!(leader.await.unwrap(), Ok(Some(1)));
    assert_eq!(users.asked(), [vec![2], vec![1, 3]]);
    assert_eq!(stats(&cache).joined, 1);
}

async fn a_batch_waits_for_the_lease_of_another_process(world: World) {
    let [cache, other] = [world.cache().await, world.cache().await];
    let users = Users::held();
    let leader = batch(&other, &users, &[1, 2]);
    users.rows.begun(1).await;
    let waiter = batch(&cache, &users, &[1, 2, 3]);
    users.rows.begun(2).await;
    users.rows.release();
    assert_eq!(in_time(waiter).await.unwrap().unwrap(), all(&[1, 2, 3], 1));
    assert_eq!(leader.await.unwrap().unwrap(), all(&[1, 2], 1));
    assert_eq!(users.asked(), [vec![1, 2], vec![3]]);
}

async fn past_the_wait_budget_a_batch_loads_for_itself(world: World) {
    let other = world.patient().build().await.unwrap();
    let impatient = world.patient().wait_budget(Duration::from_millis(20));
    let cache = impatient.build().await.unwrap();
    let (held, users) = (Users::held(), Users::new());
    let _leader = batch(&other, &held, &[1, 2]);
    held.rows.begun(1).await;
    assert_eq!(read(&cache, &users, &[1, 2]).await, all(&[1, 2], 1));
    assert_eq!(users.asked(), [[1, 2]]);
    assert_eq!((stats(&cache).bypasses, stats(&cache).fills), (2, 0));
}

async fn of_a_batch_only_the_invalidated_id_is_not_kept(world: World) {
    let [cache, other] = [world.cache().await, world.cache().await];
    let users = Users::held();
    let overtaken = batch(&cache, &users, &[1, 2, 1000]);
    users.rows.begun(1).await;

    users.rows.write();
    other
        .invalidation()
        .keys(["batches:2", "batches:1000"])
        .send()
        .await
        .unwrap();
    users.rows.release();

    assert_eq!(overtaken.await.unwrap().unwrap(), all(&[1, 2], 1));
    refused(&cache, 2).await;
    filled(&cache, 1).await;
    users.asked();
    for process in [&cache, &other] {
        let now = HashMap::from([(1, 1), (2, 2)]);
        assert_eq!(read(process, &users, &[1, 2, 1000]).await, now);
        filled(&cache, 3).await;
    }
    assert_eq!(users.asked(), [[2, 1000]]);
}

async fn a_refreshed_batch_overtaken_by_an_invalidation_is_not_kept(world: World) {
    let cache = world.cache().await;
    let users = Users::new();
    read(&cache, &users, &[1, 2]).await;
    filled(&cache, 2).await;
    users.rows.hold();
    let overtaken = cache.spawn({
        let users = users.clone();
        async move { get_all(&users, &[1, 2, 3, 4]).refreshed().await }
    });
    users.rows.begun(2).await;

    users.rows.write();
    cache
        .invalidation()
        .keys(["batches:2", "batches:4"])
        .send()
        .await
        .unwrap();
    users.rows.release();

    assert_eq!(overtaken.await.unwrap().unwrap(), all(&[1, 2, 3, 4], 1));
    refused(&cache, 2).await;
    let now = HashMap::from([(1, 1), (2, 2), (3, 1), (4, 2)]);
    assert_eq!(read(&cache, &users, &[1, 2, 3, 4]).await, now);
}

async fn a_failed_load_is_returned_and_told_to_those_who_waited(world: World) {
    let cache = world.patient().build().await.unwrap();
    let users = Users::held();
    users.rows.fail(1);
    let leader = batch(&cache, &users, &[1, 2]);
    users.rows.begun(1).await;
    let joined = single(&cache, &users, 2);
    waiting(&cache, 1).await;
    users.rows.release();
    assert_eq!(in_time(leader).await.unwrap(), Err(Failed));
    assert_eq!(in_time(joined).await.unwrap(), Err(Failed));
    // The leases are released, not waited out.
    assert_eq!(read(&cache, &users, &[1, 2]).await, all(&[1, 2], 1));
}

async fn a_batch_that_waited_for_a_failed_load_fails_with_it(world: World) {
    let cache = world.patient().build().await.unwrap();
    let users = Users::held();
    users.rows.fail(1);
    let leader = single(&cache, &users, 2);
    users.rows.begun(1).await;
    let joined = batch(&cache, &users, &[1, 2]);
    users.rows.begun(2).await;
    users.rows.release();
    assert_eq!(in_time(leader).await.unwrap(), Err(Failed));
    assert_eq!(in_time(joined).await.unwrap(), Err(Failed));
    filled(&cache, 1).await;
    assert_eq!(cache.get("batches:1").await.unwrap(), Some(1_u64));
}

#[redis_cached(batch(id in ids), ttl = 60, key = "batches:<id>", skip(users))]
async fn panic_for(users: &Users, ids: &[u64]) -> HashMap<u64, u64> {
    users.load(ids).await;
    panic!("no users");
}

async fn a_panic_hands_every_key_on(world: World) {
    let [cache, other] = [world.patient(), world.patient()];
    let [cache, other] = [cache.build().await.unwrap(), other.build().await.unwrap()];
    let users = Users::held();
    let panics = cache.spawn({
        let users = users.clone();
        async move { panic_for(&users, &[1, 2]).await }
    });
    users.rows.begun(1).await;
    let [joined, elsewhere] = [single(&cache, &users, 1), single(&other, &users, 2)];
    waiting(&cache, 1).await;
    waiting(&other, 1).await;
    users.rows.release();
    assert!(in_time(panics).await.is_err_and(|error| error.is_panic()));
    assert_eq!(in_time(joined).await.unwrap(), Ok(Some(1)));
    assert_eq!(in_time(elsewhere).await.unwrap(), Ok(Some(1)));
}

async fn a_dropped_caller_hands_every_key_on(world: World) {
    let [cache, other] = [world.patient(), world.patient()];
    let [cache, other] = [cache.build().await.unwrap(), other.build().await.unwrap()];
    let users = Users::held();
    let dropped = batch(&cache, &users, &[1, 2, 3]);
    users.rows.begun(1).await;
    let [joined, elsewhere] = [
        batch(&cache, &users, &[1, 2]),
        batch(&other, &users, &[2, 3]),
    ];
    waiting(&cache, 2).await;
    waiting(&other, 2).await;
    dropped.abort();
    assert!(dropped.await.is_err_and(|error| error.is_cancelled()));
    users.rows.begun(2).await;
    users.rows.release();
    assert_eq!(in_time(joined).await.unwrap().unwrap(), all(&[1, 2], 1));
    assert_eq!(in_time(elsewhere).await.unwrap().unwrap(), all(&[2, 3], 1));
}

async fn a_refreshed_batch_replaces_what_stands(world: World) {
    let cache = world.cache().await;
    let users = Users::new();
    read(&cache, &users, &[1, 2]).await;
    filled(&cache, 2).await;
    users.rows.write();
    let now = cache.scope(get_all(&users, &[2, 3, 2]).refreshed()).await;
    assert_eq!(now.unwrap(), all(&[2, 3], 2));
    let seen = HashMap::from([(1, 1), (2, 2), (3, 2)]);
    assert_eq!(read(&cache, &users, &[1, 2, 3]).await, seen);
    assert_eq!(users.asked(), [[1, 2], [2, 3]]);
}

async fn an_uncached_batch_leaves_the_cache_alone(world: World) {
    let cache = world.cache().await;
    let users = Users::new();
    let found = cache.scope(get_all(&users, &[1, 2]).uncached()).await;
    assert_eq!(found.unwrap(), all(&[1, 2], 1));
    assert_eq!(cache.get::<u64>("batches:1").await.unwrap(), None);
    assert_eq!(stats(&cache).loads, 0);
}

#[redis_cached(
    batch(id in ids),
    ttl = 60,
    key = "batches:even:<id>",
    condition = !ids.contains(&0),
    unless = result % 2 == 1,
    skip(users)
)]
async fn get_even(users: &Users, ids: &[u64]) -> HashMap<u64, u64> {
    let found = users.load(ids).await.unwrap_or_default();
    found.into_keys().map(|id| (id, id)).collect()
}

async fn what_unless_names_is_not_kept(world: World) {
    let cache = world.cache().await;
    let users = Users::new();
    for _ in 0..2 {
        let found = cache.scope(get_even(&users, &[1, 2, 3, 4])).await;
        assert_eq!(found, HashMap::from([(1, 1), (2, 2), (3, 3), (4, 4)]));
        // Leases are released one by one, and each id whose lease is gone may be loaded by itself.
        cache.flush().await.unwrap();
    }
    assert_eq!(users.asked(), [vec![1, 2, 3, 4], vec![1, 3]]);
}

async fn under_a_false_condition_the_function_runs(world: World) {
    let cache = world.cache().await;
    let users = Users::new();
    cache.scope(get_even(&users, &[0, 2, 2])).await;
    assert_eq!(users.asked(), [[0, 2, 2]]);
    assert_eq!(cache.get::<u64>("batches:even:2").await.unwrap(), None);
}

async fn the_info_is_that_of_the_id_furthest_from_the_cache(world: World) {
    let cache = world.cache().await;
    let users = Users::new();
    let info = async |ids: &[u64]| cache.scope(get_all(&users, ids).with_info()).await.1;
    assert_eq!(info(&[1, 2]).await.status(), Status::Miss);
    filled(&cache, 2).await;
    let hit = info(&[1, 2]).await;
    assert_eq!(
        (hit.status(), hit.key(), hit.version()),
        (Status::Hit, None, None)
    );
    assert!(hit.age().is_some() && hit.time_left().is_some());
    assert_eq!(info(&[1, 3]).await.status(), Status::Miss);
    assert_eq!(info(&[]).await.status(), Status::Bypass);
}

#[redis_cached(
    ttl = 0.05,
    jitter = 0.0,
    stale_if_error = 600,
    key = "batches:<id>",
    skip(users)
)]
async fn get_for_a_moment(users: &Users, id: u64) -> LoadResult<u64> {
    let found = users.load(&[id]).await.ok_or(Failed)?;
    found.get(&id).copied().ok_or(Failed)
}

async fn entries_past_their_ttl_in_a_stale_window_are_loaded_anew(world: World) {
    let cache = world.cache().await;
    let users = Users::new();
    for id in [1, 2] {
        let users = users.clone();
        let load = cache.spawn(async move { get_for_a_moment(&users, id).await });
        assert_eq!(load.await.unwrap(), Ok(1));
    }
    filled(&cache, 2).await;
    users.rows.write();
    let over = async || read(&cache, &users, &[1, 2]).await == all(&[1, 2], 2);
    eventually("the end of the TTL", over).await;
    filled(&cache, 4).await;
    users.asked();
    read(&cache, &users, &[1, 2]).await;
    assert!(
        users.asked().is_empty(),
        "what replaced them lives for long"
    );
}

#[redis_cached(batch(id in ids), ttl = 60, key = "batches:<id>")]
async fn get_texts(ids: &[u64]) -> HashMap<u64, (String, u64)> {
    ids.iter()
        .map(|id| (*id, (format!("user {id}"), *id)))
        .collect()
}

async fn undecodable_entries_are_replaced_together(world: World) {
    let cache = world.cache().await;
    let users = Users::new();
    cache.scope(get_texts(&[1, 2, 3])).await;
    filled(&cache, 3).await;
    assert_eq!(
        read(&cache, &users, &[1, 2, 3, 4]).await,
        all(&[1, 2, 3, 4], 1)
    );
    filled(&cache, 7).await;
    assert_eq!(stats(&cache).undecodable, 3);
    assert_eq!(users.asked(), [[1, 2, 3, 4]]);
    read(&cache, &users, &[1, 2, 3, 4]).await;
    assert!(users.asked().is_empty());
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Article {
    shop: Option<u32>,
    number: String,
}

#[redis_cached(
    batch(article in articles),
    ttl = 60,
    key = "batches:price:<article.shop>:<article.number>:<currency>",
    skip(log)
)]
async fn prices(
    articles: &[Article],
    currency: String,
    (log, _): (Arc<Mutex<Vec<String>>>, u8),
) -> HashMap<Article, String> {
    log.lock().unwrap().push(currency.clone());
    let priced = articles.iter().map(|article| {
        let price = format!("{} {currency}", article.number);
        (article.clone(), price)
    });
    let priced = priced.collect();
    // What is passed by value is the body's own in each load.
    drop((log, currency));
    priced
}

async fn a_key_of_several_parameters_has_one_part_of_the_id(world: World) {
    let cache = world.cache().await;
    let log = Arc::<Mutex<Vec<String>>>::default();
    let article = |shop, number: &str| Article {
        shop,
        number: number.to_owned(),
    };
    let articles = [article(Some(1), "a:b"), article(None, "a:b")];
    for (currency, loads) in [("EUR", 1), ("EUR", 1), ("USD", 2)] {
        let found = prices(&articles, currency.to_owned(), (log.clone(), 0));
        let found = cache.scope(found).await;
        assert_eq!(found.len(), 2);
        assert!(
            found
                .values()
                .all(|price| *price == format!("a:b {currency}"))
        );
        filled(&cache, 2 * loads).await;
        assert_eq!(log.lock().unwrap().len() as u64, loads);
    }
    let key = Key::new("batches:price:")
        .value(1)
        .text(":")
        .value("a:b")
        .text(":EUR");
    assert_eq!(cache.get(key).await.unwrap(), Some("a:b EUR".to_owned()));
}

async fn the_same_without_the_attribute(world: World) {
    let cache = world.cache().await;
    let users = Users::new();
    let policy = Policy::new().ttl(Duration::from_secs(60));
    for asked in [vec![vec![1, 2, 1000]], vec![]] {
        let found = cache
            .entries([1, 2, 2, 1000], |id| Key::new("batches:").value(id))
            .policy(&policy)
            .get_or_fill(|missing| {
                let users = users.clone();
                async move { users.load(&missing).await.ok_or(Failed) }
            });
        assert_eq!(found.await, Ok(all(&[1, 2], 1)));
        filled(&cache, 3).await;
        assert_eq!(users.asked(), asked);
    }
    assert_eq!(cache.scope(get(&users, 2)).await, Ok(Some(1)));
}

#[redis_cached(batch(id in ids), ttl = 60, key = "batches:<id>", skip(users))]
async fn get_sorted(users: Users, mut ids: Vec<u64>) -> LoadResult<BTreeMap<u64, u64>> {
    ids.reverse();
    let found = users.load(&ids).await.ok_or(Failed)?;
    Ok(found.into_iter().collect())
}

async fn a_batch_of_owned_ids_returns_a_sorted_map(world: World) {
    let cache = world.cache().await;
    let users = Users::new();
    for _ in 0..2 {
        let found = cache.scope(get_sorted(users.clone(), vec![3, 1, 2])).await;
        assert_eq!(found.unwrap().into_keys().collect::<Vec<_>>(), [1, 2, 3]);
        filled(&cache, 3).await;
    }
    assert_eq!(users.rows.loads(), 1);
}

async fn a_batch_is_one_mget_and_one_round_trip_each_for_leases_and_fills(mut world: World) {
    let cache = world.cache().await;
    let users = Users::new();
    read(&cache, &users, &[1, 2]).await;
    filled(&cache, 2).await;
    let server = world.redis();
    server.reset_commands();
    let before = round_trips(server);
    let ids: Vec<_> = (1..=102).collect();
    read(&cache, &users, &ids).await;
    landed(&cache, 102).await;
    let took = round_trips(server) - before;
    // Three, as many for each look at the number itself, and long ones are read in parts.
    assert!(took < 20, "{took} reads for 100 keys");
    let commands = server.commands();
    let sent = |name: &str| commands.get(name).copied().unwrap_or(0);
    assert_eq!((sent("mget"), sent("get"), sent("evalsha")), (1, 0, 100));
    // Each fill sets once inside its script.
    assert_eq!(sent("set"), 100 + 100);
}

/// How often the server has read from a client so far.
fn round_trips(server: &crate::support::RedisServer) -> u64 {
    let stats: String = server.run(&["INFO", "stats"]);
    let line = stats
        .lines()
        .find_map(|line| line.strip_prefix("total_reads_processed:"));
    line.and_then(|reads| reads.parse().ok()).unwrap()
}

async fn hits_alone_are_one_mget(mut world: World) {
    let cache = world.cache().await;
    let users = Users::new();
    let ids: Vec<_> = (0..100).collect();
    read(&cache, &users, &ids).await;
    landed(&cache, 100).await;
    let server = world.redis();
    server.reset_commands();
    read(&cache, &users, &ids).await;
    let commands = server.commands().into_iter().collect::<Vec<_>>();
    assert_eq!(commands, [("mget".to_owned(), 1)]);
}

async fn a_batch_of_more_than_a_command_may_name_is_read_in_parts(mut world: World) {
    let cache = world.cache().await;
    let users = Users::new();
    let ids: Vec<_> = (0..1201).collect();
    let found = read(&cache, &users, &ids).await;
    assert_eq!(found.len(), 1000);
    landed(&cache, 1201).await;
    let server = world.redis();
    server.reset_commands();
    assert_eq!(read(&cache, &users, &ids).await, found);
    assert_eq!(server.commands().get("mget"), Some(&3));
    assert_eq!(users.rows.loads(), 1);
}

async fn without_the_store_a_batch_is_one_load(mut world: World) {
    let cache = world.cache().await;
    world.redis().kill();
    let users = Users::held();
    let first = batch(&cache, &users, &[1, 2, 3]);
    users.rows.begun(1).await;
    let failed = async |batches: u64| {
        let failed = async || unanswered(&cache) >= batches;
        eventually("the store to be asked in vain", failed).await;
    };
    failed(1).await;
    let more = batch(&cache, &users, &[3, 2, 1]);
    failed(2).await;
    let fewer = batch(&cache, &users, &[1, 3]);
    failed(3).await;
    // They share the next load of each id, whoever makes it and in whatever order they ask.
    users.rows.release();
    assert_eq!(in_time(first).await.unwrap().unwrap(), all(&[1, 2, 3], 1));
    for (joined, ids) in [(more, &[1, 2, 3][..]), (fewer, &[1, 3])] {
        assert_eq!(in_time(joined).await.unwrap().unwrap(), all(ids, 1));
    }
    assert_eq!(stats(&cache).fills, 0);
    let asked = users.asked();
    assert_eq!(asked[0], [1, 2, 3]);
    assert!(!users.met.load(Ordering::SeqCst), "{asked:?}");
}

async fn a_key_that_the_store_refuses_bypasses_it_alone(world: World) {
    let cache = world.cache().await;
    let users = Users::new();
    let server = world.server().unwrap();
    server.run::<()>(&["RPUSH", "it:batches:2", "a list of somebody else"]);
    for _ in 0..2 {
        assert_eq!(read(&cache, &users, &[1, 2, 3]).await, all(&[1, 2, 3], 1));
        filled(&cache, 2).await;
    }
    assert_eq!(users.asked(), [vec![1, 3], vec![2], vec![2]]);
}

#[async_trait::async_trait]
trait Scales {
    async fn scale(&self, by: u64, ids: &[u64]) -> Result<HashMap<u64, u64>, Timeout>;
}

struct Repository<'a> {
    cache: &'a Cache,
    offset: u64,
}

#[async_trait::async_trait]
impl Scales for Repository<'_> {
    #[redis_cached(
        batch(id in ids),
        ttl = 60,
        key = "batches:scaled:<self.offset>:<by>:<id>",
        cache = self.cache,
        timeout = 60
    )]
    async fn scale(&self, by: u64, ids: &[u64]) -> Result<HashMap<u64, u64>, Timeout> {
        Ok(ids.iter().map(|id| (*id, self.offset + by * id)).collect())
    }
}

impl Repository<'_> {
    #[redis_cached(
        batch(call in missing),
        ttl = 60,
        key = "batches:called:<self.offset>:<call.0>",
        cache = self.cache,
        skip(key, T, N)
    )]
    async fn call<T: Fn(&str) -> u64 + Clone, const N: usize>(
        &self,
        key: T,
        mut missing: Vec<(&'static str, [u8; N])>,
    ) -> HashMap<(&'static str, [u8; N]), u64> {
        missing.reverse();
        let called = missing
            .into_iter()
            .map(|call| (call, self.offset + key(call.0)));
        called.collect()
    }
}

async fn batches_are_methods_and_generic_and_boxed(world: World) {
    let cache = world.cache().await;
    let repository = Repository {
        cache: &cache,
        offset: 100,
    };
    for _ in 0..2 {
        assert_eq!(
            repository.scale(2, &[1, 2]).await,
            Ok(HashMap::from([(1, 102), (2, 104)]))
        );
        let calls = vec![("a", [0]), ("bcd", [1])];
        let called = repository.call(|text| text.len() as u64, calls).await;
        assert_eq!(
            called,
            HashMap::from([(("a", [0]), 101), (("bcd", [1]), 103)])
        );
        filled(&cache, 4).await;
    }
    assert_eq!(cache.stats().total().hits, 4);
}

/// Ids in a random order, of which any two callers have some in common.
fn some_ids() -> Vec<u64> {
    let mut ids: Vec<_> = (0..24).filter(|_| fastrand::bool()).collect();
    fastrand::shuffle(&mut ids);
    ids
}

async fn overlapping_batches_of_two_processes_wait_for_each_other_and_not_for_ever(world: World) {
    let processes = [world.patient(), world.patient()];
    // Nobody's patience ends before the test's.
    let patient = processes.map(|process| process.wait_budget(Duration::from_secs(1200)));
    let [cache, other] = patient.map(|process| process.build());
    let [cache, other] = [cache.await.unwrap(), other.await.unwrap()];
    for _ in 0..8 {
        let users = Users::of(Source::slow(Duration::from_millis(2)));
        let tasks: Vec<_> = (0..40)
            .map(|task| {
                let (process, ids) = (if task % 2 == 0 { &cache } else { &other }, some_ids());
                (batch(process, &users, &ids), ids)
            })
            .collect();
        for (task, ids) in tasks {
            assert_eq!(in_time(task).await.unwrap().unwrap(), all(&ids, 1));
        }
        let mut loaded: Vec<_> = users.asked().concat();
        loaded.sort_unstable();
        let loads = loaded.len();
        loaded.dedup();
        assert_eq!(loads, loaded.len(), "each id is loaded once");
        let keys = (0..24).map(|id| format!("batches:{id}"));
        cache.invalidation().keys(keys).send().await.unwrap();
    }
    let bypasses = [&cache, &other].map(|process| process.stats().total().bypasses);
    assert_eq!(bypasses, [0, 0]);
}

async fn overlapping_batches_without_leases_do_not_wait_for_ever(world: World) {
    let holder = world.patient().build().await.unwrap();
    let impatient = world.patient().wait_budget(Duration::from_millis(1));
    let cache = impatient.build().await.unwrap();
    let held = Users::held();
    let ids: Vec<_> = (0..24).collect();
    let _leases = batch(&holder, &held, &ids);
    held.rows.begun(1).await;
    let users = Users::of(Source::slow(Duration::from_millis(1)));
    for _ in 0..8 {
        let tasks: Vec<_> = (0..40)
            .map(|_| {
                let ids = some_ids();
                (batch(&cache, &users, &ids), ids)
            })
            .collect();
        for (task, ids) in tasks {
            assert_eq!(in_time(task).await.unwrap().unwrap(), all(&ids, 1));
        }
    }
    assert_eq!(stats(&cache).fills, 0);
}

#[tokio::test]
async fn the_catalogue_finds_that_a_batch_keeps_what_the_single_form_keeps() {
    let catalog = World::in_memory().cache().await.catalog();
    let pairs = catalog.problems().into_iter().filter(|problem| {
        let text = problem.to_string();
        text.contains("batches::get_all`") && text.contains("batches::get`")
    });
    assert_eq!(pairs.count(), 0);
    // The one that does keep something else is told apart from both.
    let texts =
        |problem: &cached_redis::catalog::Problem| problem.to_string().contains("get_texts`");
    assert!(catalog.problems().iter().any(texts));
}

//! Batches whose loads have tags, of their own or of what they call: all entries of one load carry all
//! of them, and so does whatever is made of its results.

use std::collections::HashMap;
use std::convert::Infallible;
use std::time::Duration;

use cached_redis::{
    Cache, CachedExt as _, Key, Policy, Status, current, invalidates, redis_cached,
};
use tokio::task::JoinHandle;

use crate::support::{
    Source, World, eventually, filled, in_time, on_both_stores, on_redis, waiting,
};

on_both_stores!(
    a_batch_that_calls_a_tagged_function_is_stored_and_goes_with_the_tag,
    a_batch_that_says_a_tag_is_stored_by_the_second_load_and_goes_with_the_tag,
    a_tag_that_a_batch_does_not_say_any_more_is_none_of_its_entries,
    a_tagged_batch_and_the_single_form_share_their_entries,
    a_refreshed_batch_keeps_its_tags,
    a_batch_says_its_own_ttl,
    more_tags_than_an_entry_can_name_keep_a_batch_out,
    nothing_is_stored_over_an_entry_whose_tag_is_barred,
    those_who_joined_a_tagged_batch_start_over_when_its_tag_was_invalidated,
    an_outer_entry_goes_with_the_tags_of_a_batch_that_it_led_or_hit,
    outer_entries_go_with_the_tags_of_a_batch_that_they_share,
    outer_entries_go_with_the_tags_of_a_batch_without_a_lease_that_they_share,
    an_outer_entry_goes_with_the_tags_of_a_single_load_that_its_batch_joined,
    an_outer_entry_goes_with_the_tags_of_a_batch_that_its_single_call_joined,
    what_is_made_of_a_stale_value_in_a_shared_batch_is_not_stored,
    what_is_made_of_an_error_of_a_shared_batch_is_not_stored,
    a_batch_without_the_cache_hands_on_its_tags_and_nothing_else,
);
on_redis!(a_tagged_batch_of_hits_is_two_reads_and_an_untagged_one_is_one);

const POLICY: Policy = Policy::new().ttl(Duration::from_secs(60));

type Values = HashMap<u64, u64>;

async fn load(source: &Source, ids: &[u64]) -> Values {
    let version = source.load().await;
    ids.iter().map(|id| (*id, version)).collect()
}

#[redis_cached(
    ttl = 60,
    key = "batch-tags:inner",
    tags = "batch-tags:inner",
    skip(source)
)]
async fn inner(source: &Source) -> u64 {
    source.load().await
}

#[redis_cached(batch(id in ids), ttl = 60, key = "batch-tags:calls:<id>", skip(source))]
async fn calls(source: &Source, ids: &[u64]) -> Values {
    let version = inner(source).await;
    ids.iter().map(|id| (*id, version)).collect()
}

#[redis_cached(batch(id in ids), ttl = 60, key = "batch-tags:says:<id>", skip(source, tag))]
async fn says(source: &Source, ids: &[u64], tag: &str) -> Values {
    current().tag(tag);
    load(source, ids).await
}

#[redis_cached(ttl = 60, key = "batch-tags:says:<id>", skip(source, tag))]
async fn says_one(source: &Source, id: u64, tag: &str) -> Option<u64> {
    current().tag(tag);
    load(source, &[id]).await.remove(&id)
}

const TAG: &str = "batch-tags:said";

async fn processes(world: &World) -> [Cache; 2] {
    let process = async || world.patient().guarded(true).build().await.unwrap();
    [process().await, process().await]
}

/// How far from the cache a batch had to go, and what it got; its fills have ended.
async fn status(cache: &Cache, batch: impl Future<Output = Values>) -> (u64, Status) {
    let (values, info) = in_time(cache.scope(batch.with_info())).await;
    let newest = values.into_values().max();
    (newest.unwrap_or_default(), info.status())
}

/// Reads until all of it is a hit.
async fn kept<F: Future<Output = Values>>(cache: &Cache, batch: impl Fn() -> F) -> u64 {
    eventually("hits alone", async || {
        status(cache, batch()).await.1 == Status::Hit
    })
    .await;
    status(cache, batch()).await.0
}

async fn a_batch_that_calls_a_tagged_function_is_stored_and_goes_with_the_tag(world: World) {
    let ([cache, other], source) = (processes(&world).await, Source::new());
    for version in 1..=2 {
        assert_eq!(
            status(&cache, calls(&source, &[1, 2])).await,
            (version, Status::Miss)
        );
        filled(&cache, 3 * version).await;
        for ids in [[1, 2], [2, 1]] {
            let found = status(&other, calls(&source, &ids)).await;
            assert_eq!(found, (version, Status::Hit));
        }
        source.write();
        other.invalidate_tag("batch-tags:inner").await.unwrap();
    }
    assert_eq!(source.loads(), 2, "of the inner function");
}

async fn a_batch_that_says_a_tag_is_stored_by_the_second_load_and_goes_with_the_tag(world: World) {
    let ([cache, other], source) = (processes(&world).await, Source::new());
    let read = async |cache: &Cache, ids: &[u64]| status(cache, says(&source, ids, TAG)).await;
    assert_eq!(kept(&cache, || says(&source, &[1, 2], TAG)).await, 1);
    assert_eq!(source.loads(), 2);
    for version in 2..=3 {
        source.write();
        other.invalidate_tag(TAG).await.unwrap();
        // The names are remembered: one load is enough from here on.
        assert_eq!(read(&cache, &[1, 2]).await, (version, Status::Miss));
        eventually("the hit", async || {
            read(&other, &[1, 2]).await == (version, Status::Hit)
        })
        .await;
    }
    assert_eq!(source.loads(), 4);
    // A new id has no marker yet, and its load says a tag that another one's entry has named.
    assert_eq!(read(&cache, &[1, 3]).await.0, 3);
    assert_eq!(kept(&cache, || says(&source, &[1, 2, 3], TAG)).await, 3);
}

async fn a_tag_that_a_batch_does_not_say_any_more_is_none_of_its_entries(world: World) {
    let (cache, source) = (world.patient_cache().await, Source::new());
    for tag in ["batch-tags:a", "batch-tags:b"] {
        kept(&cache, || says(&source, &[1], tag)).await;
        cache.invalidate_tag(tag).await.unwrap();
    }
    kept(&cache, || says(&source, &[1], "batch-tags:b")).await;
    cache.invalidate_tag("batch-tags:a").await.unwrap();
    let found = status(&cache, says(&source, &[1], "batch-tags:b")).await;
    assert_eq!(found.1, Status::Hit);
}

async fn a_tagged_batch_and_the_single_form_share_their_entries(world: World) {
    let ([cache, other], source) = (processes(&world).await, Source::new());
    let one = async |cache: &Cache| {
        let (value, info) = cache.scope(says_one(&source, 1, TAG).with_info()).await;
        (value.unwrap(), info.status())
    };
    kept(&cache, || says(&source, &[1], TAG)).await;
    assert_eq!(one(&other).await, (1, Status::Hit));
    source.write();
    cache.invalidate_tag(TAG).await.unwrap();
    assert_eq!(one(&other).await, (2, Status::Miss));
    eventually("the hit", async || one(&cache).await == (2, Status::Hit)).await;
    let batch = status(&cache, says(&source, &[1], TAG)).await;
    assert_eq!(batch, (2, Status::Hit));
}

async fn a_refreshed_batch_keeps_its_tags(world: World) {
    let ([cache, other], source) = (processes(&world).await, Source::new());
    kept(&cache, || says(&source, &[1, 2], TAG)).await;
    let version = source.write();
    let refreshed = says(&source, &[1, 2], TAG).refreshed();
    cache.scope(refreshed).await;
    let read = async || status(&other, says(&source, &[1, 2], TAG)).await;
    assert_eq!(read().await, (version, Status::Hit));
    source.write();
    cache.invalidate_tag(TAG).await.unwrap();
    assert_eq!(read().await, (version + 1, Status::Miss));
}

#[redis_cached(batch(id in ids), ttl = 60, key = "batch-tags:ttl:<id>", skip(source))]
async fn says_ttl(source: &Source, ids: &[u64]) -> Values {
    current().ttl(Duration::from_secs(6000));
    load(source, ids).await
}

async fn a_batch_says_its_own_ttl(world: World) {
    let (cache, source) = (world.patient_cache().await, Source::new());
    kept(&cache, || says_ttl(&source, &[1])).await;
    let (_, info) = cache.scope(says_ttl(&source, &[1]).with_info()).await;
    assert!(info.time_left().unwrap() > Duration::from_secs(600));
    assert_eq!(source.loads(), 1);
}

async fn more_tags_than_an_entry_can_name_keep_a_batch_out(world: World) {
    let cache = world.patient_cache().await;
    for _ in 0..2 {
        let batch = cache
            .entries([1_u64, 2], |id| Key::new("batch-tags:many:").value(id))
            .policy(&POLICY)
            .get_or_fill(|ids| async move {
                (0..65).for_each(|tag| current().tag(tag.to_string()));
                Ok::<Values, Infallible>(ids.into_iter().map(|id| (id, 1)).collect())
            });
        let (Ok(values), info) = batch.with_info().await;
        assert_eq!((values.len(), info.status()), (2, Status::Miss));
        // Leases are released one by one, and each id whose lease is gone may be loaded by itself.
        cache.flush().await.unwrap();
    }
    let errors = cache.stats().total().errors;
    assert_eq!(errors, 2, "each load is told once, whatever it is of");
}

#[invalidates(tag = "batch-tags:said", guard, cache = cache)]
async fn hold_tag(cache: &Cache, gate: &Source) {
    gate.load().await;
}

/// A guarded write that stands until the gate is opened.
async fn held<F>(write: impl FnOnce(Cache, Source) -> F, cache: &Cache) -> (Source, JoinHandle<()>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let gate = Source::held();
    let write = tokio::spawn(write(cache.clone(), gate.clone()));
    gate.begun(1).await;
    (gate, write)
}

async fn nothing_is_stored_over_an_entry_whose_tag_is_barred(world: World) {
    let ([cache, other], source) = (processes(&world).await, Source::new());
    kept(&cache, || says(&source, &[1, 2], TAG)).await;
    let hold = |cache: Cache, gate: Source| async move { hold_tag(&cache, &gate).await };
    let (gate, write) = held(hold, &other).await;
    for version in 2..=3 {
        source.write();
        let found = status(&cache, says(&source, &[1, 2], TAG)).await;
        assert_eq!(found, (version, Status::Bypass));
        let refreshed = says(&source, &[1, 2], TAG).refreshed();
        assert_eq!(status(&cache, refreshed).await, (version, Status::Bypass));
    }
    gate.release();
    in_time(write).await.unwrap();
    assert_eq!(kept(&other, || says(&source, &[1, 2], TAG)).await, 3);
}

fn batch(cache: &Cache, source: &Source, ids: &'static [u64]) -> JoinHandle<Values> {
    let source = source.clone();
    cache.spawn(async move { says(&source, ids, TAG).await })
}

/// How many readers of all processes have waited for others.
fn waits(processes: &[Cache; 2]) -> u64 {
    let waits = processes.iter().map(|cache| cache.stats().total().waits);
    waits.sum()
}

/// Waits until so many more wait than `before`.
async fn wait_beside(processes: &[Cache; 2], before: u64, more: u64) {
    let all = async || waits(processes) == before + more;
    eventually("the readers to wait", all).await;
}

async fn those_who_joined_a_tagged_batch_start_over_when_its_tag_was_invalidated(world: World) {
    let ([cache, other], source) = (processes(&world).await, Source::held());
    // Of the inner function's generation, which the batch has found before.
    source.release();
    cache.scope(inner(&source)).await;
    filled(&cache, 1).await;
    let gate = Source::held();
    let read = |cache: &Cache| {
        let (source, gate) = (source.clone(), gate.clone());
        cache.spawn(async move { gated(&source, &gate, &[1]).await })
    };
    let overtaken = read(&cache);
    gate.begun(1).await;
    source.write();
    other.invalidate_tag("batch-tags:inner").await.unwrap();
    let late: Vec<_> = (0..4).map(|_| read(&cache)).collect();
    waiting(&cache, 4).await;
    gate.release();
    assert_eq!(overtaken.await.unwrap()[&1], 1);
    for late in late {
        assert_eq!(in_time(late).await.unwrap()[&1], 2);
    }
}

/// Calls, and waits at the gate.
#[redis_cached(batch(id in ids), ttl = 60, key = "batch-tags:gated:<id>", skip(source, gate))]
async fn gated(source: &Source, gate: &Source, ids: &[u64]) -> Values {
    let version = inner(source).await;
    gate.load().await;
    ids.iter().map(|id| (*id, version)).collect()
}

#[redis_cached(ttl = 60, key = "batch-tags:outer:<place>", skip(source))]
async fn outer(source: &Source, place: u64) -> u64 {
    let _: u64 = place;
    says(source, &[1], TAG).await[&1]
}

#[redis_cached(ttl = 60, key = "batch-tags:outer-one:<place>", skip(source))]
async fn outer_of_one(source: &Source, place: u64) -> u64 {
    let _: u64 = place;
    says_one(source, 1, TAG).await.unwrap()
}

/// An entry that is served, and after one write is not.
async fn assert_goes_with(
    tag: &str,
    processes: &[Cache; 2],
    source: &Source,
    read: impl AsyncFn() -> u64,
) {
    let [cache, other] = processes;
    eventually("a hit", async || {
        cache.scope(read().with_info()).await.1.status() == Status::Hit
    })
    .await;
    let version = source.write();
    assert_eq!(cache.scope(read()).await, version - 1, "it is cached");
    other.invalidate_tag(tag).await.unwrap();
    for process in processes {
        assert_eq!(process.scope(read()).await, version, "{tag}");
    }
}

async fn an_outer_entry_goes_with_the_tags_of_a_batch_that_it_led_or_hit(world: World) {
    let (processes, source) = (processes(&world).await, Source::new());
    for place in [1, 2] {
        assert_goes_with(TAG, &processes, &source, async || {
            outer(&source, place).await
        })
        .await;
        kept(&processes[0], || says(&source, &[1], TAG)).await;
    }
}

fn outers(cache: &Cache, source: &Source) -> Vec<JoinHandle<u64>> {
    let outer = |place| {
        let source = source.clone();
        cache.spawn(async move { outer(&source, place).await })
    };
    (0..8).map(outer).collect()
}

/// Each of them carries the tag.
async fn assert_all_go(processes: &[Cache; 2], source: &Source, read: Vec<JoinHandle<u64>>) {
    for one in read {
        in_time(one).await.unwrap();
    }
    // Read once more: what was stored without the tag is a hit, and stays one.
    for place in 0..8 {
        let read = async || outer(source, place).await;
        assert_goes_with(TAG, processes, source, read).await;
    }
}

async fn outer_entries_go_with_the_tags_of_a_batch_that_they_share(world: World) {
    let (processes, source) = (processes(&world).await, Source::new());
    let cache = &processes[0];
    kept(cache, || says(&source, &[1], TAG)).await;
    cache.invalidate_tag(TAG).await.unwrap();
    source.hold();
    let (loads, before) = (source.loads(), waits(&processes));
    let read = outers(cache, &source);
    source.begun(loads + 1).await;
    wait_beside(&processes, before, 7).await;
    source.release();
    assert_all_go(&processes, &source, read).await;
}

#[invalidates("batch-tags:says:1", guard, cache = cache)]
async fn hold_key(cache: &Cache, gate: &Source) {
    gate.load().await;
}

/// Joins come after the misses of the outer functions, and after a round trip more.
async fn looked_up(cache: &Cache, misses: u64) {
    let all = async || cache.stats().total().misses == misses;
    eventually("all outer loads to run", all).await;
    for _ in 0..20 {
        cache.get::<u64>("batch-tags:nothing").await.unwrap();
    }
}

async fn outer_entries_go_with_the_tags_of_a_batch_without_a_lease_that_they_share(world: World) {
    let (processes, source) = (processes(&world).await, Source::held());
    let cache = &processes[0];
    let hold = |cache: Cache, gate: Source| async move { hold_key(&cache, &gate).await };
    let (gate, write) = held(hold, &processes[1]).await;
    let read = outers(cache, &source);
    source.begun(1).await;
    looked_up(cache, 8).await;
    source.release();
    assert_all_go(&processes, &source, read).await;
    gate.release();
    in_time(write).await.unwrap();
}

async fn an_outer_entry_goes_with_the_tags_of_a_single_load_that_its_batch_joined(world: World) {
    let (processes, source) = (processes(&world).await, Source::new());
    let cache = &processes[0];
    kept(cache, || says(&source, &[1], TAG)).await;
    cache.invalidate_tag(TAG).await.unwrap();
    source.hold();
    let (loads, before) = (source.loads(), waits(&processes));
    let leader = cache.spawn({
        let source = source.clone();
        async move { says_one(&source, 1, TAG).await }
    });
    source.begun(loads + 1).await;
    let joined = cache.spawn({
        let source = source.clone();
        async move { outer(&source, 1).await }
    });
    wait_beside(&processes, before, 1).await;
    source.release();
    in_time(leader).await.unwrap();
    in_time(joined).await.unwrap();
    let read = async || outer(&source, 1).await;
    assert_goes_with(TAG, &processes, &source, read).await;
}

async fn an_outer_entry_goes_with_the_tags_of_a_batch_that_its_single_call_joined(world: World) {
    let (processes, source) = (processes(&world).await, Source::new());
    let cache = &processes[0];
    kept(cache, || says(&source, &[1], TAG)).await;
    cache.invalidate_tag(TAG).await.unwrap();
    source.hold();
    let (loads, before) = (source.loads(), waits(&processes));
    let leader = batch(cache, &source, &[1]);
    source.begun(loads + 1).await;
    let joined = cache.spawn({
        let source = source.clone();
        async move { outer_of_one(&source, 1).await }
    });
    wait_beside(&processes, before, 1).await;
    source.release();
    in_time(leader).await.unwrap();
    in_time(joined).await.unwrap();
    let read = async || outer_of_one(&source, 1).await;
    assert_goes_with(TAG, &processes, &source, read).await;
}

#[redis_cached(
    ttl = 0.001,
    jitter = 0.0,
    stale_if_error = 600,
    key = "batch-tags:stale",
    skip(source)
)]
async fn stale(source: &Source) -> Result<u64, String> {
    source.try_load().await.ok_or_else(String::new)
}

#[redis_cached(batch(id in ids), ttl = 60, key = "batch-tags:of-stale:<id>", skip(source, gate))]
async fn of_stale(source: &Source, gate: &Source, ids: &[u64]) -> Values {
    let version = stale(source).await.unwrap();
    gate.load().await;
    ids.iter().map(|id| (*id, version)).collect()
}

#[redis_cached(ttl = 60, key = "batch-tags:over-stale:<place>", skip(source, gate))]
async fn over_stale(source: &Source, gate: &Source, place: u64) -> u64 {
    let _: u64 = place;
    of_stale(source, gate, &[1]).await[&1]
}

#[invalidates("batch-tags:of-stale:1", guard, cache = cache)]
async fn hold_stale(cache: &Cache, gate: &Source) {
    gate.load().await;
}

async fn what_is_made_of_a_stale_value_in_a_shared_batch_is_not_stored(world: World) {
    let ([cache, other], source) = (processes(&world).await, Source::new());
    cache.scope(stale(&source)).await.unwrap();
    filled(&cache, 1).await;
    source.fail(usize::MAX);
    source.write();
    eventually("a stale answer", async || {
        let (value, info) = cache.scope(stale(&source).with_info()).await;
        value == Ok(1) && info.status() == Status::Stale
    })
    .await;
    let hold = |cache: Cache, gate: Source| async move { hold_stale(&cache, &gate).await };
    let (barrier, write) = held(hold, &other).await;
    let (gate, misses) = (Source::held(), cache.stats().total().misses);
    let read: Vec<_> = (0..4)
        .map(|place| {
            let (source, gate) = (source.clone(), gate.clone());
            cache.spawn(async move { over_stale(&source, &gate, place).await })
        })
        .collect();
    gate.begun(1).await;
    looked_up(&cache, misses + 4).await;
    gate.release();
    for one in read {
        assert_eq!(in_time(one).await.unwrap(), 1, "the stale one");
    }
    barrier.release();
    in_time(write).await.unwrap();
    source.fail(0);
    cache.invalidate("batch-tags:stale").await.unwrap();
    for place in 0..4 {
        let read = cache.scope(over_stale(&source, &gate, place));
        assert_eq!(in_time(read).await, 2, "{place}");
    }
}

#[redis_cached(batch(id in ids), ttl = 60, key = "batch-tags:fails:<id>", skip(source))]
async fn fails(source: &Source, ids: &[u64]) -> Result<Values, String> {
    let version = source.try_load().await.ok_or_else(String::new)?;
    Ok(ids.iter().map(|id| (*id, version)).collect())
}

#[redis_cached(ttl = 60, key = "batch-tags:hides", skip(source))]
async fn hides(source: &Source) -> u64 {
    let values = fails(source, &[1]).await;
    values.map(|values| values[&1]).unwrap_or_default()
}

async fn what_is_made_of_an_error_of_a_shared_batch_is_not_stored(world: World) {
    let (cache, source) = (world.patient_cache().await, Source::held());
    source.fail(1);
    let leader = cache.spawn({
        let source = source.clone();
        async move { fails(&source, &[1]).await.is_err() }
    });
    source.begun(1).await;
    let joined = cache.spawn({
        let source = source.clone();
        async move { hides(&source).await }
    });
    waiting(&cache, 1).await;
    source.release();
    assert!(leader.await.unwrap());
    assert_eq!(in_time(joined).await.unwrap(), 0);
    assert_eq!(cache.scope(hides(&source)).await, 1);
}

#[redis_cached(batch(id in ids), ttl = 60, key = "batch-tags:apart:<id>", skip(source))]
async fn apart(source: &Source, ids: &[u64]) -> Values {
    current().do_not_store();
    current().tag("batch-tags:apart");
    load(source, ids).await
}

#[redis_cached(ttl = 60, key = "batch-tags:around", skip(source))]
async fn around(source: &Source) -> u64 {
    apart(source, &[1]).uncached().await[&1]
}

async fn a_batch_without_the_cache_hands_on_its_tags_and_nothing_else(world: World) {
    let (processes, source) = (processes(&world).await, Source::new());
    assert_goes_with("batch-tags:apart", &processes, &source, async || {
        around(&source).await
    })
    .await;
}

#[redis_cached(batch(id in ids), ttl = 60, key = "batch-tags:plain:<id>", skip(source))]
async fn plain(source: &Source, ids: &[u64]) -> Values {
    load(source, ids).await
}

async fn a_tagged_batch_of_hits_is_two_reads_and_an_untagged_one_is_one(world: World) {
    let (cache, source) = (world.patient_cache().await, Source::new());
    let ids: Vec<_> = (0..20).collect();
    kept(&cache, || says(&source, &ids, TAG)).await;
    kept(&cache, || plain(&source, &ids)).await;
    let server = world.server().unwrap();
    for (reads, tagged) in [(2, true), (1, false)] {
        server.reset_commands();
        match tagged {
            true => cache.scope(says(&source, &ids, TAG)).await,
            false => cache.scope(plain(&source, &ids)).await,
        };
        // A tag that is alone is read by a GET.
        assert_eq!(server.commands().values().sum::<u64>(), reads);
    }
}

//! A cached function that calls another one has the tags of that one too.

use std::time::Duration;

use cached_redis::testing::Faults;
use cached_redis::{Cache, CachedExt as _, Invalidation, Jitter, Policy, Status};
use cached_redis::{current, invalidates, redis_cached};
use tokio::task::JoinHandle;

use crate::support::{
    Failed, Source, World, eventually, filled, in_time, on_both_stores, on_redis,
};

on_both_stores!(
    an_outer_entry_goes_with_the_tags_of_an_inner_call_that_missed_or_hit,
    an_outer_entry_goes_when_the_inner_function_is_cleared,
    an_outer_entry_goes_with_the_tags_of_an_inner_call_that_joined,
    an_outer_entry_goes_with_the_tags_of_an_inner_call_that_bypassed,
    an_outer_entry_goes_with_the_tags_of_an_inner_bypass_that_was_shared,
    an_outer_entry_goes_with_the_tags_of_a_value_that_was_only_looked_up,
    an_outer_entry_goes_with_the_tags_of_three_levels,
    an_outer_entry_goes_with_the_tags_of_all_that_it_calls_at_once,
    an_outer_entry_goes_with_the_tags_that_an_inner_load_found,
    an_outer_entry_goes_with_the_tags_that_a_waiting_refresh_inside_has_found,
    an_outer_entry_goes_with_the_tags_behind_a_call_without_the_cache,
    an_outer_entry_goes_with_the_tags_behind_a_call_in_shadow_mode,
    an_outer_function_may_have_the_tag_of_the_inner_one_itself,
    a_tag_invalidated_after_the_inner_call_makes_the_outer_entry_dead,
    a_tag_invalidated_between_two_inner_calls_keeps_the_result_from_being_stored,
    a_tag_found_before_an_inner_call_is_not_of_the_generation_that_this_one_read,
    those_who_joined_the_outer_load_start_over_when_an_inner_tag_was_invalidated,
    what_is_made_of_tags_of_another_cache_is_not_stored,
    what_is_made_of_a_shared_error_is_not_stored,
    a_function_can_keep_the_tags_of_inner_calls_out,
    calls_in_tasks_of_their_own_and_calls_without_the_cache_hand_nothing_on,
    more_inner_tags_than_an_entry_can_name_are_not_cached,
    what_a_transaction_sees_of_an_inner_tag_is_not_stored_in_the_outer_entry,
);
on_redis!(those_who_join_after_a_deferred_invalidation_of_an_inner_tag_start_over);

const POLICY: Policy = Policy::new().ttl(Duration::from_secs(60));

#[redis_cached(
    ttl = 60,
    key = "nested:inner:<id>",
    tags = "nested:<id>",
    skip(source)
)]
async fn inner(source: &Source, id: u64) -> u64 {
    let _: u64 = id;
    source.load().await
}

#[redis_cached(ttl = 60, key = "nested:outer:<id>", skip(source))]
async fn outer(source: &Source, id: u64) -> u64 {
    inner(source, id).await
}

#[redis_cached(ttl = 60, key = "nested:other:<place>", skip(source))]
async fn other_outer(source: &Source, place: u64) -> u64 {
    let _: u64 = place;
    inner(source, 1).await
}

async fn processes(world: &World) -> [Cache; 2] {
    let process = async || world.patient().guarded(true).build().await.unwrap();
    [process().await, process().await]
}

/// Reads until that is a hit, which takes a load more where a tag was unknown.
async fn kept(cache: &Cache, read: impl AsyncFn() -> u64) -> u64 {
    eventually("a hit", async || {
        cache.scope(read().with_info()).await.1.status() == Status::Hit
    })
    .await;
    cache.scope(read()).await
}

/// An entry that is served, and one write later none is, in no process.
async fn assert_goes_with(
    tag: &str,
    processes: &[Cache; 2],
    source: &Source,
    read: impl AsyncFn() -> u64,
) {
    let [cache, other] = processes;
    assert_eq!(kept(cache, &read).await, source.version());
    let version = source.write();
    assert_eq!(cache.scope(read()).await, version - 1, "it is cached");
    other.invalidate_tag(tag).await.unwrap();
    for process in processes {
        assert_eq!(process.scope(read()).await, version, "{tag}");
    }
}

async fn an_outer_entry_goes_with_the_tags_of_an_inner_call_that_missed_or_hit(world: World) {
    let (processes, source) = (processes(&world).await, Source::new());
    let read = async || outer(&source, 1).await;
    processes[0].scope(read()).await;
    assert_eq!(source.loads(), 1, "an inner miss");
    assert_goes_with("nested:1", &processes, &source, read).await;
    processes[0].invalidate("nested:outer:1").await.unwrap();
    let loads = source.loads();
    processes[0].scope(read()).await;
    assert_eq!(source.loads(), loads, "an inner hit");
    assert_goes_with("nested:1", &processes, &source, read).await;
    // One load each time: the generations are those of the inner entry.
    let stats = processes[0].stats().total();
    assert_eq!(stats.bypasses, 0, "{stats:?}");
}

async fn an_outer_entry_goes_when_the_inner_function_is_cleared(world: World) {
    let (processes, source) = (processes(&world).await, Source::new());
    let [cache, other] = &processes;
    kept(cache, async || outer(&source, 1).await).await;
    source.write();
    let function = concat!(module_path!(), "::inner");
    let cleared = other.clear(function).await.unwrap();
    assert_eq!(cleared, Invalidation::Done);
    for process in &processes {
        assert_eq!(process.scope(outer(&source, 1)).await, 2);
    }
}

fn spawned(cache: &Cache, source: &Source) -> JoinHandle<u64> {
    let source = source.clone();
    cache.spawn(async move { outer(&source, 1).await })
}

async fn waiting(cache: &Cache, waits: u64) {
    let all = async || cache.stats().total().waits == waits;
    eventually("the readers to wait", all).await;
}

async fn an_outer_entry_goes_with_the_tags_of_an_inner_call_that_joined(world: World) {
    let (processes, source) = (processes(&world).await, Source::held());
    let cache = &processes[0];
    let leader = cache.spawn({
        let source = source.clone();
        async move { inner(&source, 1).await }
    });
    source.begun(1).await;
    let joined = spawned(cache, &source);
    waiting(cache, 1).await;
    source.release();
    assert_eq!((leader.await.unwrap(), joined.await.unwrap()), (1, 1));
    assert_goes_with("nested:1", &processes, &source, async || {
        outer(&source, 1).await
    })
    .await;
}

#[redis_cached(ttl = 60, key = "nested:apart:<id>", skip(source, elsewhere))]
async fn outer_apart(source: &Source, elsewhere: &Cache, id: u64) -> u64 {
    elsewhere.scope(inner(source, id)).await
}

/// The same namespace on another store: the names of tags are the same, their generations are not.
async fn what_is_made_of_tags_of_another_cache_is_not_stored(world: World) {
    let faults = Faults::seeded(1);
    let elsewhere = World::in_memory().builder().faults(faults.clone());
    let (cache, elsewhere) = (world.cache().await, elsewhere.build().await.unwrap());
    let source = Source::held();
    let read = async || cache.scope(outer_apart(&source, &elsewhere, 1)).await;
    let leader = elsewhere.spawn({
        let source = source.clone();
        async move { inner(&source, 1).await }
    });
    source.begun(1).await;
    let (joined, ()) = tokio::join!(read(), async {
        waiting(&elsewhere, 1).await;
        source.release();
    });
    assert_eq!((leader.await.unwrap(), joined), (1, 1));
    assert_eq!(read().await, 1, "an inner hit");
    assert_eq!(elsewhere.stats().total().hits, 1);
    faults.outage(true);
    for _ in 0..3 {
        assert_eq!(read().await, 1, "an inner bypass");
    }
    faults.outage(false);
    let version = source.write();
    elsewhere.invalidate_tag("nested:1").await.unwrap();
    assert_eq!(read().await, version);
    assert_eq!(cache.stats().total().hits, 0);
}

#[invalidates("nested:inner:1", guard, cache = cache)]
async fn hold_inner(cache: &Cache, gate: &Source) {
    gate.load().await;
}

/// A guarded write of the inner key: inner calls bypass the cache, outer ones do not.
async fn held(cache: &Cache) -> (Source, JoinHandle<()>) {
    let gate = Source::held();
    let write = tokio::spawn({
        let (cache, gate) = (cache.clone(), gate.clone());
        async move { hold_inner(&cache, &gate).await }
    });
    gate.begun(1).await;
    (gate, write)
}

async fn an_outer_entry_goes_with_the_tags_of_an_inner_call_that_bypassed(world: World) {
    let (processes, source) = (processes(&world).await, Source::new());
    let (gate, write) = held(&processes[1]).await;
    assert_goes_with("nested:1", &processes, &source, async || {
        outer(&source, 1).await
    })
    .await;
    assert!(processes[0].stats().total().bypasses > 0);
    gate.release();
    write.await.unwrap();
}

async fn an_outer_entry_goes_with_the_tags_of_an_inner_bypass_that_was_shared(world: World) {
    let (processes, source) = (processes(&world).await, Source::held());
    let cache = &processes[0];
    let (gate, write) = held(&processes[1]).await;
    let first = spawned(cache, &source);
    source.begun(1).await;
    let others = [1, 2, 3].map(|place| {
        let source = source.clone();
        cache.spawn(async move { other_outer(&source, place).await })
    });
    let misses = async || cache.stats().total().misses == 4;
    eventually("all outer loads to run", misses).await;
    for _ in 0..20 {
        // A round trip, as they need one to find the key barred.
        cache.get::<u64>("nested:nothing").await.unwrap();
    }
    source.release();
    assert_eq!(first.await.unwrap(), 1);
    for other in others {
        assert_eq!(in_time(other).await.unwrap(), 1);
    }
    assert_eq!(source.loads(), 2, "the others share the second one");
    for place in [1, 2, 3] {
        let read = async || other_outer(&source, place).await;
        assert_goes_with("nested:1", &processes, &source, read).await;
    }
    gate.release();
    write.await.unwrap();
}

#[redis_cached(ttl = 60, key = "nested:looks", cache = cache, skip(cache))]
async fn looks(cache: &Cache) -> u64 {
    let found = cache.get::<u64>("nested:hand").await;
    found.ok().flatten().unwrap_or_default()
}

async fn an_outer_entry_goes_with_the_tags_of_a_value_that_was_only_looked_up(world: World) {
    let [cache, other] = processes(&world).await;
    cache
        .entry("nested:hand")
        .policy(&POLICY)
        .tags(["nested:hand"])
        .put(&7_u64)
        .await
        .unwrap();
    for expected in [Status::Miss, Status::Hit] {
        let (value, info) = looks(&cache).with_info().await;
        assert_eq!((value, info.status()), (7, expected));
    }
    other.invalidate_tag("nested:hand").await.unwrap();
    assert_eq!(looks(&cache).await, 0);
}

#[redis_cached(ttl = 60, key = "nested:top", tags = "nested:top", skip(source))]
async fn top(source: &Source) -> u64 {
    middle(source).await
}

#[redis_cached(ttl = 60, key = "nested:middle", tags = "nested:middle", skip(source))]
async fn middle(source: &Source) -> u64 {
    outer(source, 1).await
}

async fn an_outer_entry_goes_with_the_tags_of_three_levels(world: World) {
    let (processes, source) = (processes(&world).await, Source::new());
    let read = async || top(&source).await;
    for part in ["nothing", "the top", "the middle", "the outer"] {
        match part {
            "the top" => processes[0].invalidate("nested:top").await,
            "the middle" => processes[0].invalidate_tag("nested:middle").await,
            "the outer" => processes[0].invalidate("nested:outer:1").await,
            _ => Ok(Invalidation::Done),
        }
        .unwrap();
        assert_goes_with("nested:1", &processes, &source, read).await;
    }
    // What is inside goes with nothing that is outside.
    let loads = source.loads();
    processes[0].invalidate_tag("nested:top").await.unwrap();
    processes[0].scope(read()).await;
    assert_eq!(source.loads(), loads);
}

#[redis_cached(ttl = 60, key = "nested:many", skip(source))]
async fn at_once(source: &Source) -> u64 {
    let (one, two, three) = tokio::join!(inner(source, 1), inner(source, 2), outer(source, 3));
    one.max(two).max(three)
}

async fn an_outer_entry_goes_with_the_tags_of_all_that_it_calls_at_once(world: World) {
    let (processes, source) = (processes(&world).await, Source::new());
    for tag in ["nested:1", "nested:2", "nested:3"] {
        assert_goes_with(tag, &processes, &source, async || at_once(&source).await).await;
    }
}

#[redis_cached(ttl = 60, key = "nested:finds", skip(source))]
async fn finds(source: &Source) -> u64 {
    current().tag("nested:found");
    source.load().await
}

#[redis_cached(ttl = 60, key = "nested:around", skip(source))]
async fn around(source: &Source) -> u64 {
    finds(source).await
}

async fn an_outer_entry_goes_with_the_tags_that_an_inner_load_found(world: World) {
    let (processes, source) = (processes(&world).await, Source::new());
    for _ in 0..2 {
        assert_goes_with("nested:found", &processes, &source, async || {
            around(&source).await
        })
        .await;
    }
}

#[redis_cached(
    ttl = 0.001,
    jitter = 0.0,
    stale_if_error = 600,
    soft_timeout = 600,
    key = "nested:waits",
    cache = cache,
    skip(cache, source)
)]
async fn waits(cache: &Cache, source: &Source) -> Result<u64, Failed> {
    current().ttl(Duration::from_millis(1));
    Ok(cache.scope(inner(source, 1)).await)
}

#[redis_cached(ttl = 60, key = "nested:patient", cache = cache, skip(cache, source))]
async fn patient(cache: &Cache, source: &Source) -> u64 {
    waits(cache, source).await.unwrap()
}

/// The inner load runs in a task of its own, whose tags come back with its result.
async fn an_outer_entry_goes_with_the_tags_that_a_waiting_refresh_inside_has_found(world: World) {
    let (processes, source) = (processes(&world).await, Source::new());
    let cache = &processes[0];
    // An entry without a tag.
    const NONE: Policy = Policy::new()
        .ttl(Duration::from_millis(1))
        .jitter(Jitter::NONE)
        .stale_if_error(Duration::from_secs(600));
    cache.put(&NONE, "nested:waits", &0_u64).await.unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(patient(cache, &source).await, 1);
    filled(cache, 3).await;
    let version = source.write();
    processes[1].invalidate_tag("nested:1").await.unwrap();
    assert_eq!(patient(cache, &source).await, version);
}

#[redis_cached(ttl = 60, key = "nested:through", skip(source))]
async fn through(source: &Source) -> u64 {
    outer(source, 1).uncached().await
}

async fn an_outer_entry_goes_with_the_tags_behind_a_call_without_the_cache(world: World) {
    let (processes, source) = (processes(&world).await, Source::new());
    assert_goes_with("nested:1", &processes, &source, async || {
        through(&source).await
    })
    .await;
}

#[redis_cached(ttl = 60, key = "nested:shadow", cache = cache, skip(cache, source, id))]
async fn shadowed(cache: &Cache, source: &Source, id: &Source) -> u64 {
    cache.scope(inner(source, id.version())).await
}

#[redis_cached(ttl = 60, key = "nested:shadows", cache = cache, skip(cache, source, id))]
async fn over_shadow(cache: &Cache, source: &Source, id: &Source) -> u64 {
    shadowed(cache, source, id).await
}

/// What stands in the cache has one tag, what is loaded beside it another.
async fn an_outer_entry_goes_with_the_tags_behind_a_call_in_shadow_mode(world: World) {
    let [cache, other] = processes(&world).await;
    let (source, id) = (Source::new(), Source::new());
    shadowed(&cache, &source, &id).await;
    filled(&cache, 2).await;
    let function = concat!(module_path!(), "::shadowed");
    cache
        .set_mode(function, cached_redis::Mode::Shadow)
        .unwrap();
    id.write();
    kept(&cache, async || over_shadow(&cache, &source, &id).await).await;
    let version = source.write();
    other.invalidate_tag("nested:2").await.unwrap();
    assert_eq!(over_shadow(&cache, &source, &id).await, version);
}

#[redis_cached(ttl = 60, key = "nested:same", tags = ["nested:1", "nested:same"], skip(source))]
async fn same(source: &Source) -> u64 {
    inner(source, 1).await
}

async fn an_outer_function_may_have_the_tag_of_the_inner_one_itself(world: World) {
    let (processes, source) = (processes(&world).await, Source::new());
    for tag in ["nested:1", "nested:1"] {
        assert_goes_with(tag, &processes, &source, async || same(&source).await).await;
    }
    assert_eq!(source.loads(), 3, "one per version");
}

/// Calls, waits at the gate, and calls again.
#[redis_cached(ttl = 60, key = "nested:gated", skip(source, gate, again))]
async fn gated(source: &Source, gate: &Source, again: bool) -> (u64, u64) {
    let first = inner(source, 1).await;
    gate.load().await;
    match again {
        true => (first, inner(source, 1).await),
        false => (first, first),
    }
}

fn at_gate(cache: &Cache, source: &Source, gate: &Source, again: bool) -> JoinHandle<(u64, u64)> {
    let (source, gate) = (source.clone(), gate.clone());
    cache.spawn(async move { gated(&source, &gate, again).await })
}

async fn a_tag_invalidated_after_the_inner_call_makes_the_outer_entry_dead(world: World) {
    let [cache, other] = processes(&world).await;
    let (source, gate) = (Source::new(), Source::held());
    let overtaken = at_gate(&cache, &source, &gate, false);
    gate.begun(1).await;
    source.write();
    other.invalidate_tag("nested:1").await.unwrap();
    gate.release();
    assert_eq!(overtaken.await.unwrap(), (1, 1));
    for process in [&cache, &other] {
        let read = at_gate(process, &source, &gate, false);
        assert_eq!(in_time(read).await.unwrap(), (2, 2));
    }
}

async fn a_tag_invalidated_between_two_inner_calls_keeps_the_result_from_being_stored(
    world: World,
) {
    let [cache, other] = processes(&world).await;
    let (source, gate) = (Source::new(), Source::held());
    let torn = at_gate(&cache, &source, &gate, true);
    gate.begun(1).await;
    source.write();
    other.invalidate_tag("nested:1").await.unwrap();
    gate.release();
    assert_eq!(torn.await.unwrap(), (1, 2));
    for process in [&cache, &other] {
        let read = at_gate(process, &source, &gate, true);
        assert_eq!(in_time(read).await.unwrap(), (2, 2));
    }
}

/// Reads the source itself, says the tag, and calls a function that reads the tag's generation.
#[redis_cached(ttl = 60, key = "nested:late", skip(source, gate))]
async fn says_and_calls(source: &Source, gate: &Source) -> u64 {
    let own = source.load().await;
    current().tag("nested:1");
    gate.load().await;
    inner(source, 1).await;
    own
}

async fn a_tag_found_before_an_inner_call_is_not_of_the_generation_that_this_one_read(
    world: World,
) {
    let [cache, other] = processes(&world).await;
    let (source, gate) = (Source::new(), Source::held());
    let overtaken = cache.spawn({
        let (source, gate) = (source.clone(), gate.clone());
        async move { says_and_calls(&source, &gate).await }
    });
    gate.begun(1).await;
    source.write();
    other.invalidate_tag("nested:1").await.unwrap();
    gate.release();
    assert_eq!(overtaken.await.unwrap(), 1);
    for process in [&cache, &other] {
        assert_eq!(process.scope(says_and_calls(&source, &gate)).await, 2);
    }
}

async fn those_who_joined_the_outer_load_start_over_when_an_inner_tag_was_invalidated(
    world: World,
) {
    let [cache, other] = processes(&world).await;
    let (source, gate) = (Source::new(), Source::held());
    let overtaken = at_gate(&cache, &source, &gate, false);
    gate.begun(1).await;
    source.write();
    other.invalidate_tag("nested:1").await.unwrap();
    let late = [(); 5].map(|()| at_gate(&cache, &source, &gate, false));
    waiting(&cache, 5).await;
    gate.release();
    assert_eq!(overtaken.await.unwrap(), (1, 1));
    for late in late {
        assert_eq!(in_time(late).await.unwrap(), (2, 2));
    }
}

/// The server does everything but remove keys, so the invalidation is deferred: it counts in this
/// process alone, where nobody knew the tag when they joined.
async fn those_who_join_after_a_deferred_invalidation_of_an_inner_tag_start_over(world: World) {
    let cache = world.patient().build().await.unwrap();
    let (source, gate) = (Source::new(), Source::held());
    let overtaken = at_gate(&cache, &source, &gate, false);
    gate.begun(1).await;
    let server = world.server().unwrap();
    server.run::<()>(&["ACL", "SETUSER", "default", "-unlink"]);
    source.write();
    let sent = cache.invalidate_tag("nested:1").await;
    assert_eq!(sent.unwrap(), Invalidation::Deferred);
    let late = at_gate(&cache, &source, &gate, false);
    waiting(&cache, 1).await;
    gate.release();
    assert_eq!(overtaken.await.unwrap(), (1, 1));
    assert_eq!(in_time(late).await.unwrap(), (2, 2));
    let next = at_gate(&cache, &source, &gate, false);
    assert_eq!(in_time(next).await.unwrap(), (2, 2));
    server.run::<()>(&["ACL", "SETUSER", "default", "+unlink"]);
}

#[redis_cached(ttl = 60, key = "nested:fails", tags = "nested:fails", skip(source))]
async fn fails(source: &Source) -> Result<u64, Failed> {
    source.try_load().await.ok_or(Failed)
}

#[redis_cached(ttl = 60, key = "nested:hides", skip(source))]
async fn hides(source: &Source) -> u64 {
    fails(source).await.unwrap_or_default()
}

async fn what_is_made_of_a_shared_error_is_not_stored(world: World) {
    let (processes, source) = (processes(&world).await, Source::held());
    let cache = &processes[0];
    source.fail(1);
    let leader = cache.spawn({
        let source = source.clone();
        async move { fails(&source).await.is_err() }
    });
    source.begun(1).await;
    let joined = cache.spawn({
        let source = source.clone();
        async move { hides(&source).await }
    });
    waiting(cache, 1).await;
    source.release();
    assert!(leader.await.unwrap());
    assert_eq!(joined.await.unwrap(), 0);
    assert_eq!(cache.scope(hides(&source)).await, 1);
    // That of an error of one's own is stored, and goes with the tag.
    for key in ["nested:fails", "nested:hides"] {
        cache.invalidate(key).await.unwrap();
    }
    source.fail(1);
    assert_eq!(cache.scope(hides(&source)).await, 0);
    assert_eq!(cache.scope(hides(&source)).await, 0);
    cache.invalidate_tag("nested:fails").await.unwrap();
    assert_eq!(cache.scope(hides(&source)).await, 1);
}

#[redis_cached(ttl = 60, nested = false, key = "nested:alone", skip(source))]
async fn alone(source: &Source) -> u64 {
    inner(source, 1).await
}

#[redis_cached(ttl = 60, key = "nested:over-alone", skip(source))]
async fn over_alone(source: &Source) -> u64 {
    alone(source).await
}

async fn a_function_can_keep_the_tags_of_inner_calls_out(world: World) {
    let ([cache, _], source) = (processes(&world).await, Source::new());
    for expected in [1, 1] {
        assert_eq!(cache.scope(alone(&source)).await, expected);
        assert_eq!(cache.scope(over_alone(&source)).await, expected);
        filled(&cache, 3).await;
        source.write();
        cache.invalidate_tag("nested:1").await.unwrap();
    }
}

#[redis_cached(ttl = 60, key = "nested:apart:<spawns>", cache = cache, skip(cache, source))]
async fn apart(cache: &Cache, source: &Source, spawns: bool) -> u64 {
    let source = source.clone();
    match spawns {
        true => {
            let task = cache.spawn(async move { inner(&source, 1).await });
            task.await.unwrap()
        }
        false => cache.scope(inner(&source, 1)).uncached().await,
    }
}

async fn calls_in_tasks_of_their_own_and_calls_without_the_cache_hand_nothing_on(world: World) {
    let ([cache, _], source) = (processes(&world).await, Source::new());
    for spawns in [true, false] {
        let fills = cache.stats().total().fills;
        let value = apart(&cache, &source, spawns).await;
        filled(&cache, fills + 1 + u64::from(spawns)).await;
        source.write();
        cache.invalidate_tag("nested:1").await.unwrap();
        assert_eq!(apart(&cache, &source, spawns).await, value);
    }
}

#[redis_cached(ttl = 60, key = "nested:all:<count>", skip(source))]
async fn all(source: &Source, count: u64) -> u64 {
    let mut newest = 0;
    for id in 0..count {
        newest = newest.max(inner(source, id).await);
    }
    newest
}

async fn more_inner_tags_than_an_entry_can_name_are_not_cached(world: World) {
    let ([cache, _], source) = (processes(&world).await, Source::new());
    // Each inner tag, and that of the inner function.
    for (count, is_kept) in [(64, false), (63, true)] {
        cache.scope(all(&source, count)).await;
        let (_, info) = cache.scope(all(&source, count).with_info()).await;
        assert_eq!(info.status() == Status::Hit, is_kept, "{count}");
    }
    assert_eq!(cache.stats().total().errors, 2);
}

async fn what_a_transaction_sees_of_an_inner_tag_is_not_stored_in_the_outer_entry(world: World) {
    let [cache, other] = processes(&world).await;
    let source = Source::new();
    let read = |cache: &Cache| cache.scope(finds_inner(&source));
    read(&cache).await;
    let after = cache.after_commit();
    let seen = after.scope(async {
        cache.invalidate_tag("nested:1").await.unwrap();
        // What the open transaction has changed, and what will be rolled back.
        source.write();
        [read(&cache).await, read(&cache).await]
    });
    assert_eq!(seen.await, [2, 2]);
    assert_eq!(read(&other).await, 2, "loaded by itself");
    assert_eq!(cache.stats().total().fills, 1, "of the inner function");
    drop(after);
}

/// A marker stands in its place at first.
#[redis_cached(ttl = 60, key = "nested:finds-inner", skip(source))]
async fn finds_inner(source: &Source) -> u64 {
    current().tag("nested:1");
    inner(source, 1).await;
    source.load().await
}

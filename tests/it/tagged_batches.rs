//! Batches whose attribute gives tags: each entry has those of its own id, as it has under the function of
//! one id, and goes with them alone.

use std::collections::HashMap;

use cached_redis::{Cache, CachedExt as _, Status, current, invalidates, redis_cached};
use tokio::task::JoinHandle;

use crate::support::{
    Source, World, eventually, filled, in_time, on_both_stores, on_redis, waiting,
};

on_both_stores!(
    each_id_goes_with_its_own_tag_and_all_with_the_one_that_they_share,
    a_batch_and_the_function_of_one_id_share_their_entries_under_the_same_tags,
    a_batch_under_other_tags_than_the_function_of_one_id_is_none_of_its_entries,
    tags_that_a_load_finds_are_beside_those_of_the_attribute,
    a_tag_of_the_attribute_takes_no_room_where_the_load_says_it_too,
    a_load_that_is_older_than_an_invalidation_of_a_tag_is_kept_for_the_other_ids_alone,
    those_who_joined_share_what_is_of_tags_that_still_stand,
    during_a_guarded_write_of_a_tag_its_ids_are_bypassed_and_the_others_kept,
    a_refreshed_batch_is_stored_under_its_tags,
    a_tag_whose_value_cannot_be_rendered_keeps_the_batch_uncached,
    ids_of_one_key_go_with_the_tags_of_each,
    an_outer_entry_goes_with_the_tags_of_the_ids_that_it_read,
    an_outer_entry_goes_with_the_tags_of_ids_that_were_bypassed,
);
on_redis!(
    a_batch_of_tagged_hits_is_one_mget,
    a_tagged_batch_stamps_in_one_step_before_it_loads,
);

type Values = HashMap<u64, u64>;

async fn load(source: &Source, ids: &[u64]) -> Values {
    let version = source.load().await;
    ids.iter().map(|id| (*id, version)).collect()
}

#[redis_cached(
    batch(id in ids),
    ttl = 60,
    key = "tagged-batches:<id>",
    tags = ["tagged-batches:<id>", "tagged-batches:of:<team>"],
    skip(source, team)
)]
async fn read(source: &Source, ids: &[u64], team: u64) -> Values {
    load(source, ids).await
}

#[redis_cached(
    ttl = 60,
    key = "tagged-batches:<id>",
    tags = ["tagged-batches:<id>", "tagged-batches:of:<team>"],
    skip(source, team)
)]
async fn read_one(source: &Source, id: u64, team: u64) -> Option<u64> {
    load(source, &[id]).await.remove(&id)
}

fn tag(id: u64) -> String {
    format!("tagged-batches:{id}")
}

async fn processes(world: &World) -> [Cache; 2] {
    let process = async || world.patient().guarded(true).build().await.unwrap();
    [process().await, process().await]
}

async fn status(cache: &Cache, batch: impl Future<Output = Values>) -> (Values, Status) {
    let (values, info) = in_time(cache.scope(batch.with_info())).await;
    (values, info.status())
}

/// The versions of ids 1, 2 …
fn all(versions: &[u64]) -> Values {
    (1..).zip(versions.iter().copied()).collect()
}

/// Reads until all of it is a hit.
async fn kept<F: Future<Output = Values>>(cache: &Cache, batch: impl Fn() -> F) -> Values {
    let is_hit = async || status(cache, batch()).await.1 == Status::Hit;
    eventually("hits alone", is_hit).await;
    status(cache, batch()).await.0
}

async fn each_id_goes_with_its_own_tag_and_all_with_the_one_that_they_share(world: World) {
    let ([cache, other], source) = (processes(&world).await, Source::new());
    let expect = async |versions: &[u64], status_of: Status, fills| {
        for (process, expected) in [(&cache, status_of), (&other, Status::Hit)] {
            let found = status(process, read(&source, &[1, 2, 3], 7)).await;
            assert_eq!(found, (all(versions), expected));
            filled(&cache, fills).await;
        }
    };
    expect(&[1, 1, 1], Status::Miss, 3).await;
    source.write();
    other.invalidate_tag(tag(2)).await.unwrap();
    expect(&[1, 2, 1], Status::Miss, 4).await;
    source.write();
    other.invalidate_tag("tagged-batches:of:8").await.unwrap();
    expect(&[1, 2, 1], Status::Hit, 4).await;
    other.invalidate_tag("tagged-batches:of:7").await.unwrap();
    expect(&[3, 3, 3], Status::Miss, 7).await;
    assert_eq!(source.loads(), 3);
}

async fn a_batch_and_the_function_of_one_id_share_their_entries_under_the_same_tags(world: World) {
    let ([cache, other], source) = (processes(&world).await, Source::new());
    let one = async || {
        let (value, info) = other.scope(read_one(&source, 1, 7).with_info()).await;
        (value.unwrap(), info.status())
    };
    for version in 1..=2 {
        kept(&cache, || read(&source, &[1, 2], 7)).await;
        assert_eq!(one().await, (version, Status::Hit));
        source.write();
        cache.invalidate_tag(tag(1)).await.unwrap();
        assert_eq!(one().await, (version + 1, Status::Miss));
        filled(&other, version).await;
        let batch = status(&cache, read(&source, &[1], 7)).await;
        assert_eq!(batch, (all(&[version + 1]), Status::Hit));
        cache.invalidate_tag("tagged-batches:of:7").await.unwrap();
    }
}

async fn a_batch_under_other_tags_than_the_function_of_one_id_is_none_of_its_entries(world: World) {
    let ([cache, other], source) = (processes(&world).await, Source::new());
    kept(&cache, || read(&source, &[1], 7)).await;
    let (_, info) = other.scope(read_one(&source, 1, 8).with_info()).await;
    assert_eq!(info.status(), Status::Miss);
    filled(&other, 1).await;
    assert_eq!(status(&cache, read(&source, &[1], 7)).await.1, Status::Miss);
}

#[redis_cached(
    batch(id in ids),
    ttl = 60,
    key = "tagged-batches:finds:<id>",
    tags = "tagged-batches:<id>",
    skip(source)
)]
async fn finds(source: &Source, ids: &[u64]) -> Values {
    current().tag("tagged-batches:found");
    load(source, ids).await
}

async fn tags_that_a_load_finds_are_beside_those_of_the_attribute(world: World) {
    let ([cache, other], source) = (processes(&world).await, Source::new());
    let names = [tag(1), tag(2), "tagged-batches:found".to_owned()];
    let expected = [[2, 1], [2, 3], [4, 4]];
    assert_eq!(kept(&cache, || finds(&source, &[1, 2])).await, all(&[1, 1]));
    for (name, versions) in names.iter().zip(expected) {
        source.write();
        other.invalidate_tag(name).await.unwrap();
        assert_eq!(
            kept(&cache, || finds(&source, &[1, 2])).await,
            all(&versions)
        );
    }
}

#[redis_cached(
    batch(id in ids),
    ttl = 60,
    key = "tagged-batches:full:<id>",
    tags = "tagged-batches:full",
    skip(source)
)]
async fn full(source: &Source, ids: &[u64]) -> Values {
    current().tag("tagged-batches:full");
    (0..64).for_each(|tag| current().tag(format!("tagged-batches:full:{tag}")));
    load(source, ids).await
}

async fn a_tag_of_the_attribute_takes_no_room_where_the_load_says_it_too(world: World) {
    let ([cache, _], source) = (processes(&world).await, Source::new());
    assert_eq!(kept(&cache, || full(&source, &[1, 2])).await, all(&[1, 1]));
    assert_eq!(cache.stats().total().errors, 0);
}

/// A batch that runs beside the test.
fn spawn(cache: &Cache, source: &Source, ids: &'static [u64]) -> JoinHandle<Values> {
    let source = source.clone();
    cache.spawn(async move { read(&source, ids, 7).await })
}

async fn a_load_that_is_older_than_an_invalidation_of_a_tag_is_kept_for_the_other_ids_alone(
    world: World,
) {
    let ([cache, other], source) = (processes(&world).await, Source::held());
    let overtaken = spawn(&cache, &source, &[1, 2]);
    source.begun(1).await;
    source.write();
    other.invalidate_tag(tag(1)).await.unwrap();
    source.release();
    assert_eq!(in_time(overtaken).await.unwrap(), all(&[1, 1]));
    filled(&cache, 2).await;
    let found = status(&other, read(&source, &[1, 2], 7)).await;
    assert_eq!(found, (all(&[2, 1]), Status::Miss));
}

async fn those_who_joined_share_what_is_of_tags_that_still_stand(world: World) {
    let ([cache, other], source) = (processes(&world).await, Source::held());
    let overtaken = spawn(&cache, &source, &[1, 2]);
    source.begun(1).await;
    source.write();
    other.invalidate_tag(tag(1)).await.unwrap();
    let late: Vec<_> = (0..4).map(|_| spawn(&cache, &source, &[1, 2])).collect();
    waiting(&cache, 8).await;
    source.release();
    assert_eq!(in_time(overtaken).await.unwrap(), all(&[1, 1]));
    for late in late {
        assert_eq!(in_time(late).await.unwrap(), all(&[2, 1]));
    }
    assert_eq!(source.loads(), 2);
}

#[invalidates(tag = "tagged-batches:<id>", guard, cache = cache)]
async fn hold(cache: &Cache, gate: &Source, id: u64) {
    gate.load().await;
}

/// A guarded write of the tag of an id, which stands until the gate is opened.
async fn held(cache: &Cache, id: u64) -> (Source, JoinHandle<()>) {
    let (gate, cache) = (Source::held(), cache.clone());
    let write = tokio::spawn({
        let gate = gate.clone();
        async move { hold(&cache, &gate, id).await }
    });
    gate.begun(1).await;
    (gate, write)
}

async fn during_a_guarded_write_of_a_tag_its_ids_are_bypassed_and_the_others_kept(world: World) {
    let ([cache, other], source) = (processes(&world).await, Source::new());
    let (gate, write) = held(&other, 1).await;
    for version in 1..=2 {
        let found = status(&cache, read(&source, &[1, 2], 7)).await;
        assert_eq!(found, (all(&[version, 1]), Status::Bypass));
        filled(&cache, 1).await;
        source.write();
    }
    let refreshed = read(&source, &[1, 2], 7).refreshed();
    assert_eq!(status(&cache, refreshed).await.0, all(&[3, 3]));
    source.write();
    assert_eq!(
        status(&cache, read(&source, &[1, 2], 7)).await.0,
        all(&[4, 3])
    );
    gate.release();
    in_time(write).await.unwrap();
    assert_eq!(
        kept(&other, || read(&source, &[1, 2], 7)).await,
        all(&[4, 3])
    );
}

async fn a_refreshed_batch_is_stored_under_its_tags(world: World) {
    let ([cache, other], source) = (processes(&world).await, Source::new());
    kept(&cache, || read(&source, &[1], 7)).await;
    source.write();
    cache.scope(read(&source, &[1, 2], 7).refreshed()).await;
    let found = status(&other, read(&source, &[1, 2], 7)).await;
    assert_eq!(found, (all(&[2, 2]), Status::Hit));
    source.write();
    other.invalidate_tag(tag(2)).await.unwrap();
    assert_eq!(
        status(&cache, read(&source, &[1, 2], 7)).await.0,
        all(&[2, 3])
    );
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Nameless;

impl std::fmt::Display for Nameless {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Err(std::fmt::Error)
    }
}

#[redis_cached(
    batch(id in ids),
    ttl = 60,
    key = "tagged-batches:nameless:<id>",
    tags = "of:<name>",
    skip(source, name)
)]
async fn read_nameless(source: &Source, ids: &[u64], name: Nameless) -> Values {
    let _: Nameless = name;
    load(source, ids).await
}

#[redis_cached(ttl = 60, key = "tagged-batches:outer:<place>", skip(source))]
async fn outer_of_nameless(source: &Source, place: u64) -> u64 {
    let _: u64 = place;
    read_nameless(source, &[1], Nameless).await[&1]
}

async fn a_tag_whose_value_cannot_be_rendered_keeps_the_batch_uncached(world: World) {
    let (cache, source) = (world.cache().await, Source::new());
    for _ in 0..2 {
        let found = status(&cache, read_nameless(&source, &[1, 2], Nameless)).await;
        assert_eq!(found, (all(&[1, 1]), Status::Bypass));
        cache.scope(outer_of_nameless(&source, 1)).await;
    }
    let total = cache.stats().total();
    assert_eq!((total.fills, total.errors, source.loads()), (0, 4, 4));
}

/// A number, which the key names, and a name.
type Numbered = (u64, &'static str);

#[redis_cached(
    batch(id in ids),
    ttl = 60,
    key = "tagged-batches:numbered:<id.0>",
    tags = "tagged-batches:name:<id.1>",
    skip(source)
)]
async fn numbered(source: &Source, ids: &[Numbered]) -> HashMap<Numbered, u64> {
    let version = source.load().await;
    ids.iter().map(|id| (*id, version)).collect()
}

async fn ids_of_one_key_go_with_the_tags_of_each(world: World) {
    let (cache, source) = (world.cache().await, Source::new());
    let ids = [(1, "Ada"), (1, "Bob")];
    let read = || numbered(&source, &ids).with_info();
    for (loads, (_, name)) in (1..).zip(&ids) {
        let (found, info) = cache.scope(read()).await;
        assert_eq!((found[&ids[1]], info.status()), (loads, Status::Miss));
        filled(&cache, loads).await;
        source.write();
        assert_eq!(cache.scope(read()).await.1.status(), Status::Hit);
        let tag = format!("tagged-batches:name:{name}");
        cache.invalidate_tag(tag).await.unwrap();
    }
    assert_eq!(cache.scope(read()).await.1.status(), Status::Miss);
}

#[redis_cached(ttl = 60, key = "tagged-batches:sum:<place>", skip(source))]
async fn sum(source: &Source, place: u64) -> u64 {
    let _: u64 = place;
    read(source, &[1, 2], 7).await.into_values().sum()
}

/// The outer entry is served; and goes with the tag.
async fn assert_goes(processes: &[Cache; 2], source: &Source, place: u64, name: &str) {
    let [cache, other] = processes;
    eventually("a hit", async || {
        let (_, info) = cache.scope(sum(source, place).with_info()).await;
        info.status() == Status::Hit
    })
    .await;
    let before = cache.scope(sum(source, place)).await;
    source.write();
    other.invalidate_tag(name).await.unwrap();
    assert_ne!(cache.scope(sum(source, place)).await, before, "{place}");
}

async fn an_outer_entry_goes_with_the_tags_of_the_ids_that_it_read(world: World) {
    let (processes, source) = (processes(&world).await, Source::new());
    // Of an entry whose batch has led, and then of one whose batch has hit.
    for (place, name) in [(1, tag(1)), (2, tag(2)), (3, "tagged-batches:of:7".into())] {
        assert_goes(&processes, &source, place, &name).await;
        kept(&processes[0], || read(&source, &[1, 2], 7)).await;
    }
}

async fn an_outer_entry_goes_with_the_tags_of_ids_that_were_bypassed(world: World) {
    let (processes, source) = (processes(&world).await, Source::new());
    let (gate, write) = held(&processes[1], 1).await;
    let cache = &processes[0];
    // What it read is of a tag whose generation is unknown: a marker names it.
    cache.scope(sum(&source, 1)).await;
    gate.release();
    in_time(write).await.unwrap();
    assert_goes(&processes, &source, 1, &tag(1)).await;
}

async fn a_batch_of_tagged_hits_is_one_mget(world: World) {
    let (cache, source) = (world.patient_cache().await, Source::new());
    let ids: Vec<_> = (0..20).collect();
    kept(&cache, || read(&source, &ids, 7)).await;
    let server = world.server().unwrap();
    server.reset_commands();
    cache.scope(read(&source, &ids, 7)).await;
    let commands: Vec<_> = server.commands().into_iter().collect();
    assert_eq!(commands, [("mget".to_owned(), 1)]);
}

async fn a_tagged_batch_stamps_in_one_step_before_it_loads(world: World) {
    let (cache, source) = (world.patient_cache().await, Source::held());
    let server = world.server().unwrap();
    server.reset_commands();
    let load = spawn(&cache, &source, &[1, 2]);
    source.begun(1).await;
    let mut before = server.commands();
    let mut sent = |name: &str| before.remove(name).unwrap_or(0);
    // One script for each of the four tags; inside, it is looked up and set.
    assert_eq!((sent("mget"), sent("evalsha")), (1, 4));
    assert_eq!((sent("get"), sent("set")), (4, 4 + 2), "and two leases");
    assert!(before.is_empty(), "{before:?}");
    source.release();
    in_time(load).await.unwrap();
    filled(&cache, 2).await;
    assert_eq!(server.commands()["evalsha"], 4 + 2, "and two fills");
}

//! What is invalidated by hand is one request, and what a transaction has collected can be read.

use std::time::Duration;

use cached_redis::events::{Events, Invalidated, Notice};
use cached_redis::request::InvalidationRequest;
use cached_redis::{
    Cache, CachedExt as _, Error, Invalidation, Policy, Status, invalidates, redis_cached,
};

use crate::support::{World, filled, in_time, on_both_stores};

on_both_stores!(
    keys_tags_and_patterns_go_as_one_and_are_one_event,
    a_request_that_is_refused_removes_nothing,
    what_a_transaction_has_collected_can_be_read_until_its_commit,
    only_what_publishes_is_published_of_one_removal,
    what_a_transaction_has_cleared_can_be_cleared_again_from_its_names,
);

const POLICY: Policy = Policy::new().ttl(Duration::from_secs(600));

async fn fill(cache: &Cache) {
    for key in ["a", "shelf:1", "other"] {
        assert!(cache.put(&POLICY, key, &1_u8).await.unwrap());
    }
    assert!(
        cache
            .entry("b")
            .policy(&POLICY)
            .tags(["team"])
            .put(&1_u8)
            .await
            .unwrap()
    );
}

async fn left(cache: &Cache) -> Vec<&'static str> {
    let mut left = Vec::new();
    for key in ["a", "shelf:1", "other", "b"] {
        let value = cache.get::<u8>(key).await.unwrap();
        left.extend(value.map(|_| key));
    }
    left
}

fn all(cache: &Cache) -> InvalidationRequest<'_> {
    cache
        .invalidation()
        .key("a")
        .tag("team")
        .matching("shelf:*")
}

async fn heard(events: &mut Events) -> Invalidated {
    match in_time(events.next()).await {
        Some(Notice::Invalidated(event)) => event,
        other => panic!("{other:?}"),
    }
}

async fn keys_tags_and_patterns_go_as_one_and_are_one_event(world: World) {
    let cache = world.cache().await;
    let mut events = cache.events().await;
    fill(&cache).await;
    let done = all(&cache).publish().send().await;
    assert_eq!(done.unwrap(), Invalidation::Done);
    assert_eq!(left(&cache).await, ["other"]);
    let event = heard(&mut events).await;
    assert_eq!(event.keys, ["a"]);
    assert_eq!(event.tags, ["team"]);
    assert_eq!(event.patterns, ["shelf:*"]);
    assert_eq!(cache.stats().total().published_events, 1);
}

async fn a_request_that_is_refused_removes_nothing(world: World) {
    let cache = world.cache().await;
    fill(&cache).await;
    let everything = all(&cache).matching("*").send().await;
    assert!(matches!(everything, Err(Error::Setting { .. })));
    let lagging = all(&cache).replica_lag(Duration::from_secs(1)).send().await;
    assert!(matches!(lagging, Err(Error::Setting { .. })));
    let after = cache.after_commit();
    after.collect(all(&cache).matching("*")).unwrap_err();
    assert!(after.collected().is_empty());
    assert_eq!(left(&cache).await.len(), 4);
}

#[invalidates("written:<id>", tag = "written", when = "ok")]
async fn write(id: u64) -> Result<(), Error> {
    let _: u64 = id;
    Ok(())
}

async fn what_a_transaction_has_collected_can_be_read_until_its_commit(world: World) {
    let cache = world.cache().await;
    let second = world.builder().namespace("second").build().await.unwrap();
    fill(&cache).await;
    let after = cache.after_commit();
    assert!(after.collected().is_empty());
    after.scope(cache.scope(write(7))).await.unwrap();
    after.collect(all(&cache)).unwrap();
    after.collect(second.invalidation().key("x")).unwrap();
    after.invalidate("a");
    let collected = after.collected();
    let [own, other] = &collected[..] else {
        panic!("{collected:?}");
    };
    assert_eq!(own.namespace, "it");
    assert_eq!(own.keys, ["written:7", "a"]);
    assert_eq!(own.tags, ["written", "team"]);
    assert_eq!(own.patterns, ["shelf:*"]);
    assert_eq!(
        (&*other.namespace, &*other.keys),
        ("second", &["x".to_owned()][..])
    );
    assert_eq!(after.commit().await.unwrap(), Invalidation::Done);
    assert_eq!(left(&cache).await, ["other"]);
}

#[invalidates("loud", publish)]
#[invalidates("quiet")]
async fn write_both() {}

async fn only_what_publishes_is_published_of_one_removal(world: World) {
    let cache = world.cache().await;
    let mut events = cache.events().await;
    cache.scope(write_both()).await;
    assert_eq!(heard(&mut events).await.keys, ["loud"]);
    let after = cache.after_commit();
    after
        .collect(cache.invalidation().key("a").publish())
        .unwrap();
    after.invalidate("b");
    after.invalidate("c");
    after
        .collect(cache.invalidation().keys(["c", "a"]).publish())
        .unwrap();
    after.invalidate("c");
    after.commit().await.unwrap();
    assert_eq!(heard(&mut events).await.keys, ["a", "c"]);
    assert_eq!(cache.stats().total().invalidations, 5);
}

#[redis_cached(ttl = 60, key = "wiped:<id>", tags = ["all-wiped"])]
async fn wiped(id: u64) -> u64 {
    id
}

async fn what_a_transaction_has_cleared_can_be_cleared_again_from_its_names(world: World) {
    let cache = world.cache().await;
    cache.scope(wiped(1)).await;
    filled(&cache, 1).await;
    let after = cache.after_commit();
    let clear = after.scope(cache.clear("requests::wiped")).await;
    assert_eq!(clear.unwrap(), Invalidation::Collected);
    let collected = after.collected().remove(0);
    drop(after);
    assert_eq!((collected.keys.len(), collected.tags.len()), (0, 1));
    let status = async || cache.scope(wiped(1).with_info()).await.1.status();
    assert_eq!(status().await, Status::Hit);
    let sent = cache.invalidation().tags(&collected.tags).send().await;
    assert_eq!(sent.unwrap(), Invalidation::Done);
    assert_eq!(status().await, Status::Miss);
}

//! A tag outlives the entries that carry it, whichever of them dies first.

use std::convert::Infallible;
use std::time::Duration;

use cached_redis::{Cache, Jitter, Policy};

use crate::support::{World, expired, filled, on_both_stores, on_redis};

on_both_stores!(
    a_long_lived_entry_is_dropped_after_a_short_lived_one_of_its_tag_has_died,
    a_short_lived_entry_leaves_the_tag_of_a_long_lived_one_alone,
);
on_redis!(a_tag_lives_twice_as_long_as_the_longest_of_its_entries_can);

const SHORT: Policy = Policy::new()
    .ttl(Duration::from_millis(30))
    .jitter(Jitter::NONE);
const LONG: Policy = Policy::new().ttl(Duration::from_secs(24 * 60 * 60));

async fn load(cache: &Cache, policy: &Policy, key: &str, value: u64) -> u64 {
    let load = || async { Ok::<_, Infallible>(value) };
    cache
        .entry(key)
        .policy(policy)
        .tags(["tag-lives"])
        .get_or_fill(load)
        .await
        .unwrap()
}

async fn a_long_lived_entry_is_dropped_after_a_short_lived_one_of_its_tag_has_died(world: World) {
    let cache = world.cache().await;
    load(&cache, &LONG, "tag-lives:long", 1).await;
    load(&cache, &SHORT, "tag-lives:short", 1).await;
    filled(&cache, 2).await;
    expired("tag-lives:short", [&cache]).await;
    assert_eq!(load(&cache, &LONG, "tag-lives:long", 2).await, 1, "a hit");
    cache.invalidate_tag("tag-lives").await.unwrap();
    assert_eq!(load(&cache, &LONG, "tag-lives:long", 3).await, 3);
}

async fn a_short_lived_entry_leaves_the_tag_of_a_long_lived_one_alone(world: World) {
    let cache = world.cache().await;
    load(&cache, &SHORT, "tag-lives:short", 1).await;
    load(&cache, &LONG, "tag-lives:long", 1).await;
    filled(&cache, 2).await;
    expired("tag-lives:short", [&cache]).await;
    load(&cache, &SHORT, "tag-lives:short", 2).await;
    assert_eq!(load(&cache, &LONG, "tag-lives:long", 2).await, 1, "a hit");
}

async fn a_tag_lives_twice_as_long_as_the_longest_of_its_entries_can(mut world: World) {
    let cache = world.cache().await;
    let server = world.redis();
    let life = || Duration::from_millis(server.run(&["PTTL", "it:#tag:tag-lives"]));
    let hour = Duration::from_secs(60 * 60);
    load(&cache, &SHORT, "tag-lives:short", 1).await;
    assert!(life() <= hour && life() > hour - Duration::from_secs(600));
    // A jitter of nearly 1 doubles a TTL.
    load(&cache, &LONG, "tag-lives:long", 1).await;
    let most = 4 * 24 * hour;
    assert!(life() <= most && life() > most - hour);
    load(&cache, &SHORT, "tag-lives:other", 1).await;
    assert!(life() > most - hour, "never shortened");
}

//! How long entries live, as the server sees it.

use std::time::Duration;

use cached_redis::{Policy, redis_cached};

use crate::support::{World, eventually, filled, on_both_stores, on_redis};

/// What may pass between a fill and the look at it.
const SLACK: i64 = 30_000;

on_redis!(
    every_form_of_a_ttl_reaches_redis,
    jitter_spreads_the_lives_of_entries_over_its_share,
    without_jitter_all_entries_get_the_same_life,
    an_endless_ttl_is_cut_to_what_redis_takes,
);
on_both_stores!(an_entry_is_loaded_again_when_its_ttl_is_over);

const TEN_MINUTES: Duration = Duration::from_secs(600);

#[redis_cached(ttl = 600, jitter = 0.0, key = "ttl:seconds:<id>")]
async fn seconds(id: u64) -> u64 {
    id
}

#[redis_cached(ttl = "10m", jitter = 0.0, key = "ttl:text:<id>")]
async fn text(id: u64) -> u64 {
    id
}

#[redis_cached(ttl = TEN_MINUTES, jitter = 0.0, key = "ttl:const:<id>")]
async fn constant(id: u64) -> u64 {
    id
}

#[redis_cached(ttl = Duration::from_millis(600_000), jitter = 0.0, key = "ttl:expression:<id>")]
async fn expression(id: u64) -> u64 {
    id
}

#[redis_cached(ttl = 1000, jitter = 0.2, key = "ttl:jittered:<id>")]
async fn jittered(id: u64) -> u64 {
    id
}

#[redis_cached(ttl = 1000, key = "ttl:default:<id>")]
async fn by_default(id: u64) -> u64 {
    id
}

#[redis_cached(ttl = "50ms", key = "ttl:short:<id>")]
async fn short(id: u64) -> u64 {
    id
}

async fn every_form_of_a_ttl_reaches_redis(mut world: World) {
    let cache = world.cache().await;
    cache
        .scope(async {
            seconds(1).await;
            text(1).await;
            constant(1).await;
            expression(1).await;
        })
        .await;
    filled(&cache, 4).await;
    let lives = world.redis().lives();
    assert_eq!(lives.len(), 4);
    let right = |left: &i64| (600_000 - SLACK..=600_000).contains(left);
    assert!(lives.values().all(right), "{lives:?}");
}

async fn jitter_spreads_the_lives_of_entries_over_its_share(mut world: World) {
    let cache = world.cache().await;
    let narrow = world
        .builder()
        .namespace("narrow")
        .jitter(0.01)
        .build()
        .await
        .unwrap();
    for id in 0..100 {
        cache.scope(jittered(id)).await;
        cache.scope(by_default(id)).await;
        narrow.scope(by_default(id)).await;
    }
    filled(&cache, 200).await;
    filled(&narrow, 100).await;
    let lives = world.redis().lives();
    for (prefix, share) in [
        ("it:ttl:jittered", 200_000),
        ("it:ttl:default", 50_000),
        ("narrow:ttl", 10_000),
    ] {
        let of = lives.iter().filter(|(key, _)| key.starts_with(prefix));
        let of: Vec<_> = of.map(|(_, left)| *left).collect();
        let (shortest, longest) = (of.iter().min().unwrap(), of.iter().max().unwrap());
        assert_eq!(of.len(), 100);
        assert!(
            *shortest >= 1_000_000 - share - SLACK,
            "{prefix}: {shortest}"
        );
        assert!(*longest <= 1_000_000 + share, "{prefix}: {longest}");
        // Of a hundred, some are in the outer halves.
        assert!(
            longest - shortest > share / 2,
            "{prefix}: {shortest} to {longest}"
        );
    }
}

async fn without_jitter_all_entries_get_the_same_life(mut world: World) {
    let cache = world.builder().jitter(0.0).build().await.unwrap();
    for id in 0..100 {
        cache.scope(by_default(id)).await;
    }
    filled(&cache, 100).await;
    let lives = world.redis().lives();
    let right = |left: &i64| (1_000_000 - SLACK..=1_000_000).contains(left);
    assert!(lives.values().all(right), "{lives:?}");
}

async fn an_endless_ttl_is_cut_to_what_redis_takes(mut world: World) {
    let cache = world.cache().await;
    let endless = Policy::new().ttl(Duration::MAX).jitter(0.9);
    assert!(cache.put(&endless, "ttl:endless", &1_u64).await.unwrap());
    assert_eq!(cache.get::<u64>("ttl:endless").await.unwrap(), Some(1));
    assert!(world.redis().lives()["it:ttl:endless"] > 0);
}

async fn an_entry_is_loaded_again_when_its_ttl_is_over(world: World) {
    let cache = world.cache().await;
    let reload = async || {
        cache.scope(short(1)).await;
        cache.stats().total().loads >= 3
    };
    eventually("two reloads", reload).await;
}

//! How long entries live, as the server sees it.

use std::time::Duration;

use cached_redis::{Cache, CachedExt as _, Jitter, Policy, redis_cached};

use crate::support::{World, eventually, filled, on_both_stores, on_redis};

/// What may pass between a fill and the look at it.
const SLACK: i64 = 30_000;

on_redis!(
    every_form_of_a_ttl_reaches_redis,
    jitter_spreads_the_lives_of_entries_over_its_share,
    jitter_that_only_shortens_leaves_the_ttl_an_upper_bound,
    what_a_call_says_of_the_time_left_includes_the_jitter,
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

#[redis_cached(ttl = 1000, jitter = "-20%", key = "ttl:shortened:<id>")]
async fn shortened(id: u64) -> u64 {
    id
}

#[redis_cached(ttl = 1000, policy = "shortened", key = "ttl:by-policy:<id>", cache = cache, skip(cache))]
async fn shortened_by_policy(cache: &Cache, id: u64) -> Option<u64> {
    id.is_multiple_of(2).then_some(id)
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

async fn jitter_that_only_shortens_leaves_the_ttl_an_upper_bound(mut world: World) {
    let fifth = Jitter::below(0.2);
    let builder = world.builder().jitter(fifth);
    let policy = Policy::new().jitter(fifth).negative_ttl(2 * TEN_MINUTES);
    let cache = builder.policy("shortened", policy).build().await.unwrap();
    for id in 0..100 {
        cache.scope(shortened(id)).await;
        shortened_by_policy(&cache, id).await;
        cache.scope(by_default(id)).await;
    }
    filled(&cache, 300).await;
    let lives = world.redis().lives();
    let of = |name: &str, odd: bool| {
        let ids = (0..100).filter(move |id| !odd || id % 2 == 1);
        let lives = ids.map(|id| lives[&format!("it:ttl:{name}:{id}")]);
        lives.collect::<Vec<_>>()
    };
    for (lives, ttl) in [
        (of("shortened", false), 1_000_000),
        (of("default", false), 1_000_000),
        (of("by-policy", true), 1_200_000),
    ] {
        let (shortest, longest) = (lives.iter().min().unwrap(), lives.iter().max().unwrap());
        assert!(*shortest >= ttl * 8 / 10 - SLACK, "{shortest}");
        assert!(*longest <= ttl, "{longest}");
        assert!(longest - shortest > ttl / 10, "{shortest} to {longest}");
    }
}

async fn what_a_call_says_of_the_time_left_includes_the_jitter(world: World) {
    let cache = world.cache().await;
    let mut longest = Duration::ZERO;
    for id in 0..100 {
        let (_, info) = cache.scope(jittered(id).with_info()).await;
        longest = longest.max(info.time_left().unwrap());
    }
    assert!(longest > Duration::from_secs(1000), "{longest:?}");
    for id in 0..100 {
        let (_, info) = cache.scope(shortened(id).with_info()).await;
        assert!(info.time_left().unwrap() <= Duration::from_secs(1000));
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
    let endless = Policy::new().ttl(Duration::MAX).jitter(Jitter::around(0.9));
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

//! How much a function uses the cache, and whether what it is served is what the source has.

use std::collections::HashMap;

use cached_redis::stats::FunctionStats;
use cached_redis::{Cache, CachedExt as _, Error, Mode, Status, redis_cached};

use crate::support::{Source, World, eventually, filled, on_both_stores};

on_both_stores!(
    a_function_that_is_off_neither_asks_nor_fills_the_cache,
    a_mode_can_be_changed_while_the_program_runs,
    in_shadow_mode_every_call_loads_and_what_the_cache_has_is_compared,
    in_shadow_mode_a_value_that_was_not_invalidated_is_found_out,
    in_shadow_mode_a_write_that_is_just_being_invalidated_does_not_count,
    an_audit_finds_a_source_that_changed_without_an_invalidation,
    an_audit_of_an_absence_is_one_too,
    an_audit_whose_load_fails_says_nothing,
    in_shadow_mode_entries_under_tags_are_compared_too,
    in_shadow_mode_the_hit_rate_is_the_one_that_the_cache_would_have_had,
    in_shadow_mode_a_batch_counts_what_would_have_been_hits_of_its_ids,
    in_shadow_mode_what_the_cache_has_for_the_ids_of_a_batch_is_compared,
    in_shadow_mode_an_entry_that_would_be_served_and_renewed_is_a_hit_and_renewed,
    a_tag_that_is_invalidated_during_an_audit_does_not_count,
);

#[redis_cached(ttl = 600, key = "rollout:<id>", cache = cache, skip(cache, source))]
async fn rolled(cache: &Cache, source: &Source, id: u64) -> u64 {
    source.load().await
}

#[redis_cached(ttl = 600, audit = 1, key = "audited:<id>", cache = cache, skip(cache, source))]
async fn audited(cache: &Cache, source: &Source, id: u64) -> Option<u64> {
    let version = source.load().await;
    (id != 404).then_some(version)
}

#[redis_cached(ttl = 600, audit = 1, key = "failing:<id>", cache = cache, skip(cache, source))]
async fn failing(cache: &Cache, source: &Source, id: u64) -> Result<u64, ()> {
    source.try_load().await.ok_or(())
}

fn stats(cache: &Cache, function: &str) -> FunctionStats {
    *cache.stats().function(function).expect("it is annotated")
}

async fn audits(cache: &Cache, function: &str, count: u64) -> FunctionStats {
    eventually("the audits", async || {
        stats(cache, function).audits >= count
    })
    .await;
    stats(cache, function)
}

async fn a_function_that_is_off_neither_asks_nor_fills_the_cache(world: World) {
    let builder = world.builder().mode("rolled", Mode::Off);
    let (cache, source) = (builder.build().await.unwrap(), Source::new());
    for loads in 1..=3 {
        let (_, info) = rolled(&cache, &source, 1).with_info().await;
        assert_eq!((info.status(), source.loads()), (Status::Bypass, loads));
    }
    assert_eq!(cache.get::<u64>("rollout:1").await.unwrap(), None);
}

async fn a_mode_can_be_changed_while_the_program_runs(world: World) {
    let (cache, source) = (world.cache().await, Source::new());
    rolled(&cache, &source, 1).await;
    filled(&cache, 1).await;
    cache.set_mode("rollout::rolled", Mode::Off).unwrap();
    assert_eq!(cache.mode("rolled").unwrap(), Mode::Off);
    rolled(&cache, &source, 1).await;
    cache.set_mode("rolled", Mode::On).unwrap();
    rolled(&cache, &source, 1).await;
    assert_eq!(source.loads(), 2, "one for the miss, one while it was off");
}

async fn in_shadow_mode_every_call_loads_and_what_the_cache_has_is_compared(world: World) {
    let builder = world.builder().mode("rolled", Mode::Shadow);
    let (cache, source) = (builder.build().await.unwrap(), Source::new());
    rolled(&cache, &source, 1).await;
    filled(&cache, 1).await;
    for loads in 2..=4 {
        assert_eq!(rolled(&cache, &source, 1).await, 1);
        assert_eq!(source.loads(), loads);
    }
    let stats = audits(&cache, "rolled", 3).await;
    assert_eq!((stats.audits, stats.fresh_ratio()), (3, Some(1.0)));
}

async fn in_shadow_mode_a_value_that_was_not_invalidated_is_found_out(world: World) {
    let builder = world.builder().mode("rolled", Mode::Shadow);
    let (cache, source) = (builder.build().await.unwrap(), Source::new());
    rolled(&cache, &source, 1).await;
    filled(&cache, 1).await;
    source.write();
    assert_eq!(rolled(&cache, &source, 1).await, 2, "the load is served");
    let stats = audits(&cache, "rolled", 1).await;
    assert_eq!((stats.stale_audits, stats.fresh_ratio()), (1, Some(0.0)));
}

async fn in_shadow_mode_a_write_that_is_just_being_invalidated_does_not_count(world: World) {
    let builder = world.builder().mode("rolled", Mode::Shadow);
    let (cache, source) = (builder.build().await.unwrap(), Source::new());
    rolled(&cache, &source, 1).await;
    filled(&cache, 1).await;
    source.write();
    assert_eq!(rolled(&cache, &source, 1).await, 2);
    // Between the difference and the second look.
    cache.invalidate("rollout:1").await.unwrap();
    let stats = audits(&cache, "rolled", 1).await;
    assert_eq!(stats.fresh_ratio(), Some(1.0));
}

async fn an_audit_finds_a_source_that_changed_without_an_invalidation(world: World) {
    let (cache, source) = (world.cache().await, Source::new());
    audited(&cache, &source, 1).await;
    filled(&cache, 1).await;
    assert_eq!(audited(&cache, &source, 1).await, Some(1));
    assert_eq!(audits(&cache, "audited", 1).await.stale_audits, 0);
    source.write();
    assert_eq!(
        audited(&cache, &source, 1).await,
        Some(1),
        "a hit is served as it is"
    );
    let stats = audits(&cache, "audited", 2).await;
    assert_eq!((stats.stale_audits, stats.fresh_ratio()), (1, Some(0.5)));
    assert_eq!(stats.fills, 1, "an audit stores nothing");
}

async fn an_audit_of_an_absence_is_one_too(world: World) {
    let (cache, source) = (world.cache().await, Source::new());
    audited(&cache, &source, 404).await;
    filled(&cache, 1).await;
    audited(&cache, &source, 404).await;
    assert_eq!(audits(&cache, "audited", 1).await.fresh_ratio(), Some(1.0));
}

async fn an_audit_whose_load_fails_says_nothing(world: World) {
    let (cache, source) = (world.cache().await, Source::new());
    failing(&cache, &source, 1).await.unwrap();
    filled(&cache, 1).await;
    source.fail(1);
    assert_eq!(failing(&cache, &source, 1).await, Ok(1));
    source.begun(2).await;
    failing(&cache, &source, 1).await.unwrap();
    assert_eq!(audits(&cache, "failing", 1).await.audits, 1);
}

#[redis_cached(
    ttl = 600,
    audit = 1,
    key = "tagged:<id>",
    tags = "rollout",
    cache = cache,
    skip(cache, source)
)]
async fn labelled(cache: &Cache, source: &Source, id: u64) -> u64 {
    source.load().await
}

async fn in_shadow_mode_entries_under_tags_are_compared_too(world: World) {
    let builder = world.builder().mode("labelled", Mode::Shadow);
    let (cache, source) = (builder.build().await.unwrap(), Source::new());
    labelled(&cache, &source, 1).await;
    filled(&cache, 1).await;
    labelled(&cache, &source, 1).await;
    let stats = audits(&cache, "labelled", 1).await;
    assert_eq!((stats.fresh_ratio(), stats.fills), (Some(1.0), 1));
}

async fn in_shadow_mode_the_hit_rate_is_the_one_that_the_cache_would_have_had(world: World) {
    let builder = world.builder().mode("rolled", Mode::Shadow);
    let (cache, source) = (builder.build().await.unwrap(), Source::new());
    rolled(&cache, &source, 1).await;
    filled(&cache, 1).await;
    for _ in 0..3 {
        rolled(&cache, &source, 1).await;
    }
    let stats = stats(&cache, "rolled");
    assert_eq!(stats.hit_rate(), 0.75, "{stats:?}");
    assert_eq!((stats.hits, stats.bypasses), (0, 0), "none was served");
}

#[redis_cached(batch(id in ids), ttl = 600, key = "rollout:<id>", cache = cache, skip(cache, source))]
async fn rolled_all(cache: &Cache, source: &Source, ids: &[u64]) -> HashMap<u64, u64> {
    let version = source.load().await;
    ids.iter().map(|id| (*id, version)).collect()
}

async fn in_shadow_mode_a_batch_counts_what_would_have_been_hits_of_its_ids(world: World) {
    let builder = world.builder().mode("rolled_all", Mode::Shadow);
    let (cache, source) = (builder.build().await.unwrap(), Source::new());
    rolled(&cache, &source, 1).await;
    filled(&cache, 1).await;
    for rate in [0.5, 0.75] {
        rolled_all(&cache, &source, &[1, 2]).await;
        let stats = stats(&cache, "rolled_all");
        assert_eq!(stats.hit_rate(), rate, "{stats:?}");
    }
    assert_eq!(source.loads(), 3, "every call loads");
}

async fn in_shadow_mode_what_the_cache_has_for_the_ids_of_a_batch_is_compared(world: World) {
    let builder = world.builder().mode("rolled_all", Mode::Shadow);
    let (cache, source) = (builder.build().await.unwrap(), Source::new());
    for ids in [[1, 2], [2, 3]] {
        rolled_all(&cache, &source, &ids).await;
        filled(&cache, ids[1]).await;
    }
    assert_eq!(
        audits(&cache, "rolled_all", 1).await.fresh_ratio(),
        Some(1.0)
    );
    let version = source.write();
    let found = rolled_all(&cache, &source, &[1, 2, 4]).await;
    assert_eq!(found, HashMap::from([1, 2, 4].map(|id| (id, version))));
    let stats = audits(&cache, "rolled_all", 3).await;
    assert_eq!((stats.audits, stats.stale_audits), (3, 2));
}

#[redis_cached(
    ttl = 600,
    jitter = 0.0,
    refresh_ahead = 0.0001,
    key = "ahead:<id>",
    cache = cache,
    skip(cache, source)
)]
async fn ahead(cache: &Cache, source: &Source, id: u64) -> u64 {
    source.load().await
}

async fn in_shadow_mode_an_entry_that_would_be_served_and_renewed_is_a_hit_and_renewed(
    world: World,
) {
    let builder = world.builder().mode("rollout::ahead", Mode::Shadow);
    let (cache, source) = (builder.build().await.unwrap(), Source::new());
    ahead(&cache, &source, 1).await;
    filled(&cache, 1).await;
    source.write();
    eventually("the renewal", async || {
        ahead(&cache, &source, 1).await;
        cache.get::<u64>("ahead:1").await.unwrap() == Some(2)
    })
    .await;
    let stats = stats(&cache, "rollout::ahead");
    assert_eq!(stats.misses, 1, "{stats:?}");
    assert_eq!(stats.shadow_hits + 1, source.loads() as u64, "{stats:?}");
}

async fn a_tag_that_is_invalidated_during_an_audit_does_not_count(world: World) {
    let (cache, source) = (world.cache().await, Source::new());
    labelled(&cache, &source, 1).await;
    filled(&cache, 1).await;
    source.write();
    assert_eq!(labelled(&cache, &source, 1).await, 1);
    // Between the difference and the second look, at which the entry stands and is dead.
    source.begun(2).await;
    cache.invalidate_tag("rollout").await.unwrap();
    let stats = audits(&cache, "labelled", 1).await;
    assert_eq!(stats.stale_audits, 0);
}

#[tokio::test]
async fn a_function_of_an_unknown_name_has_no_mode() {
    let builder = World::in_memory().builder().mode("no_such", Mode::Off);
    assert!(matches!(
        builder.build().await,
        Err(Error::UnknownFunction { .. })
    ));
    let cache = World::in_memory().cache().await;
    assert!(matches!(
        cache.mode("no_such"),
        Err(Error::UnknownFunction { .. })
    ));
    let set = cache.set_mode("no_such", Mode::Off);
    assert!(matches!(set, Err(Error::UnknownFunction { .. })));
}

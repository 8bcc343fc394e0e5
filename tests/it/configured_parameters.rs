//! A parameter under `#[cfg]` is no part of the function where its condition does not hold, and one like
//! any other where it does.

use std::collections::HashMap;

use cached_redis::{Cache, invalidates, redis_cached, write_through};

use crate::support::{Source, World, filled, on_both_stores};

on_both_stores!(
    a_function_is_cached_without_its_absent_parameters,
    a_present_parameter_is_part_of_the_key,
    a_field_of_a_pattern_may_be_absent_too,
    what_a_load_behind_its_caller_keeps_is_only_what_is_there,
    the_other_parameters_of_a_batch_may_be_absent,
    writers_have_no_absent_parameters_either,
);

#[redis_cached(
    ttl = 60,
    key = "configured:<id>",
    cache = cache,
    skip(cache, source, span, missing, Missing)
)]
async fn user<#[cfg(any())] Missing>(
    cache: &Cache,
    source: &Source,
    id: u64,
    #[cfg(test)] span: &str,
    #[cfg(any())] missing: &Missing,
) -> Option<u64> {
    assert_eq!((id, span), (1, "span"));
    Some(source.load().await)
}

async fn a_function_is_cached_without_its_absent_parameters(world: World) {
    let (cache, source) = (world.cache().await, Source::new());
    let first = user(&cache, &source, 1, "span").await;
    filled(&cache, 1).await;
    assert_eq!(user(&cache, &source, 1, "span").await, first);
    assert_eq!(source.loads(), 1);
}

#[redis_cached(ttl = 60)]
async fn named(
    #[cfg_attr(all(), cfg(all()))] of: u64,
    #[cfg_attr(all(), cfg(any()))] no: u64,
) -> u64 {
    10 * of
}

async fn a_present_parameter_is_part_of_the_key(world: World) {
    let cache = world.cache().await;
    assert_eq!(cache.scope(named(1)).await, 10);
    filled(&cache, 1).await;
    assert_eq!(cache.scope(named(2)).await, 20);
    assert_eq!(cache.scope(named(1)).await, 10);
    assert_eq!(cache.stats().total().hits, 1);
}

struct Order {
    id: u64,
    #[cfg(test)]
    lines: u64,
}

#[redis_cached(ttl = 60)]
async fn ordered(
    Order {
        id,
        #[cfg(test)]
        lines,
        #[cfg(any())]
        span,
    }: Order,
) -> u64 {
    10 * id + lines
}

async fn a_field_of_a_pattern_may_be_absent_too(world: World) {
    let cache = world.cache().await;
    for (id, lines, loads) in [(1, 2, 1), (1, 3, 2), (1, 2, 2)] {
        assert_eq!(
            cache.scope(ordered(Order { id, lines })).await,
            10 * id + lines
        );
        filled(&cache, loads).await;
    }
}

#[derive(Clone)]
struct Shop;

impl Shop {
    #[redis_cached(
        ttl = 60,
        stale_while_revalidate = 60,
        key = "configured:price:<name>",
        skip(span)
    )]
    async fn price(&self, name: &str, #[cfg(any())] span: &Missing) -> usize {
        name.len()
    }
}

async fn what_a_load_behind_its_caller_keeps_is_only_what_is_there(world: World) {
    let cache = world.cache().await;
    assert_eq!(cache.scope(Shop.price("tea")).await, 3);
    filled(&cache, 1).await;
    assert_eq!(cache.scope(Shop.price("tea")).await, 3);
    assert_eq!(cache.stats().total().hits, 1);
}

#[redis_cached(batch(id in ids), ttl = 60, key = "configured:batch:<id>", skip(span))]
async fn users(ids: &[u64], #[cfg(any())] span: Missing) -> HashMap<u64, u64> {
    ids.iter().map(|id| (*id, 10 * id)).collect()
}

async fn the_other_parameters_of_a_batch_may_be_absent(world: World) {
    let cache = world.cache().await;
    cache.scope(users(&[1, 2])).await;
    filled(&cache, 2).await;
    cache.scope(users(&[1, 2])).await;
    assert_eq!(cache.stats().total().hits, 2);
}

#[invalidates("configured:<id>", cache = cache)]
#[invalidates("configured:price:<id>", cache = cache)]
async fn rename(cache: &Cache, source: &Source, id: u64, #[cfg(any())] span: &Missing) {
    let _ = (id, source.write());
}

#[write_through(ttl = 60, key = "configured:<id>", tags = [], cache = cache)]
async fn write(
    cache: &Cache,
    #[cfg(any())] span: &Missing,
    source: &Source,
    id: u64,
) -> Option<u64> {
    let _ = id;
    Some(source.write())
}

async fn writers_have_no_absent_parameters_either(world: World) {
    let (cache, source) = (world.cache().await, Source::new());
    user(&cache, &source, 1, "span").await;
    filled(&cache, 1).await;
    rename(&cache, &source, 1).await;
    assert_eq!(
        user(&cache, &source, 1, "span").await,
        Some(source.version())
    );
    let written = write(&cache, &source, 1).await;
    assert_eq!(written, Some(source.version()));
    assert_eq!(user(&cache, &source, 1, "span").await, written);
}

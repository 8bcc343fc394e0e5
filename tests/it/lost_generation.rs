//! A tag whose generation was lost makes misses, never stale hits.

use cached_redis::{Cache, redis_cached};

use crate::support::{Source, World, filled, in_time, on_both_stores, on_redis};

on_redis!(
    entries_of_a_tag_that_was_evicted_are_loaded_anew,
    a_generation_that_was_lost_never_comes_back,
    a_load_whose_tag_is_lost_meanwhile_is_not_served,
    foreign_bytes_in_the_place_of_a_generation_cost_loads_and_nothing_else,
);
on_both_stores!(a_full_store_loses_tags_and_serves_nothing_stale);

#[redis_cached(ttl = 60, key = "lost-generation:<id>", tags = ["lost-generation:tag"], skip(source))]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await
}

async fn filled_once(world: &World, source: &Source) -> Cache {
    let cache = world.cache().await;
    cache.scope(read(source, 1)).await;
    filled(&cache, 1).await;
    cache
}

async fn entries_of_a_tag_that_was_evicted_are_loaded_anew(mut world: World) {
    let source = Source::new();
    let cache = filled_once(&world, &source).await;
    let server = world.redis();
    // The tag that all entries of the function share as well.
    for (tag, loads) in [
        ("it:#tag:lost-generation:tag", 2),
        ("it:#fn:lost-generation:<>", 3),
    ] {
        server.run::<()>(&["DEL", tag]);
        cache.scope(read(&source, 1)).await;
        assert_eq!(source.loads(), loads);
        filled(&cache, loads as u64).await;
        cache.scope(read(&source, 1)).await;
        assert_eq!(source.loads(), loads, "kept again");
    }
    assert_eq!(cache.stats().total().outdated, 2);
}

async fn a_generation_that_was_lost_never_comes_back(mut world: World) {
    let source = Source::new();
    let cache = filled_once(&world, &source).await;
    let server = world.redis();
    let entry = server.bytes("it:lost-generation:1").unwrap();
    source.write();
    server.run::<()>(&["DEL", "it:#tag:lost-generation:tag"]);
    assert_eq!(cache.scope(read(&source, 1)).await, 2);
    filled(&cache, 2).await;
    server.plant("it:lost-generation:1", &entry);
    assert_eq!(
        cache.scope(read(&source, 1)).await,
        2,
        "the old entry is dead"
    );
}

async fn a_load_whose_tag_is_lost_meanwhile_is_not_served(mut world: World) {
    let cache = world.cache().await;
    let source = Source::held();
    let load = cache.spawn({
        let source = source.clone();
        async move { read(&source, 1).await }
    });
    source.begun(1).await;
    source.write();
    world
        .redis()
        .run::<()>(&["DEL", "it:#tag:lost-generation:tag"]);
    source.release();
    assert_eq!(load.await.unwrap(), 1);
    assert_eq!(in_time(cache.scope(read(&source, 1))).await, 2);
}

async fn foreign_bytes_in_the_place_of_a_generation_cost_loads_and_nothing_else(mut world: World) {
    let source = Source::new();
    let cache = filled_once(&world, &source).await;
    let server = world.redis();
    server.plant("it:#tag:lost-generation:tag", b"hello");
    for loads in 2..5 {
        assert_eq!(cache.scope(read(&source, 1)).await, source.version());
        assert_eq!(source.loads(), loads);
    }
    server.run::<()>(&["DEL", "it:#tag:lost-generation:tag"]);
    server.run::<()>(&["RPUSH", "it:#tag:lost-generation:tag", "of another type"]);
    assert_eq!(cache.scope(read(&source, 1)).await, source.version());
    cache.invalidate_tag("lost-generation:tag").await.unwrap();
    cache.scope(read(&source, 1)).await;
    filled(&cache, 2).await;
    let loads = source.loads();
    cache.scope(read(&source, 1)).await;
    assert_eq!(source.loads(), loads, "kept again");
}

/// So little room that tags and entries push each other out.
async fn a_full_store_loses_tags_and_serves_nothing_stale(world: World) {
    let cache = world.builder().memory_entries(8).build().await.unwrap();
    let source = Source::new();
    for round in 0..200 {
        if round % 10 == 0 {
            source.write();
            cache.invalidate_tag("lost-generation:tag").await.unwrap();
        }
        let read = in_time(cache.scope(read(&source, round % 20))).await;
        assert_eq!(read, source.version());
    }
}

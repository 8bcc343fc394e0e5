//! When `#[invalidates]` acts: always, on `Ok` only, or before.

use std::io;

use cached_redis::{Cache, invalidates, redis_cached};

use crate::support::{Source, World, filled, on_both_stores, on_redis};

on_both_stores!(
    by_default_a_writer_invalidates_on_ok_on_err_and_on_panic,
    a_writer_with_when_ok_invalidates_unless_it_fails,
    a_writer_with_when_before_invalidates_before_its_body_runs,
    every_key_of_a_writer_is_invalidated,
    a_key_can_be_made_of_the_result,
    a_writer_may_return_nothing_a_reference_or_impl_trait,
    a_writer_without_a_cache_simply_runs,
);
on_redis!(all_keys_of_a_writer_go_in_one_command);

struct Row {
    id: u64,
    name: String,
}

#[redis_cached(ttl = 60, key = "writers:<id>", skip(source))]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await
}

#[invalidates("writers:<id>")]
async fn always(source: &Source, id: u64, end: &str) -> io::Result<u64> {
    let version = source.write();
    match end {
        "panic" => panic!("this writer was asked to panic"),
        "err" => Err(io::Error::other("this writer was asked to fail")),
        _ => Ok(version),
    }
}

#[invalidates("writers:<id>", when = "ok")]
async fn on_ok(source: &Source, id: u64, end: &str) -> io::Result<u64> {
    if end == "err" {
        return Err(io::Error::other("this writer was asked to fail"));
    }
    Ok(source.write())
}

#[invalidates("writers:<id>", when = "before")]
async fn before(cache: &Cache, id: u64) -> Option<u64> {
    cache.get(format!("writers:{id}")).await.unwrap()
}

#[invalidates("writers:<a>", "writers:<b>")]
#[invalidates("writers:7")]
async fn several(a: u64, b: u64) {
    let _ = (a, b);
}

#[invalidates("writers:<result.id>", "writers:<name>", when = "ok")]
async fn insert(id: u64, name: &str) -> Result<Row, io::Error> {
    let name = name.to_owned();
    Ok(Row { id, name })
}

#[invalidates("writers:<id>")]
async fn borrowing(source: &Source, id: u64) -> &Source {
    let _ = id;
    source
}

#[invalidates("writers:<id>")]
async fn opaque(id: u64) -> impl Iterator<Item = u64> {
    0..id
}

/// A cache with entries for the keys 0 to 9.
async fn full(world: &World, source: &Source) -> Cache {
    let cache = world.cache().await;
    for id in 0..10 {
        cache.scope(read(source, id)).await;
    }
    filled(&cache, 10).await;
    cache
}

async fn missing(cache: &Cache) -> Vec<u64> {
    let mut missing = Vec::new();
    for id in 0..10 {
        if cache
            .get::<u64>(format!("writers:{id}"))
            .await
            .unwrap()
            .is_none()
        {
            missing.push(id);
        }
    }
    missing
}

async fn by_default_a_writer_invalidates_on_ok_on_err_and_on_panic(world: World) {
    let source = Source::new();
    let cache = full(&world, &source).await;
    assert_eq!(cache.scope(always(&source, 1, "ok")).await.unwrap(), 2);
    assert_eq!(missing(&cache).await, [1]);
    assert!(cache.scope(always(&source, 2, "err")).await.is_err());
    assert_eq!(missing(&cache).await, [1, 2]);
    let writer = source.clone();
    let panicked = cache
        .spawn(async move { always(&writer, 3, "panic").await })
        .await;
    assert!(panicked.is_err_and(|error| error.is_panic()));
    // Nobody is there to wait for it, so it may still be on its way.
    let gone = async || missing(&cache).await == [1, 2, 3];
    crate::support::eventually("the key of the panicking writer to be gone", gone).await;
}

async fn a_writer_with_when_ok_invalidates_unless_it_fails(world: World) {
    let source = Source::new();
    let cache = full(&world, &source).await;
    assert!(cache.scope(on_ok(&source, 1, "err")).await.is_err());
    assert!(missing(&cache).await.is_empty());
    assert_eq!(cache.scope(on_ok(&source, 1, "ok")).await.unwrap(), 2);
    assert_eq!(missing(&cache).await, [1]);
}

async fn a_writer_with_when_before_invalidates_before_its_body_runs(world: World) {
    let source = Source::new();
    let cache = full(&world, &source).await;
    assert_eq!(cache.scope(before(&cache, 1)).await, None);
    assert_eq!(missing(&cache).await, [1]);
}

async fn every_key_of_a_writer_is_invalidated(world: World) {
    let source = Source::new();
    let cache = full(&world, &source).await;
    cache.scope(several(2, 4)).await;
    assert_eq!(missing(&cache).await, [2, 4, 7]);
    assert_eq!(cache.stats().total().invalidations, 3);
}

async fn a_key_can_be_made_of_the_result(world: World) {
    let source = Source::new();
    let cache = full(&world, &source).await;
    let row = cache.scope(insert(5, "6")).await.unwrap();
    assert_eq!((row.id, row.name.as_str()), (5, "6"));
    assert_eq!(missing(&cache).await, [5, 6]);
}

async fn a_writer_may_return_nothing_a_reference_or_impl_trait(world: World) {
    let source = Source::new();
    let cache = full(&world, &source).await;
    assert_eq!(cache.scope(borrowing(&source, 1)).await.version(), 1);
    assert_eq!(cache.scope(opaque(2)).await.count(), 2);
    assert_eq!(missing(&cache).await, [1, 2]);
}

async fn a_writer_without_a_cache_simply_runs(world: World) {
    let source = Source::new();
    let cache = full(&world, &source).await;
    assert_eq!(always(&source, 1, "ok").await.unwrap(), 2);
    assert!(missing(&cache).await.is_empty());
}

async fn all_keys_of_a_writer_go_in_one_command(mut world: World) {
    let cache = world.cache().await;
    let server = world.redis();
    server.reset_commands();
    cache.scope(insert(1, "2")).await.unwrap();
    assert_eq!(
        server.commands().into_iter().collect::<Vec<_>>(),
        [("unlink".to_owned(), 1)]
    );
}

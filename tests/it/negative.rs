//! A `None` is kept too, as a known absence, for a time of its own.

use cached_redis::{CachedExt as _, Status, invalidates, redis_cached};

use crate::support::{Source, World, filled, on_both_stores, on_redis};

on_both_stores!(
    an_absence_is_kept,
    an_absence_beside_errors_is_kept,
    an_absence_with_a_negative_ttl_of_zero_is_not_kept,
    an_absence_ends_with_an_invalidation,
    the_info_of_a_known_absence_is_a_hit,
);
on_redis!(an_absence_lives_as_long_as_its_own_ttl_says);

#[redis_cached(ttl = 600, jitter = 0.0, key = "negative:<id>", skip(source))]
async fn find(source: &Source, id: u64) -> Option<u64> {
    let version = source.load().await;
    (version > 1).then_some(version)
}

#[invalidates("negative:<id>")]
async fn insert(source: &Source, id: u64) {
    source.write();
}

#[redis_cached(
    ttl = 600,
    jitter = 0.0,
    negative_ttl = 5,
    key = "negative:result:<id>",
    skip(source)
)]
async fn find_or_fail(source: &Source, id: u64) -> Result<Option<u64>, String> {
    let version = source.try_load().await.ok_or("failed")?;
    Ok((version > 1).then_some(version))
}

#[redis_cached(ttl = 600, negative_ttl = 0, key = "negative:never:<id>", skip(source))]
async fn find_again(source: &Source, id: u64) -> Option<u64> {
    let version = source.load().await;
    (version > 1).then_some(version)
}

#[redis_cached(ttl = "7s", jitter = 0.0, key = "negative:short:<id>")]
async fn find_shortly(id: u64) -> Option<u64> {
    (id > 100).then_some(id)
}

async fn an_absence_is_kept(world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    for _ in 0..3 {
        assert_eq!(cache.scope(find(&source, 1)).await, None);
    }
    assert_eq!(source.loads(), 1);
    assert_eq!(cache.get::<u64>("negative:1").await.unwrap(), None);
}

async fn an_absence_beside_errors_is_kept(world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    source.fail(1);
    assert!(cache.scope(find_or_fail(&source, 1)).await.is_err());
    for _ in 0..3 {
        assert_eq!(cache.scope(find_or_fail(&source, 1)).await, Ok(None));
    }
    assert_eq!(source.loads(), 2);
}

async fn an_absence_with_a_negative_ttl_of_zero_is_not_kept(world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    for loads in 1..=3 {
        assert_eq!(cache.scope(find_again(&source, 1)).await, None);
        assert_eq!(source.loads(), loads);
    }
    source.write();
    for _ in 0..3 {
        assert_eq!(cache.scope(find_again(&source, 1)).await, Some(2));
    }
    assert_eq!(source.loads(), 4);
}

async fn an_absence_ends_with_an_invalidation(world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    assert_eq!(cache.scope(find(&source, 1)).await, None);
    cache.scope(insert(&source, 1)).await;
    assert_eq!(cache.scope(find(&source, 1)).await, Some(2));
}

async fn the_info_of_a_known_absence_is_a_hit(world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    for expected in [Status::Miss, Status::Hit] {
        let (value, info) = cache.scope(find(&source, 1).with_info()).await;
        assert_eq!((value, info.status()), (None, expected));
    }
}

async fn an_absence_lives_as_long_as_its_own_ttl_says(mut world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    cache.scope(find(&source, 1)).await;
    cache.scope(find_or_fail(&source, 1)).await.unwrap();
    cache.scope(find_shortly(1)).await;
    source.write();
    cache.scope(find(&source, 2)).await;
    filled(&cache, 4).await;
    let server = world.redis();
    let lives = server.lives();
    let about = |key: &str, seconds: i64| {
        let left = lives[key];
        assert!(left > 0 && left <= seconds * 1000, "{key}: {left} ms");
    };
    about("it:negative:1", 30);
    about("it:negative:result:1", 5);
    about("it:negative:short:1", 7);
    about("it:negative:2", 600);
    assert!(lives["it:negative:2"] > 60_000);
    assert_eq!(server.bytes("it:negative:1").unwrap()[..2], [0xCA, b'N']);
}

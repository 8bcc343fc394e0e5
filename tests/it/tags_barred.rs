//! Where the invalidation of a tag is more than one command: guarded writes, replicas that lag, and
//! a store that does not answer. All of that is as for keys.

use std::time::Duration;

use cached_redis::{
    Cache, CachedExt as _, Invalidation, Policy, Status, invalidates, redis_cached,
};

use crate::support::{Source, World, eventually, filled, on_both_stores, on_redis};

on_both_stores!(
    during_a_guarded_write_of_a_tag_nothing_under_it_is_stored,
    a_load_under_way_when_a_guarded_write_of_its_tag_begins_is_served_to_nobody,
    a_refresh_and_a_put_during_a_guarded_write_of_a_tag_are_not_kept,
    within_the_lag_of_a_tag_nothing_under_it_is_stored,
);
on_redis!(
    a_tag_is_bypassed_here_until_its_invalidation_is_replayed,
    an_entry_that_names_a_deferred_tag_is_bypassed_too,
);

const POLICY: Policy = Policy::new().ttl(Duration::from_secs(60));

#[redis_cached(ttl = 60, key = "barred:<id>", tags = ["barred:<team>"], skip(source, team))]
async fn read(source: &Source, id: u64, team: u64) -> u64 {
    source.load().await
}

#[invalidates(tag = "barred:<team>", guard, cache = cache)]
async fn write(cache: &Cache, source: &Source, gate: &Source, team: u64) {
    gate.load().await;
    source.write();
}

#[invalidates(tag = "barred:<team>", replica_lag = "1h", cache = cache)]
async fn write_lagging(cache: &Cache, team: u64) {
    let _ = team;
}

#[invalidates(tag = "barred:<team>")]
async fn write_plainly(source: &Source, team: u64) {
    source.write();
}

async fn guarded(world: &World) -> Cache {
    world.patient().guarded(true).build().await.unwrap()
}

async fn status(cache: &Cache, source: &Source, team: u64) -> Status {
    let (value, info) = cache.scope(read(source, team, team).with_info()).await;
    assert_eq!(value, source.version());
    info.status()
}

async fn full(world: &World, source: &Source) -> Cache {
    let cache = guarded(world).await;
    for team in [7, 8] {
        cache.scope(read(source, team, team)).await;
    }
    filled(&cache, 2).await;
    cache
}

/// A guarded write that waits before its commit.
async fn begun(cache: &Cache, source: &Source) -> (Source, tokio::task::JoinHandle<()>) {
    let gate = Source::held();
    let writer = tokio::spawn({
        let (cache, source, gate) = (cache.clone(), source.clone(), gate.clone());
        async move { write(&cache, &source, &gate, 7).await }
    });
    gate.begun(1).await;
    (gate, writer)
}

async fn kept_again(cache: &Cache, source: &Source) {
    let hit = async || status(cache, source, 7).await == Status::Hit;
    eventually("a value to be kept", hit).await;
}

async fn during_a_guarded_write_of_a_tag_nothing_under_it_is_stored(world: World) {
    let source = Source::new();
    let cache = full(&world, &source).await;
    let (gate, writer) = begun(&cache, &source).await;
    for _ in 0..3 {
        assert_eq!(status(&cache, &source, 7).await, Status::Bypass);
        assert_eq!(status(&cache, &source, 8).await, Status::Hit);
    }
    gate.release();
    writer.await.unwrap();
    kept_again(&cache, &source).await;
}

async fn a_load_under_way_when_a_guarded_write_of_its_tag_begins_is_served_to_nobody(world: World) {
    let (cache, other) = (guarded(&world).await, guarded(&world).await);
    let source = Source::held();
    let overtaken = cache.spawn({
        let source = source.clone();
        async move { read(&source, 7, 7).await }
    });
    source.begun(1).await;
    let (gate, writer) = begun(&other, &source).await;
    source.release();
    assert_eq!(overtaken.await.unwrap(), 1);
    filled(&cache, 1).await;
    assert_eq!(status(&cache, &source, 7).await, Status::Bypass);
    gate.release();
    writer.await.unwrap();
    assert_eq!(cache.scope(read(&source, 7, 7)).await, 2);
    kept_again(&cache, &source).await;
}

async fn a_refresh_and_a_put_during_a_guarded_write_of_a_tag_are_not_kept(world: World) {
    let source = Source::new();
    let cache = full(&world, &source).await;
    let (gate, writer) = begun(&cache, &source).await;
    let refreshed = cache
        .scope(read(&source, 7, 7).refreshed().with_info())
        .await;
    assert_eq!(refreshed.1.status(), Status::Bypass);
    let put = cache
        .entry("barred:hand")
        .policy(&POLICY)
        .tags(["barred:7"])
        .put(&1_u64);
    assert!(!put.await.unwrap());
    gate.release();
    writer.await.unwrap();
    assert_eq!(cache.get::<u64>("barred:hand").await.unwrap(), None);
    assert_eq!(cache.scope(read(&source, 7, 7)).await, 2);
}

async fn within_the_lag_of_a_tag_nothing_under_it_is_stored(world: World) {
    let source = Source::new();
    let cache = full(&world, &source).await;
    write_lagging(&cache, 7).await;
    for _ in 0..3 {
        assert_eq!(status(&cache, &source, 7).await, Status::Bypass);
        assert_eq!(status(&cache, &source, 8).await, Status::Hit);
    }
}

fn set_unlink(world: &World, may: &str) {
    let server = world.server().unwrap();
    server.run::<()>(&["ACL", "SETUSER", "default", &format!("{may}unlink")]);
}

async fn replayed(cache: &Cache) {
    let empty = async || cache.stats().pending_invalidations().is_empty();
    eventually("the replay", empty).await;
}

async fn a_tag_is_bypassed_here_until_its_invalidation_is_replayed(world: World) {
    let [cache, other] = [world.cache().await, world.cache().await];
    let source = Source::new();
    for team in [7, 8] {
        cache.scope(read(&source, team, team)).await;
    }
    filled(&cache, 2).await;
    set_unlink(&world, "-");
    cache.scope(write_plainly(&source, 7)).await;
    assert_eq!(cache.stats().pending_invalidations().keys, 1);
    for _ in 0..3 {
        assert_eq!(status(&cache, &source, 7).await, Status::Bypass);
        assert_eq!(cache.scope(read(&source, 8, 8)).await, 1, "a hit");
    }
    assert_eq!(other.scope(read(&source, 7, 7)).await, 1, "it cannot know");
    set_unlink(&world, "+");
    replayed(&cache).await;
    assert_eq!(other.scope(read(&source, 7, 7)).await, 2);
    kept_again(&cache, &source).await;
}

async fn an_entry_that_names_a_deferred_tag_is_bypassed_too(world: World) {
    let cache = world.cache().await;
    let put = cache
        .entry("barred:hand")
        .policy(&POLICY)
        .tags(["named"])
        .put(&1_u64);
    assert!(put.await.unwrap());
    set_unlink(&world, "-");
    let deferred = cache.invalidate_tag("named").await.unwrap();
    assert_eq!(deferred, Invalidation::Deferred);
    // Neither names the tag.
    assert_eq!(cache.get::<u64>("barred:hand").await.unwrap(), None);
    let load = || async { Ok::<_, std::convert::Infallible>(2_u64) };
    let read = cache.get_or_fill(&POLICY, "barred:hand", load);
    assert_eq!(read.await, Ok(2));
    let put = cache
        .entry("barred:hand")
        .policy(&POLICY)
        .tags(["named"])
        .put(&3_u64);
    assert!(!put.await.unwrap());
    set_unlink(&world, "+");
    replayed(&cache).await;
    assert_eq!(cache.get::<u64>("barred:hand").await.unwrap(), None);
}

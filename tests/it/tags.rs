//! Tags: one command makes all entries dead that carry one.

use std::convert::Infallible;
use std::time::Duration;

use cached_redis::{
    Cache, CachedExt as _, Invalidation, Policy, Status, invalidates, redis_cached,
};

use crate::support::{Source, World, eventually, filled, on_both_stores, on_redis};

on_both_stores!(
    invalidating_a_tag_drops_its_entries_and_no_others,
    an_entry_of_two_tags_is_dropped_by_either,
    a_writer_drops_keys_and_tags_together,
    a_tag_may_come_from_the_result_of_the_writer,
    several_tags_are_invalidated_at_once,
    an_entry_tagged_by_hand_is_read_and_dropped_by_whoever_asks,
    a_reader_by_hand_under_a_tag_that_the_entry_lacks_loads,
    what_was_put_under_a_tag_is_dropped_with_it,
    an_entry_of_a_tagged_function_is_none_to_get,
    an_absence_carries_tags,
    more_tags_than_fit_are_not_cached,
    a_refresh_of_an_entry_whose_tag_was_invalidated_is_kept,
    a_tag_whose_value_cannot_be_rendered_keeps_the_call_uncached,
    an_entry_is_not_alive_by_the_generation_of_another_tag,
    tens_of_thousands_of_tags_are_invalidated_at_once,
);
on_redis!(
    a_tagged_hit_is_one_mget,
    a_tagged_miss_stamps_before_it_loads,
    an_untagged_function_has_nothing_to_do_with_tags,
    keys_and_tags_of_a_writer_go_in_one_command,
    invalidating_a_tag_of_100_000_entries_is_one_unlink,
    without_mget_tagged_entries_are_read_one_by_one,
);

const POLICY: Policy = Policy::new().ttl(Duration::from_secs(60));

#[redis_cached(ttl = 60, key = "tags:<id>", tags = ["team:<team>", "user:<id>"], skip(source, team))]
async fn read(source: &Source, id: u64, team: u64) -> u64 {
    source.load().await
}

#[redis_cached(ttl = 60, key = "tags:plain:<id>", skip(source))]
async fn read_plain(source: &Source, id: u64) -> u64 {
    source.load().await
}

#[redis_cached(ttl = 60, key = "tags:absent:<id>", tags = "users", skip(source))]
async fn read_nothing(source: &Source, id: u64) -> Option<u64> {
    source.load().await;
    None
}

struct Nameless;

impl std::fmt::Display for Nameless {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Err(std::fmt::Error)
    }
}

#[redis_cached(ttl = 60, key = "tags:nameless:<id>", tags = ["of:<name>"], skip(source, name))]
async fn read_nameless(source: &Source, id: u64, name: Nameless) -> u64 {
    source.load().await
}

#[invalidates("tags:plain:<id>", tag = "user:<id>", tag = "users")]
async fn write(source: &Source, id: u64) {
    source.write();
}

#[invalidates(tag = "team:<result>:", tag = "team:<result>", when = "ok")]
async fn move_to_team(id: u64) -> Result<u64, String> {
    id.checked_add(6).ok_or_else(String::new)
}

async fn status(cache: &Cache, source: &Source, id: u64, team: u64) -> Status {
    let (_, info) = cache.scope(read(source, id, team).with_info()).await;
    info.status()
}

/// A cache with the entries 1 and 2 of team 7 and 3 of team 8.
async fn full(world: &World, source: &Source) -> Cache {
    let cache = world.cache().await;
    for (id, team) in [(1, 7), (2, 7), (3, 8)] {
        cache.scope(read(source, id, team)).await;
    }
    filled(&cache, 3).await;
    cache
}

async fn statuses(cache: &Cache, source: &Source) -> [Status; 3] {
    let fills = cache.stats().total().fills;
    let statuses = [
        status(cache, source, 1, 7).await,
        status(cache, source, 2, 7).await,
        status(cache, source, 3, 8).await,
    ];
    let misses = statuses.iter().filter(|one| **one == Status::Miss).count();
    filled(cache, fills + misses as u64).await;
    statuses
}

async fn by_hand(cache: &Cache, tag: &str, value: u64) -> u64 {
    let load = || async { Ok::<_, Infallible>(value) };
    let fills = cache.stats().total();
    let read = cache
        .entry("tags:hand")
        .policy(&POLICY)
        .tags([tag])
        .get_or_fill(load)
        .await;
    filled(
        cache,
        fills.fills + cache.stats().total().misses - fills.misses,
    )
    .await;
    read.unwrap()
}

async fn invalidating_a_tag_drops_its_entries_and_no_others(world: World) {
    let (source, other) = (Source::new(), world.cache().await);
    let cache = full(&world, &source).await;
    other.invalidate_tag("team:7").await.unwrap();
    let expected = [Status::Miss, Status::Miss, Status::Hit];
    assert_eq!(statuses(&cache, &source).await, expected);
    assert_eq!(statuses(&other, &source).await, [Status::Hit; 3]);
    assert_eq!(cache.stats().function("tags::read").unwrap().outdated, 2);
    assert_eq!(other.stats().total().invalidations, 1);
}

async fn an_entry_of_two_tags_is_dropped_by_either(world: World) {
    let source = Source::new();
    let cache = full(&world, &source).await;
    for tag in ["user:1", "team:7", "user:1"] {
        cache.invalidate_tag(tag).await.unwrap();
        assert_eq!(status(&cache, &source, 1, 7).await, Status::Miss);
        filled(&cache, source.loads() as u64).await;
        assert_eq!(status(&cache, &source, 1, 7).await, Status::Hit);
    }
}

async fn a_writer_drops_keys_and_tags_together(world: World) {
    let source = Source::new();
    let cache = full(&world, &source).await;
    cache.scope(read_plain(&source, 1)).await;
    filled(&cache, 4).await;
    cache.scope(write(&source, 1)).await;
    assert_eq!(cache.scope(read(&source, 1, 7)).await, 2);
    assert_eq!(cache.scope(read_plain(&source, 1)).await, 2);
    assert_eq!(cache.scope(read(&source, 2, 7)).await, 1, "a hit");
    let writer = cache.stats();
    assert_eq!(writer.function("tags::write").unwrap().invalidations, 3);
}

async fn a_tag_may_come_from_the_result_of_the_writer(world: World) {
    let source = Source::new();
    let cache = full(&world, &source).await;
    cache.scope(move_to_team(u64::MAX)).await.unwrap_err();
    assert_eq!(statuses(&cache, &source).await, [Status::Hit; 3]);
    assert_eq!(cache.scope(move_to_team(1)).await, Ok(7));
    let expected = [Status::Miss, Status::Miss, Status::Hit];
    assert_eq!(statuses(&cache, &source).await, expected);
}

async fn several_tags_are_invalidated_at_once(world: World) {
    let source = Source::new();
    let cache = full(&world, &source).await;
    cache
        .invalidation()
        .tags(["user:1", "team:8"])
        .send()
        .await
        .unwrap();
    let expected = [Status::Miss, Status::Hit, Status::Miss];
    assert_eq!(statuses(&cache, &source).await, expected);
}

async fn an_entry_tagged_by_hand_is_read_and_dropped_by_whoever_asks(world: World) {
    let [cache, other] = [world.cache().await, world.cache().await];
    assert_eq!(by_hand(&cache, "a", 1).await, 1);
    for process in [&cache, &other] {
        assert_eq!(process.get::<u64>("tags:hand").await.unwrap(), Some(1));
        let load = || async { Ok::<_, Infallible>(2_u64) };
        let read = process.get_or_fill(&POLICY, "tags:hand", load).await;
        assert_eq!(read, Ok(1), "without naming the tag");
    }
    other.invalidate_tag("a").await.unwrap();
    assert_eq!(cache.get::<u64>("tags:hand").await.unwrap(), None);
    assert_eq!(by_hand(&cache, "a", 3).await, 3);
}

async fn a_reader_by_hand_under_a_tag_that_the_entry_lacks_loads(world: World) {
    let cache = world.cache().await;
    assert_eq!(by_hand(&cache, "a", 1).await, 1);
    assert_eq!(by_hand(&cache, "b", 2).await, 2);
    // From here on the entry carries both.
    assert_eq!(by_hand(&cache, "a", 3).await, 2);
    for tag in ["a", "b"] {
        cache.invalidate_tag(tag).await.unwrap();
        assert_eq!(cache.get::<u64>("tags:hand").await.unwrap(), None);
        by_hand(&cache, "b", 4).await;
    }
}

async fn what_was_put_under_a_tag_is_dropped_with_it(world: World) {
    let cache = world.cache().await;
    assert!(
        cache
            .entry("tags:hand")
            .policy(&POLICY)
            .tags(["a", "b"])
            .put(&1_u64)
            .await
            .unwrap()
    );
    assert_eq!(cache.get::<u64>("tags:hand").await.unwrap(), Some(1));
    cache.invalidate_tag("b").await.unwrap();
    assert_eq!(cache.get::<u64>("tags:hand").await.unwrap(), None);
}

async fn an_entry_of_a_tagged_function_is_none_to_get(world: World) {
    let source = Source::new();
    let cache = full(&world, &source).await;
    assert_eq!(cache.get::<u64>("tags:1").await.unwrap(), None);
    assert_eq!(statuses(&cache, &source).await, [Status::Hit; 3]);
}

async fn an_absence_carries_tags(world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    for loads in 1..3 {
        cache.scope(read_nothing(&source, 1)).await;
        filled(&cache, loads).await;
        cache.scope(read_nothing(&source, 1)).await;
        assert_eq!(source.loads() as u64, loads);
        cache.invalidate_tag("users").await.unwrap();
    }
}

async fn more_tags_than_fit_are_not_cached(world: World) {
    let cache = world.cache().await;
    let tags = |count: u64| (0..count).map(|number| format!("tag:{number}"));
    let put = cache
        .entry("k")
        .policy(&POLICY)
        .tags(tags(65))
        .put(&1_u64)
        .await;
    assert!(put.unwrap_err().to_string().contains("tags"));
    for _ in 0..2 {
        let load = || async { Ok::<_, Infallible>(1_u64) };
        let read = cache
            .entry("k")
            .policy(&POLICY)
            .tags(tags(65))
            .get_or_fill(load);
        assert_eq!(read.await, Ok(1));
    }
    assert_eq!(cache.stats().total().errors, 2);
    assert!(
        cache
            .entry("k")
            .policy(&POLICY)
            .tags(tags(64))
            .put(&1_u64)
            .await
            .unwrap()
    );
    assert_eq!(cache.get::<u64>("k").await.unwrap(), Some(1));
}

async fn a_refresh_of_an_entry_whose_tag_was_invalidated_is_kept(world: World) {
    let source = Source::new();
    let cache = full(&world, &source).await;
    cache.invalidate_tag("user:1").await.unwrap();
    cache.scope(read(&source, 1, 7).refreshed()).await;
    assert_eq!(status(&cache, &source, 1, 7).await, Status::Hit);
}

async fn a_tag_whose_value_cannot_be_rendered_keeps_the_call_uncached(world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    for _ in 0..2 {
        cache.scope(read_nameless(&source, 1, Nameless)).await;
    }
    assert_eq!(source.loads(), 2);
    assert_eq!(cache.stats().total().errors, 2);
}

async fn a_tagged_hit_is_one_mget(mut world: World) {
    let source = Source::new();
    let cache = full(&world, &source).await;
    let server = world.redis();
    server.reset_commands();
    for _ in 0..10 {
        assert_eq!(status(&cache, &source, 1, 7).await, Status::Hit);
    }
    let commands: Vec<_> = server.commands().into_iter().collect();
    assert_eq!(commands, [("mget".to_owned(), 10)]);
}

async fn a_tagged_miss_stamps_before_it_loads(mut world: World) {
    let cache = world.cache().await;
    // The lease, and one script for each tag and for the function.
    let source = Source::held();
    let server = world.redis();
    server.reset_commands();
    let load = cache.spawn({
        let source = source.clone();
        async move { read(&source, 1, 7).await }
    });
    source.begun(1).await;
    let mut before = server.commands();
    let mut sent = |name: &str| before.remove(name).unwrap_or(0);
    assert_eq!((sent("mget"), sent("evalsha"), sent("eval")), (1, 3, 0));
    // Inside its script each tag is looked up and set; the fourth is the lease.
    assert_eq!((sent("get"), sent("set")), (3, 4));
    assert!(before.is_empty(), "{before:?}");
    source.release();
    load.await.unwrap();
    filled(&cache, 1).await;
    let after = server.commands();
    assert_eq!((after["mget"], after["evalsha"]), (1, 4), "only the fill");
}

async fn an_untagged_function_has_nothing_to_do_with_tags(mut world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    let server = world.redis();
    server.reset_commands();
    cache.scope(read_plain(&source, 1)).await;
    filled(&cache, 1).await;
    cache.scope(read_plain(&source, 1)).await;
    let commands = server.commands();
    assert_eq!((commands["get"], commands["evalsha"]), (2, 1));
    assert!(!commands.contains_key("mget"));
    assert_eq!(server.lives().len(), 1, "the entry alone");
}

async fn keys_and_tags_of_a_writer_go_in_one_command(mut world: World) {
    let source = Source::new();
    let cache = full(&world, &source).await;
    let server = world.redis();
    server.reset_commands();
    cache.scope(write(&source, 1)).await;
    let commands: Vec<_> = server.commands().into_iter().collect();
    assert_eq!(commands, [("unlink".to_owned(), 1)]);
}

async fn invalidating_a_tag_of_100_000_entries_is_one_unlink(mut world: World) {
    const ENTRIES: u64 = 100_000;
    let source = Source::new();
    let cache = full(&world, &source).await;
    cache.invalidate_tag("user:1").await.unwrap();
    let load = || async { Ok::<_, Infallible>(1_u64) };
    cache
        .entry("crowd:0")
        .policy(&POLICY)
        .tags(["crowd"])
        .get_or_fill(load)
        .await
        .unwrap();
    filled(&cache, 4).await;
    let server = world.redis();
    let entry = server.bytes("it:crowd:0").unwrap();
    let mut connection = server.connect();
    for start in (0..ENTRIES).step_by(10_000) {
        let mut pipeline = redis::pipe();
        for id in start..start + 10_000 {
            pipeline
                .cmd("SET")
                .arg(format!("it:crowd:{id}"))
                .arg(&entry)
                .ignore();
        }
        pipeline.exec(&mut connection).unwrap();
    }
    let all = async |expected| {
        for id in (0..ENTRIES).step_by(9_973) {
            let read = cache.get::<u64>(format!("crowd:{id}")).await.unwrap();
            assert_eq!(read, expected);
        }
    };
    all(Some(1)).await;
    server.reset_commands();
    cache.invalidate_tag("crowd").await.unwrap();
    let commands: Vec<_> = server.commands().into_iter().collect();
    assert_eq!(commands, [("unlink".to_owned(), 1)]);
    all(None).await;
}

async fn without_mget_tagged_entries_are_read_one_by_one(mut world: World) {
    let source = Source::new();
    let server = world.redis();
    server.run::<()>(&["ACL", "SETUSER", "default", "-mget"]);
    let cache = full(&world, &source).await;
    assert_eq!(statuses(&cache, &source).await, [Status::Hit; 3]);
}

#[redis_cached(ttl = 60, key = "tags:both", tags = ["folder:1", "folder:2"], skip(source))]
async fn read_both(source: &Source) -> u64 {
    source.load().await
}

#[redis_cached(
    ttl = 60,
    key = "tags:document",
    tags = "folder:<folder>",
    skip(source, folder)
)]
async fn read_in(source: &Source, folder: u64) -> u64 {
    source.load().await
}

/// Both tags are seen first by one load, and then the document is asked for as one of either folder.
async fn an_entry_is_not_alive_by_the_generation_of_another_tag(world: World) {
    let [cache, other] = [world.cache().await, world.cache().await];
    for (folder, moved_to) in [(1, 2), (2, 1)] {
        let source = Source::new();
        cache.scope(read_both(&source)).await;
        cache.scope(read_in(&source, folder)).await;
        eventually("the fill", async || {
            let read = cache.scope(read_in(&source, folder).with_info()).await;
            read.1.status() == Status::Hit
        })
        .await;
        let version = source.write();
        let tag = format!("folder:{folder}");
        other.invalidate_tag(&tag).await.unwrap();
        assert_eq!(other.scope(read_in(&source, moved_to)).await, version);
        other
            .invalidation()
            .tags(["folder:1", "folder:2"])
            .send()
            .await
            .unwrap();
    }
}

async fn tens_of_thousands_of_tags_are_invalidated_at_once(world: World) {
    let cache = world.cache().await;
    cache
        .entry("tags:many")
        .policy(&POLICY)
        .tags(["many:39999"])
        .put(&1_u64)
        .await
        .unwrap();
    let tags = (0..80_000).map(|tag| format!("many:{}", tag % 40_000));
    let sent = cache.invalidation().tags(tags).send().await;
    assert_eq!(sent.unwrap(), Invalidation::Done);
    assert_eq!(cache.stats().total().invalidations, 40_000);
    assert_eq!(cache.get::<u64>("tags:many").await.unwrap(), None);
}

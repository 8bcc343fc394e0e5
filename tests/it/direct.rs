//! The cache without an attribute.

use std::io;
use std::time::Duration;

use cached_redis::{
    Cache, CachedExt as _, Invalidation, Jitter, Key, Policy, Status, redis_cached,
};

use crate::support::{Source, World, eventually, filled, in_time, on_both_stores, on_redis};

const POLICY: Policy = Policy::new().ttl(Duration::from_secs(60));

on_both_stores!(
    get_or_fill_loads_once,
    get_or_fill_keeps_no_error,
    an_optional_entry_keeps_an_absence,
    an_optional_entry_is_refreshed_without_its_caller,
    an_entry_without_a_policy_has_the_ttl_of_the_builder,
    an_entry_that_lacks_a_tag_or_is_of_another_version_is_none,
    a_load_of_get_or_fill_makes_others_wait,
    what_was_put_is_read,
    a_put_replaces_an_entry,
    a_put_needs_a_ttl,
    many_keys_are_invalidated_at_once,
    invalidating_nothing_succeeds,
    get_of_another_type_is_an_absence,
    wishes_reach_direct_calls,
);
on_redis!(many_keys_go_in_one_command);

#[redis_cached(ttl = 60, key = "direct:<id>", skip(source))]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await
}

async fn load(cache: &Cache, source: &Source) -> Option<u64> {
    let loaded = cache.get_or_fill(&POLICY, "direct:1", || async {
        source.try_load().await.ok_or(io::ErrorKind::Other)
    });
    loaded.await.ok()
}

async fn get_or_fill_loads_once(world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    for _ in 0..3 {
        assert_eq!(load(&cache, &source).await, Some(1));
    }
    assert_eq!(source.loads(), 1);
    assert_eq!(cache.get::<u64>("direct:1").await.unwrap(), Some(1));
}

async fn get_or_fill_keeps_no_error(world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    source.fail(1);
    assert_eq!(load(&cache, &source).await, None);
    assert_eq!(load(&cache, &source).await, Some(1));
    assert_eq!(source.loads(), 2);
}

async fn an_optional_entry_keeps_an_absence(world: World) {
    let cache = world.cache().await;
    let source = &Source::new();
    for _ in 0..3 {
        let absent = cache
            .entry("direct:absent")
            .policy(&POLICY)
            .optional()
            .get_or_fill(|| async {
                source.load().await;
                Ok::<Option<u64>, ()>(None)
            });
        assert_eq!(absent.await, Ok(None));
    }
    assert_eq!(source.loads(), 1);
}

async fn an_optional_entry_is_refreshed_without_its_caller(world: World) {
    const STALE: Policy = Policy::new()
        .ttl(Duration::from_millis(20))
        .stale_while_revalidate(Duration::from_secs(600));
    let (cache, source) = (world.cache().await, Source::new());
    let read = async || {
        let source = source.clone();
        let entry = cache.entry("direct:stale").policy(&STALE);
        let load = move || async move { Ok::<_, ()>(Some(source.load().await)) };
        entry.optional().detached().get_or_fill(load).await.unwrap()
    };
    assert_eq!(read().await, Some(1));
    filled(&cache, 1).await;
    source.write();
    // Served, until what was loaded behind it has taken its place.
    eventually("the refreshed value", async || read().await == Some(2)).await;
    assert!(cache.stats().total().stale > 0);
}

async fn an_entry_without_a_policy_has_the_ttl_of_the_builder(world: World) {
    let source = &Source::new();
    let minute = Duration::from_secs(60);
    for (builder, loads) in [(world.builder(), 2), (world.builder().ttl(minute), 1)] {
        let cache = builder.build().await.unwrap();
        let before = source.loads();
        for _ in 0..2 {
            let load = async || Ok::<_, ()>(source.load().await);
            let value = cache.entry("direct:plain").get_or_fill(load).await;
            assert_eq!(value, Ok(1));
        }
        assert_eq!(source.loads() - before, loads);
    }
}

async fn an_entry_that_lacks_a_tag_or_is_of_another_version_is_none(world: World) {
    let cache = world.cache().await;
    let entry = || cache.entry("direct:entry").policy(&POLICY);
    assert!(entry().tags(["a"]).version(1).put(&7_u64).await.unwrap());
    for (found, entry) in [
        (Some(7_u64), entry()),
        (Some(7), entry().tags(["a"]).version(1)),
        (None, entry().version(2)),
        (None, entry().tags(["a"]).tags(["b"])),
    ] {
        assert_eq!(entry.get().await.unwrap(), found);
    }
    cache.invalidate_tag("a").await.unwrap();
    assert_eq!(entry().get::<u64>().await.unwrap(), None);
}

async fn a_load_of_get_or_fill_makes_others_wait(world: World) {
    let cache = world.cache().await;
    let source = Source::held();
    let callers: Vec<_> = (0..20)
        .map(|_| {
            let (cache, source) = (cache.clone(), source.clone());
            tokio::spawn(async move { load(&cache, &source).await })
        })
        .collect();
    eventually("the readers to wait", async || {
        cache.stats().total().waits == 19
    })
    .await;
    source.release();
    for caller in callers {
        assert_eq!(in_time(caller).await.unwrap(), Some(1));
    }
    assert_eq!(source.loads(), 1);
}

async fn what_was_put_is_read(world: World) {
    let [cache, other] = [world.cache().await, world.cache().await];
    let source = Source::new();
    assert!(
        cache
            .put(&POLICY, Key::new("direct:").value(1), &7_u64)
            .await
            .unwrap()
    );
    assert_eq!(other.get::<u64>("direct:1").await.unwrap(), Some(7));
    assert_eq!(other.scope(read(&source, 1)).await, 7);
    assert_eq!(source.loads(), 0);
}

async fn a_put_replaces_an_entry(world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    assert_eq!(cache.scope(read(&source, 1)).await, 1);
    filled(&cache, 1).await;
    assert!(cache.put(&POLICY, "direct:1", &7_u64).await.unwrap());
    assert_eq!(cache.scope(read(&source, 1)).await, 7);
}

async fn a_put_needs_a_ttl(world: World) {
    let cache = world.cache().await;
    assert!(cache.put(&Policy::new(), "direct:1", &7_u64).await.is_err());
    let zero = Policy::new().ttl(Duration::ZERO);
    assert!(cache.put(&zero, "direct:1", &7_u64).await.is_err());
    assert!(
        cache
            .put(&POLICY.jitter(Jitter::around(1.0)), "direct:1", &7_u64)
            .await
            .is_err()
    );
    assert!(
        cache
            .put(&Policy::new().named("unknown"), "direct:1", &7_u64)
            .await
            .is_err()
    );
    assert_eq!(cache.get::<u64>("direct:1").await.unwrap(), None);
    let with_default = world
        .builder()
        .ttl(Duration::from_secs(9))
        .build()
        .await
        .unwrap();
    assert!(
        with_default
            .put(&Policy::new(), "direct:1", &7_u64)
            .await
            .unwrap()
    );
}

async fn many_keys_are_invalidated_at_once(world: World) {
    let cache = world.cache().await;
    for id in 0..10 {
        cache
            .put(&POLICY, format!("direct:{id}"), &id)
            .await
            .unwrap();
    }
    let keys = (0..9).map(|id| format!("direct:{id}"));
    assert_eq!(
        cache.invalidation().keys(keys).send().await.unwrap(),
        Invalidation::Done
    );
    for id in 0..10 {
        let left = cache.get::<i32>(format!("direct:{id}")).await.unwrap();
        assert_eq!(left, (id == 9).then_some(9));
    }
    assert_eq!(cache.stats().total().invalidations, 9);
}

async fn invalidating_nothing_succeeds(world: World) {
    let cache = world.cache().await;
    let none: [&str; 0] = [];
    assert_eq!(
        cache.invalidation().keys(none).send().await.unwrap(),
        Invalidation::Done
    );
    assert_eq!(
        cache.invalidate("direct:absent").await.unwrap(),
        Invalidation::Done
    );
}

async fn get_of_another_type_is_an_absence(world: World) {
    let cache = world.cache().await;
    cache.put(&POLICY, "direct:1", &7_u64).await.unwrap();
    assert_eq!(cache.get::<String>("direct:1").await.unwrap(), None);
    assert_eq!(cache.stats().total().undecodable, 1);
    assert_eq!(cache.get::<u64>("direct:1").await.unwrap(), Some(7));
}

async fn wishes_reach_direct_calls(world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    load(&cache, &source).await;
    source.write();
    assert_eq!(load(&cache, &source).uncached().await, Some(2));
    let (value, info) = load(&cache, &source).with_info().await;
    assert_eq!(
        (value, info.status(), info.key()),
        (Some(1), Status::Hit, Some("it:direct:1"))
    );
    assert_eq!(load(&cache, &source).refreshed().await, Some(2));
}

async fn many_keys_go_in_one_command(mut world: World) {
    let cache = world.cache().await;
    let server = world.redis();
    server.reset_commands();
    cache
        .invalidation()
        .keys((0..100).map(|id| format!("direct:{id}")))
        .send()
        .await
        .unwrap();
    assert_eq!(
        server.commands().into_iter().collect::<Vec<_>>(),
        [("unlink".to_owned(), 1)]
    );
}

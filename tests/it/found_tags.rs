//! Tags that only the result knows: a result with a new one is not stored, its name is, and the next
//! load begins with its generation.

use std::convert::Infallible;
use std::time::Duration;

use cached_redis::{Cache, CachedExt as _, Policy, Status, current, redis_cached};

use crate::support::{Source, World, eventually, filled, in_time, on_both_stores};

on_both_stores!(
    a_result_with_a_new_tag_is_stored_by_the_second_load_and_goes_with_the_tag,
    a_tag_that_is_known_already_costs_no_load,
    each_new_tag_costs_one_load_and_is_remembered,
    a_tag_that_is_not_said_any_more_still_drops_the_entry,
    more_tags_than_an_entry_can_name_are_not_cached,
    a_closure_finds_tags_too_and_every_reader_checks_them,
    an_absence_can_have_found_tags,
    a_value_past_its_ttl_gives_way_to_the_name_of_a_new_tag,
    an_early_refresh_that_finds_a_new_tag_gives_way_to_its_name,
);

const POLICY: Policy = Policy::new().ttl(Duration::from_secs(60));

#[redis_cached(ttl = 60, key = "found:<id>", skip(source, tags))]
async fn read(source: &Source, id: u64, tags: &[&str]) -> u64 {
    let _: u64 = id;
    let version = source.load().await;
    for tag in tags {
        current().tag(tag);
    }
    version
}

async fn status(cache: &Cache, source: &Source, tags: &[&str]) -> (u64, Status) {
    let (value, info) = in_time(cache.scope(read(source, 1, tags).with_info())).await;
    (value, info.status())
}

async fn a_result_with_a_new_tag_is_stored_by_the_second_load_and_goes_with_the_tag(world: World) {
    let [cache, other] = [world.cache().await, world.cache().await];
    let (source, tags) = (Source::new(), ["found:a", "found:b"]);
    for expected in [Status::Miss, Status::Miss, Status::Hit] {
        assert_eq!(status(&cache, &source, &tags).await, (1, expected));
    }
    for (version, tag) in [(2, "found:a"), (3, "found:b")] {
        source.write();
        other.invalidate_tag(tag).await.unwrap();
        // The names are remembered: one load is enough from here on.
        for expected in [Status::Miss, Status::Hit] {
            assert_eq!(status(&other, &source, &tags).await, (version, expected));
        }
        assert_eq!(status(&cache, &source, &tags).await, (version, Status::Hit));
    }
    assert_eq!(source.loads(), 4);
}

#[redis_cached(ttl = 60, key = "found:known:<id>", tags = "found:known", skip(source))]
async fn known(source: &Source, id: u64) -> u64 {
    current().tag("found:known");
    source.load().await + id
}

async fn a_tag_that_is_known_already_costs_no_load(world: World) {
    let (cache, source) = (world.cache().await, Source::new());
    for _ in 0..3 {
        cache.scope(known(&source, 1)).await;
    }
    assert_eq!(source.loads(), 1);
}

async fn each_new_tag_costs_one_load_and_is_remembered(world: World) {
    let (cache, source) = (world.cache().await, Source::new());
    for tag in ["found:a", "found:b", "found:c"] {
        assert_eq!(status(&cache, &source, &[tag]).await, (1, Status::Miss));
    }
    let all = ["found:c", "found:a", "found:b"];
    for expected in [Status::Miss, Status::Hit] {
        assert_eq!(status(&cache, &source, &all).await, (1, expected));
    }
    for tag in all {
        cache.invalidate_tag(tag).await.unwrap();
        for expected in [Status::Miss, Status::Hit] {
            assert_eq!(status(&cache, &source, &all).await, (1, expected), "{tag}");
        }
    }
}

async fn a_tag_that_is_not_said_any_more_still_drops_the_entry(world: World) {
    let (cache, source) = (world.cache().await, Source::new());
    for _ in 0..2 {
        status(&cache, &source, &["found:a"]).await;
    }
    cache.invalidate_tag("found:a").await.unwrap();
    for expected in [Status::Miss, Status::Hit] {
        assert_eq!(status(&cache, &source, &[]).await, (1, expected));
    }
    cache.invalidate_tag("found:a").await.unwrap();
    assert_eq!(status(&cache, &source, &[]).await, (1, Status::Miss));
    // With the entry its names are gone.
    cache.invalidate("found:1").await.unwrap();
    status(&cache, &source, &[]).await;
    cache.invalidate_tag("found:a").await.unwrap();
    assert_eq!(status(&cache, &source, &[]).await, (1, Status::Hit));
}

async fn more_tags_than_an_entry_can_name_are_not_cached(world: World) {
    let (cache, source) = (world.cache().await, Source::new());
    let names: Vec<_> = (0..65).map(|number| format!("found:{number}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    for loads in 1..=3 {
        status(&cache, &source, &names).await;
        assert_eq!(source.loads(), loads);
    }
    assert_eq!(cache.stats().total().errors, 3);
    // As many as fit.
    for expected in [Status::Miss, Status::Miss, Status::Hit] {
        assert_eq!(status(&cache, &source, &names[1..]).await, (1, expected));
    }
    cache.invalidate_tag("found:64").await.unwrap();
    // One more than fits: what is there goes, and nothing old is served.
    for _ in 0..2 {
        assert_ne!(status(&cache, &source, &names).await, (1, Status::Hit));
    }
    for expected in [Status::Miss, Status::Miss, Status::Hit] {
        assert_eq!(status(&cache, &source, &names[..3]).await, (1, expected));
    }
}

async fn a_closure_finds_tags_too_and_every_reader_checks_them(world: World) {
    let [cache, other] = [world.cache().await, world.cache().await];
    let source = Source::new();
    let read = async || {
        let load = || async {
            current().tag("found:a");
            Ok::<_, Infallible>(source.load().await)
        };
        let Ok(value) = cache
            .entry("found:closure")
            .policy(&POLICY)
            .tags(["found:hand"])
            .get_or_fill(load)
            .await;
        value
    };
    let standing = async || other.get::<u64>("found:closure").await.unwrap();
    for tag in ["found:a", "found:hand"] {
        read().await;
        read().await;
        let version = source.version();
        eventually("the fill", async || standing().await == Some(version)).await;
        source.write();
        cache.invalidate_tag(tag).await.unwrap();
        assert_eq!(standing().await, None);
        assert_eq!(read().await, version + 1);
        cache.invalidate("found:closure").await.unwrap();
    }
}

#[redis_cached(ttl = 60, key = "found:absent", skip(source))]
async fn absent(source: &Source) -> Option<u64> {
    current().tag("found:absent");
    Some(source.load().await).filter(|version| *version > 1)
}

async fn an_absence_can_have_found_tags(world: World) {
    let (cache, source) = (world.cache().await, Source::new());
    for _ in 0..3 {
        assert_eq!(cache.scope(absent(&source)).await, None);
    }
    assert_eq!(source.loads(), 2);
    source.write();
    cache.invalidate_tag("found:absent").await.unwrap();
    assert_eq!(cache.scope(absent(&source)).await, Some(2));
}

#[redis_cached(
    ttl = 0.02,
    jitter = 0.0,
    stale_while_revalidate = 600,
    key = "found:stale",
    skip(source)
)]
async fn stale(source: &Source) -> u64 {
    let version = source.load().await;
    if version > 1 {
        current().ttl(Duration::from_secs(600));
        current().tag("found:stale");
    }
    version
}

async fn a_value_past_its_ttl_gives_way_to_the_name_of_a_new_tag(world: World) {
    let (cache, source) = (world.cache().await, Source::new());
    cache.scope(stale(&source)).await;
    filled(&cache, 1).await;
    source.write();
    // Behind its readers the entry is replaced by the marker, and after that they load.
    eventually("the new value", async || {
        cache.scope(stale(&source)).await == 2
    })
    .await;
    filled(&cache, 2).await;
    let (value, info) = cache.scope(stale(&source).with_info()).await;
    assert_eq!((value, info.status()), (2, Status::Hit));
    source.write();
    cache.invalidate_tag("found:stale").await.unwrap();
    assert_eq!(cache.scope(stale(&source)).await, 3);
}

#[redis_cached(
    ttl = 600,
    jitter = 0.0,
    refresh_ahead = 0.00001,
    key = "found:early",
    skip(source)
)]
async fn early(source: &Source) -> u64 {
    let version = source.load().await;
    if version > 1 {
        current().tag("found:early");
    }
    version
}

async fn an_early_refresh_that_finds_a_new_tag_gives_way_to_its_name(world: World) {
    let (cache, source) = (world.cache().await, Source::new());
    cache.scope(early(&source)).await;
    filled(&cache, 1).await;
    source.write();
    eventually("the new value", async || {
        cache.scope(early(&source)).await == 2
    })
    .await;
    filled(&cache, 2).await;
    source.write();
    cache.invalidate_tag("found:early").await.unwrap();
    assert_eq!(cache.scope(early(&source)).await, 3);
}

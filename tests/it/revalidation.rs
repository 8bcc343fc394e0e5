//! Conditional revalidation: a load is given what it is to replace, and its source says whether that has
//! changed.

use std::convert::Infallible;
use std::time::Duration;

use cached_redis::{Cache, CachedExt as _, Jitter, Policy, Status, current, redis_cached};

use crate::support::{Source, World, eventually, filled, on_both_stores};

on_both_stores!(
    what_has_not_changed_is_fresh_again_under_another_version,
    what_has_not_changed_is_fresh_again_behind_its_reader,
    what_has_not_changed_is_fresh_again_in_the_place_of_its_reader,
    what_has_not_changed_is_fresh_again_where_it_is_kept_for_errors,
    what_has_changed_is_replaced_with_its_validator,
    what_was_invalidated_is_given_to_no_load,
    a_value_of_another_type_is_none_and_an_absence_is_none,
    a_validator_that_finds_no_room_is_left_out_and_the_value_is_kept,
    a_value_may_come_without_a_validator,
    a_value_that_has_not_changed_keeps_its_tags,
    a_call_without_the_cache_inside_of_a_load_has_nothing_to_replace,
);

/// A value, and the load that has brought it over.
type Loaded = (u64, usize);

/// Asks for the row with `If-None-Match`.
async fn ask(source: &Source) -> Loaded {
    let previous = current().previous::<Loaded>();
    let version = source.load().await;
    let etag = format!("\"{version}\"");
    match previous {
        Some(previous) if previous.validator.as_ref() == Some(&etag) => previous.not_modified(),
        _ => {
            current().validator(etag);
            (version, source.loads())
        }
    }
}

#[redis_cached(ttl = 60, key = "revalidation:table", version = release_of, skip(source, release))]
async fn of_release(source: &Source, release: &Source) -> Loaded {
    let _: &Source = release;
    ask(source).await
}

async fn release_of(_: &Source, release: &Source) -> u64 {
    release.version()
}

async fn what_has_not_changed_is_fresh_again_under_another_version(world: World) {
    let [cache, other] = [world.cache().await, world.cache().await];
    let (source, release) = (Source::new(), Source::new());
    for loads in 1..=4 {
        let (value, info) = cache.scope(of_release(&source, &release).with_info()).await;
        assert_eq!((value, info.status()), ((1, 1), Status::Miss));
        filled(&cache, loads).await;
        let (value, info) = other.scope(of_release(&source, &release).with_info()).await;
        assert_eq!((value, info.status()), ((1, 1), Status::Hit));
        assert_eq!(source.loads() as u64, loads);
        release.write();
    }
}

async fn what_has_changed_is_replaced_with_its_validator(world: World) {
    let (cache, source, release) = (world.cache().await, Source::new(), Source::new());
    let read = || cache.scope(of_release(&source, &release));
    assert_eq!(read().await, (1, 1));
    for expected in [(2, 2), (2, 2)] {
        filled(&cache, source.loads() as u64).await;
        release.write();
        if source.version() == 1 {
            source.write();
        }
        assert_eq!(read().await, expected);
    }
    assert_eq!(source.loads(), 3);
}

#[redis_cached(
    ttl = 0.02,
    jitter = 0.0,
    stale_while_revalidate = 600,
    key = "revalidation:behind",
    skip(source)
)]
async fn behind(source: &Source) -> Loaded {
    ask(source).await
}

async fn in_place(cache: &Cache, source: &Source) -> Loaded {
    const POLICY: Policy = Policy::new()
        .ttl(Duration::from_millis(20))
        .jitter(Jitter::NONE)
        .stale_while_revalidate(Duration::from_secs(600));
    let load = || async { Ok::<_, Infallible>(ask(source).await) };
    let Ok(value) = cache.get_or_fill(&POLICY, "revalidation:place", load).await;
    value
}

#[redis_cached(
    ttl = 0.02,
    jitter = 0.0,
    stale_if_error = 600,
    key = "revalidation:error",
    skip(source)
)]
async fn if_error(source: &Source) -> Loaded {
    ask(source).await
}

/// Reads until the source was asked a few times, without the value being brought over again; then
/// until a change has come through.
async fn assert_revalidates(source: &Source, read: impl AsyncFn() -> Loaded) {
    eventually("three loads", async || {
        assert_eq!(read().await, (1, 1));
        source.loads() > 3
    })
    .await;
    source.write();
    let mut brought = 0;
    eventually("the change", async || {
        let loads = source.loads();
        let (version, by) = read().await;
        let is_kept = (version, by) == (2, brought) && source.loads() > loads;
        brought = by;
        is_kept
    })
    .await;
    let loads = source.loads();
    eventually("two loads more", async || {
        assert_eq!(read().await, (2, brought));
        source.loads() > loads + 2
    })
    .await;
}

async fn what_has_not_changed_is_fresh_again_behind_its_reader(world: World) {
    let (cache, source) = (world.cache().await, Source::new());
    assert_revalidates(&source, async || cache.scope(behind(&source)).await).await;
}

async fn what_has_not_changed_is_fresh_again_in_the_place_of_its_reader(world: World) {
    let (cache, source) = (world.cache().await, Source::new());
    assert_revalidates(&source, async || in_place(&cache, &source).await).await;
}

async fn what_has_not_changed_is_fresh_again_where_it_is_kept_for_errors(world: World) {
    let (cache, source) = (world.cache().await, Source::new());
    assert_revalidates(&source, async || cache.scope(if_error(&source)).await).await;
}

#[redis_cached(
    ttl = 60,
    key = "revalidation:tagged",
    tags = "revalidation:tag",
    version = release_of,
    skip(source, release)
)]
async fn tagged(source: &Source, release: &Source) -> Loaded {
    let _: &Source = release;
    current().tag("revalidation:found");
    ask(source).await
}

/// It would be stored once more, although somebody does not want it any longer.
async fn what_was_invalidated_is_given_to_no_load(world: World) {
    let [cache, other] = [world.cache().await, world.cache().await];
    let (source, release) = (Source::new(), Source::new());
    for what in ["the key", "the tag", "the tag that was found"] {
        let loads = source.loads();
        let fills = cache.stats().total().fills;
        for _ in 0..2 {
            cache.scope(tagged(&source, &release)).await;
        }
        filled(&cache, fills + 1).await;
        let done = match what {
            "the key" => other.invalidate("revalidation:tagged").await,
            "the tag" => other.invalidate_tag("revalidation:tag").await,
            _ => other.invalidate_tag("revalidation:found").await,
        };
        done.unwrap();
        release.write();
        let (_, brought) = cache.scope(tagged(&source, &release)).await;
        assert!(brought > loads, "{what}: brought over by load {brought}");
        cache.invalidate("revalidation:tagged").await.unwrap();
    }
}

async fn a_value_that_has_not_changed_keeps_its_tags(world: World) {
    let (cache, source, release) = (world.cache().await, Source::new(), Source::new());
    let read = || cache.scope(tagged(&source, &release).with_info());
    let (first, _) = read().await;
    let (second, _) = read().await;
    assert_ne!(first, second, "the first one was not stored");
    for tag in ["revalidation:tag", "revalidation:found"] {
        let (value, _) = read().await;
        release.write();
        let (again, info) = read().await;
        assert_eq!((again, info.status()), (value, Status::Miss));
        let (again, info) = read().await;
        assert_eq!((again, info.status()), (value, Status::Hit));
        cache.invalidate_tag(tag).await.unwrap();
        let (other, info) = read().await;
        assert_eq!(info.status(), Status::Miss, "{tag}");
        assert_ne!(other, value, "{tag}");
    }
}

#[redis_cached(ttl = 60, key = "revalidation:types:<id>", version = release_of_id, skip(release, seen))]
async fn types(release: &Source, id: u64, seen: &Source) -> Option<String> {
    let current = current();
    if current.previous::<u64>().is_some() || current.previous::<Option<String>>().is_some() {
        seen.fail(usize::MAX);
    }
    let previous = current.previous::<String>();
    if previous.is_some_and(|previous| previous.validator.is_none() && previous.value == "7") {
        seen.write();
    }
    (id != 404).then(|| id.to_string())
}

async fn release_of_id(release: &Source, _: u64, _: &Source) -> u64 {
    release.version()
}

async fn a_value_of_another_type_is_none_and_an_absence_is_none(world: World) {
    let (cache, release, seen) = (world.cache().await, Source::new(), Source::new());
    for _ in 0..2 {
        for id in [7, 404] {
            cache.scope(types(&release, id, &seen)).await;
        }
        filled(&cache, release.version() * 2).await;
        release.write();
    }
    assert_eq!(seen.version(), 2, "once, of 7");
    assert!(seen.try_load().await.is_some(), "under no other type");
}

async fn a_value_may_come_without_a_validator(world: World) {
    let (cache, release) = (world.cache().await, Source::new());
    const POLICY: Policy = Policy::new().ttl(Duration::from_secs(60));
    let read = async || {
        let load = || async {
            let previous = current().previous::<u64>();
            let next = previous.map_or(1, |previous| {
                assert_eq!(previous.validator, None);
                previous.value + 1
            });
            Ok::<_, Infallible>(next)
        };
        let Ok(value) = cache
            .entry("revalidation:bare")
            .policy(&POLICY)
            .version(release.version())
            .get_or_fill(load)
            .await;
        value
    };
    for expected in 1..=3 {
        assert_eq!(read().await, expected);
        assert_eq!(read().await, expected);
        release.write();
    }
}

#[redis_cached(ttl = 60, key = "revalidation:long:<length>", version = release_of_long, skip(release, source))]
async fn long(release: &Source, source: &Source, length: usize) -> (u64, Option<usize>) {
    let previous = current().previous::<(u64, Option<usize>)>();
    let kept = previous.and_then(|previous| previous.validator);
    current().validator("x".repeat(length));
    (source.load().await, kept.map(|kept| kept.len()))
}

async fn release_of_long(release: &Source, _: &Source, _: usize) -> u64 {
    release.version()
}

async fn a_validator_that_finds_no_room_is_left_out_and_the_value_is_kept(world: World) {
    let cache = world.cache().await;
    for (length, kept) in [
        (30_000, Some(30_000)),
        (65_000, Some(65_000)),
        (65_536, None),
        (1_000_000, None),
    ] {
        let (release, source) = (Source::new(), Source::new());
        for expected in [None, kept] {
            for _ in 0..2 {
                let (_, validator) = cache.scope(long(&release, &source, length)).await;
                assert_eq!(validator, expected, "{length}");
            }
            release.write();
        }
        assert_eq!(source.loads(), 2, "{length}: each is stored");
    }
}

/// What stands in the place of the outer function is none of the inner one's.
async fn a_call_without_the_cache_inside_of_a_load_has_nothing_to_replace(world: World) {
    #[redis_cached(ttl = 60, key = "revalidation:inner", skip(source))]
    async fn inner(source: &Source) -> Loaded {
        assert!(current().previous::<Loaded>().is_none());
        current().ttl(Duration::ZERO);
        current().do_not_store();
        ask(source).await
    }

    #[redis_cached(ttl = 60, key = "revalidation:outer", version = release_of, skip(source, release))]
    async fn outer(source: &Source, release: &Source) -> Loaded {
        let _: &Source = release;
        inner(source).uncached().await
    }

    let (cache, source, release) = (world.cache().await, Source::new(), Source::new());
    for loads in 1..=3 {
        for _ in 0..2 {
            assert_eq!(cache.scope(outer(&source, &release)).await, (1, loads));
        }
        release.write();
    }
    assert_eq!(source.loads(), 3, "nor was its TTL");
}

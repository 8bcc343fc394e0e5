//! For tags: a load that the invalidation of a tag has overtaken is served to nobody who comes
//! after it, although the lease and the entry stay where they are.

use std::convert::Infallible;
use std::time::Duration;

use cached_redis::{Cache, CachedExt as _, Policy, Status, invalidates, redis_cached};
use tokio::task::JoinHandle;

use crate::support::{Rows, Source, World, filled, hit_again, in_time, on_both_stores, waiting};

on_both_stores!(
    a_load_overtaken_by_the_invalidation_of_its_tag_is_served_to_nobody,
    a_load_overtaken_by_an_annotated_writer_of_its_tag_is_served_to_nobody,
    an_absence_overtaken_by_the_invalidation_of_its_tag_is_served_to_nobody,
    a_refresh_overtaken_by_the_invalidation_of_its_tag_is_served_to_nobody,
    a_load_by_hand_overtaken_by_the_invalidation_of_its_tag_is_served_to_nobody,
    a_reader_that_joins_a_load_after_its_tag_was_invalidated_starts_over,
    a_reader_in_another_process_that_waits_for_an_overtaken_load_starts_over,
    readers_that_joined_a_load_before_its_tag_was_invalidated_start_over,
    readers_that_joined_share_a_load_whose_tags_stand,
    a_reader_under_other_tags_shares_no_load,
    no_read_after_the_invalidation_of_a_tag_is_stale,
);

const POLICY: Policy = Policy::new().ttl(Duration::from_secs(60));

#[redis_cached(ttl = 60, key = "t1-tags:<id>", tags = ["t1:team:<team>", "t1:users"], skip(source, team))]
async fn read(source: &Source, id: u64, team: u64) -> u64 {
    source.load().await
}

#[redis_cached(ttl = 60, key = "t1-tags:even:<id>", tags = "t1:users", skip(source))]
async fn read_if_even(source: &Source, id: u64) -> Option<u64> {
    let version = source.load().await;
    version.is_multiple_of(2).then_some(version)
}

#[redis_cached(
    ttl = 60,
    key = "t1-tags:row:<id>",
    tags = "t1:rows:<half>",
    skip(rows, half)
)]
async fn read_row(rows: &Rows, id: usize, half: usize) -> u64 {
    rows.load(id).await
}

#[invalidates(tag = "t1:team:<team>", tag = "t1:users")]
async fn write(source: &Source, team: u64) {
    source.write();
}

fn reader(cache: &Cache, source: &Source) -> JoinHandle<u64> {
    let source = source.clone();
    cache.spawn(async move { read(&source, 1, 7).await })
}

/// Every process reads version 2, by one load more.
async fn both_read_two(processes: [&Cache; 2], source: &Source, loads: usize) {
    for process in processes {
        assert_eq!(in_time(reader(process, source)).await.unwrap(), 2);
    }
    assert_eq!(source.loads(), loads);
}

async fn a_load_overtaken_by_the_invalidation_of_its_tag_is_served_to_nobody(world: World) {
    let [cache, other] = [world.cache().await, world.cache().await];
    for tag in ["t1:team:7", "t1:users"] {
        let source = Source::held();
        let overtaken = reader(&cache, &source);
        source.begun(1).await;

        source.write();
        cache.invalidate_tag(tag).await.unwrap();
        source.release();

        assert_eq!(overtaken.await.unwrap(), 1, "its own caller gets it");
        both_read_two([&cache, &other], &source, 2).await;
        cache.invalidate("t1-tags:1").await.unwrap();
    }
}

async fn a_load_overtaken_by_an_annotated_writer_of_its_tag_is_served_to_nobody(world: World) {
    let [cache, other] = [world.cache().await, world.cache().await];
    let source = Source::held();
    let overtaken = reader(&cache, &source);
    source.begun(1).await;

    other.scope(write(&source, 7)).await;
    source.release();

    assert_eq!(overtaken.await.unwrap(), 1);
    both_read_two([&other, &cache], &source, 2).await;
}

async fn an_absence_overtaken_by_the_invalidation_of_its_tag_is_served_to_nobody(world: World) {
    let cache = world.cache().await;
    let source = Source::held();
    let overtaken = cache.spawn({
        let source = source.clone();
        async move { read_if_even(&source, 1).await }
    });
    source.begun(1).await;
    cache.scope(write(&source, 7)).await;
    source.release();

    assert_eq!(overtaken.await.unwrap(), None);
    filled(&cache, 1).await;
    assert_eq!(cache.scope(read_if_even(&source, 1)).await, Some(2));
}

async fn a_refresh_overtaken_by_the_invalidation_of_its_tag_is_served_to_nobody(world: World) {
    let [cache, other] = [world.cache().await, world.cache().await];
    let source = Source::new();
    for before in ["an entry", "nothing"] {
        let version = source.version();
        if before == "an entry" {
            reader(&cache, &source).await.unwrap();
            filled(&cache, 1).await;
        }
        source.hold();
        let loads = source.loads();
        let refreshed = cache.spawn({
            let source = source.clone();
            async move { read(&source, 1, 7).refreshed().await }
        });
        source.begun(loads + 1).await;
        other.scope(write(&source, 7)).await;
        source.release();

        assert_eq!(refreshed.await.unwrap(), version);
        for process in [&cache, &other] {
            assert_eq!(reader(process, &source).await.unwrap(), version + 1);
        }
        cache.invalidate("t1-tags:1").await.unwrap();
    }
}

async fn a_load_by_hand_overtaken_by_the_invalidation_of_its_tag_is_served_to_nobody(world: World) {
    let cache = world.cache().await;
    let source = Source::held();
    let load = |source: Source| async move { Ok::<_, Infallible>(source.load().await) };
    let overtaken = tokio::spawn({
        let (cache, source) = (cache.clone(), source.clone());
        async move {
            let tagged = cache.tagged(["t1:users"]);
            tagged
                .get_or_fill(&POLICY, "t1-tags:hand", || load(source))
                .await
        }
    });
    source.begun(1).await;
    cache.scope(write(&source, 7)).await;
    source.release();

    assert_eq!(overtaken.await.unwrap(), Ok(1));
    filled(&cache, 1).await;
    assert_eq!(cache.get::<u64>("t1-tags:hand").await.unwrap(), None);
    let read = cache.get_or_fill(&POLICY, "t1-tags:hand", || load(source.clone()));
    assert_eq!(read.await, Ok(2), "whoever asks");
}

async fn a_reader_that_joins_a_load_after_its_tag_was_invalidated_starts_over(world: World) {
    let [cache, other] = [world.cache().await, world.cache().await];
    let source = Source::held();
    let overtaken = reader(&cache, &source);
    source.begun(1).await;

    // The lease stands and the flight is open: only the generations tell.
    other.scope(write(&source, 7)).await;
    let late = reader(&cache, &source);
    waiting(&cache, 1).await;
    source.release();

    assert_eq!(overtaken.await.unwrap(), 1);
    assert_eq!(in_time(late).await.unwrap(), 2);
}

async fn a_reader_in_another_process_that_waits_for_an_overtaken_load_starts_over(world: World) {
    let [cache, other] = [world.cache().await, world.cache().await];
    let source = Source::held();
    let overtaken = reader(&cache, &source);
    source.begun(1).await;

    cache.scope(write(&source, 7)).await;
    let late = reader(&other, &source);
    waiting(&other, 1).await;
    source.release();

    assert_eq!(overtaken.await.unwrap(), 1);
    assert_eq!(in_time(late).await.unwrap(), 2);
}

async fn readers_that_joined_a_load_before_its_tag_was_invalidated_start_over(world: World) {
    let cache = world.cache().await;
    let source = Source::held();
    let overtaken = reader(&cache, &source);
    source.begun(1).await;
    let joined: Vec<_> = (0..20).map(|_| reader(&cache, &source)).collect();
    waiting(&cache, 20).await;

    cache.scope(write(&source, 7)).await;
    source.release();

    assert_eq!(overtaken.await.unwrap(), 1);
    for reader in joined {
        assert_eq!(in_time(reader).await.unwrap(), 2);
    }
    assert_eq!(source.loads(), 2, "they share the second load");
}

async fn readers_that_joined_share_a_load_whose_tags_stand(world: World) {
    let cache = world.cache().await;
    let source = Source::held();
    let leader = reader(&cache, &source);
    source.begun(1).await;
    let joined: Vec<_> = (0..20).map(|_| reader(&cache, &source)).collect();
    waiting(&cache, 20).await;
    source.release();

    assert_eq!(leader.await.unwrap(), 1);
    for reader in joined {
        assert_eq!(in_time(reader).await.unwrap(), 1);
    }
    let stats = cache.stats().total();
    assert_eq!((stats.loads, stats.joined), (1, 20));
}

async fn a_reader_under_other_tags_shares_no_load(world: World) {
    let cache = world.cache().await;
    let source = Source::held();
    let load = |tag: &'static str| {
        let (cache, source) = (cache.clone(), source.clone());
        tokio::spawn(async move {
            let load = || async { Ok::<_, Infallible>(source.load().await) };
            cache
                .tagged([tag])
                .get_or_fill(&POLICY, "t1-tags:both", load)
                .await
        })
    };
    let first = load("a");
    source.begun(1).await;
    source.write();
    cache.invalidate_tag("b").await.unwrap();
    let second = load("b");
    waiting(&cache, 1).await;
    source.release();

    assert_eq!(first.await.unwrap(), Ok(1));
    assert_eq!(in_time(second).await.unwrap(), Ok(2));
}

/// Four rows under two tags; the invalidation of a tag acknowledges both of its rows.
async fn no_read_after_the_invalidation_of_a_tag_is_stale(world: World) {
    let [cache, other] = [world.cache().await, world.cache().await];
    let rows = Rows::new(4);
    let read = |rows: Rows, id: usize| async move { read_row(&rows, id, id % 2).await };
    let readers = [&cache, &other].map(|process| rows.readers(process, 6, read));
    for round in 0..200 {
        let half = round % 2;
        let written = [half, half + 2].map(|id| (id, rows.write(id)));
        let tag = format!("t1:rows:{half}");
        [&cache, &other][round / 2 % 2]
            .invalidate_tag(tag)
            .await
            .unwrap();
        for (id, version) in written {
            rows.acknowledge(id, version);
        }
        if round % 20 == 0 {
            hit_again(&cache).await;
        }
        tokio::task::yield_now().await;
    }
    for reader in readers {
        reader.stop().await;
    }
    let stats = cache.stats().total();
    assert!(stats.outdated > 0, "{stats:?}");
    let (_, info) = cache.scope(read_row(&rows, 0, 0).with_info()).await;
    assert_ne!(info.status(), Status::Bypass);
}

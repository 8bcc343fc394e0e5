//! Readers share a load of their own tags while these stand, and nothing else.

use std::convert::Infallible;
use std::time::Duration;

use cached_redis::{Cache, CachedExt as _, Policy, Status, redis_cached};
use tokio::task::JoinHandle;

use crate::support::{Rows, Source, World, hit_again, in_time, on_both_stores, waiting};

on_both_stores!(
    readers_that_joined_share_a_load_whose_tags_stand,
    a_reader_under_other_tags_shares_no_load,
    no_read_after_the_invalidation_of_a_tag_is_stale,
);

const POLICY: Policy = Policy::new().ttl(Duration::from_secs(60));

#[redis_cached(ttl = 60, key = "joint:<id>", tags = ["joint:team:<team>", "joint:users"], skip(source, team))]
async fn read(source: &Source, id: u64, team: u64) -> u64 {
    source.load().await
}

#[redis_cached(
    ttl = 60,
    key = "joint:row:<id>",
    tags = "joint:rows:<half>",
    skip(rows, half)
)]
async fn read_row(rows: &Rows, id: usize, half: usize) -> u64 {
    rows.load(id).await
}

fn reader(cache: &Cache, source: &Source) -> JoinHandle<u64> {
    let source = source.clone();
    cache.spawn(async move { read(&source, 1, 7).await })
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
                .entry("joint:both")
                .policy(&POLICY)
                .tags([tag])
                .get_or_fill(load)
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
        let tag = format!("joint:rows:{half}");
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

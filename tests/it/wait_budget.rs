//! A read waits for somebody else's load as long as its budget lasts, and then loads for itself.

use std::time::Duration;

use cached_redis::{Cache, CachedExt as _, Status, redis_cached};

use crate::support::{Source, World, eventually, in_time, on_both_stores};

const BUDGET: Duration = Duration::from_millis(50);

on_both_stores!(
    a_reader_whose_budget_is_spent_on_another_process_loads_for_itself,
    a_reader_whose_budget_is_spent_in_its_own_process_loads_for_itself,
    readers_whose_budget_is_spent_share_their_loads,
    what_such_a_reader_loads_is_not_stored,
);

#[redis_cached(ttl = 60, key = "wait:<id>", skip(source))]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await
}

async fn impatient(world: &World) -> Cache {
    world.builder().wait_budget(BUDGET).build().await.unwrap()
}

/// Somebody who holds the lease, until its source is released.
async fn holder(cache: &Cache) -> (Source, tokio::task::JoinHandle<u64>) {
    let source = Source::held();
    let holder = cache.spawn({
        let source = source.clone();
        async move { read(&source, 1).await }
    });
    source.begun(1).await;
    (source, holder)
}

async fn a_reader_whose_budget_is_spent_on_another_process_loads_for_itself(world: World) {
    let (held, holder) = holder(&world.cache().await).await;
    let cache = impatient(&world).await;
    let source = Source::new();
    let (value, info) = in_time(cache.scope(read(&source, 1).with_info())).await;
    assert_eq!((value, info.status()), (1, Status::Bypass));
    let stats = cache.stats().total();
    assert_eq!(
        (stats.waits, stats.bypasses, stats.misses),
        (1, 1, 0),
        "{stats:?}"
    );
    held.release();
    holder.await.unwrap();
}

async fn a_reader_whose_budget_is_spent_in_its_own_process_loads_for_itself(world: World) {
    let cache = impatient(&world).await;
    let (held, holder) = holder(&cache).await;
    let source = Source::new();
    assert_eq!(in_time(cache.scope(read(&source, 1))).await, 1);
    let stats = cache.stats().total();
    assert_eq!(
        (stats.waits, stats.bypasses, stats.misses),
        (1, 1, 1),
        "{stats:?}"
    );
    held.release();
    holder.await.unwrap();
}

async fn readers_whose_budget_is_spent_share_their_loads(world: World) {
    let (held, holder) = holder(&world.cache().await).await;
    let patience = Duration::from_secs(1);
    let cache = world.builder().wait_budget(patience).build().await.unwrap();
    // Slow, so that the budgets of all are spent before the first load ends.
    let source = Source::slow(2 * BUDGET);
    let readers: Vec<_> = (0..50)
        .map(|_| {
            let source = source.clone();
            cache.spawn(async move { read(&source, 1).await })
        })
        .collect();
    eventually("the readers to wait", async || {
        cache.stats().total().waits == 50
    })
    .await;
    for reader in readers {
        assert_eq!(in_time(reader).await.unwrap(), 1);
    }
    assert_eq!(source.most_at_once(), 1);
    assert!(source.loads() <= 10, "{} loads", source.loads());
    held.release();
    holder.await.unwrap();
}

async fn what_such_a_reader_loads_is_not_stored(world: World) {
    let (held, holder) = holder(&world.cache().await).await;
    let cache = impatient(&world).await;
    let source = Source::new();
    source.write();
    assert_eq!(in_time(cache.scope(read(&source, 1))).await, 2);
    assert_eq!(
        cache.get::<u64>("wait:1").await.unwrap(),
        None,
        "the lease stands"
    );
    held.release();
    assert_eq!(holder.await.unwrap(), 1);
    eventually("the fill", async || {
        cache.get::<u64>("wait:1").await.unwrap() == Some(1)
    })
    .await;
    assert_eq!(cache.stats().total().fills, 0);
}

//! Without the store a read waits for somebody else's load no longer than with it.

use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use cached_redis::testing::Faults;
use cached_redis::{Cache, CachedExt as _, Policy, redis_cached};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::support::{Source, World, in_time, on_both_stores, poll_once};

on_both_stores!(
    no_form_of_a_read_waits_for_a_load_that_never_ends,
    many_reads_that_have_waited_in_vain_share_their_loads,
);

const BUDGET: Duration = Duration::from_millis(50);
const POLICY: Policy = Policy::new().ttl(Duration::from_secs(60));

#[redis_cached(ttl = 60, key = "alone:<id>", skip(source))]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await
}

#[redis_cached(batch(id in ids), ttl = 60, key = "alone:<id>", skip(source))]
async fn read_all(source: &Source, ids: &[u64]) -> HashMap<u64, u64> {
    let version = source.load().await;
    ids.iter().map(|id| (*id, version)).collect()
}

async fn by_hand(cache: &Cache, source: &Source) -> u64 {
    let load = async || Ok::<_, Infallible>(source.load().await);
    let Ok(value) = cache.get_or_fill(&POLICY, "alone:1", load).await;
    value
}

/// A process whose store does not answer.
async fn cut_off(world: &World, budget: Duration) -> Cache {
    let faults = Faults::seeded(1);
    let builder = world.builder().faults(faults.clone()).wait_budget(budget);
    let cache = builder.build().await.unwrap();
    faults.outage(true);
    cache
}

fn spawned(cache: &Cache, source: &Source) -> JoinHandle<u64> {
    let source = source.clone();
    cache.spawn(async move { read(&source, 1).await })
}

async fn no_form_of_a_read_waits_for_a_load_that_never_ends(world: World) {
    let cache = cut_off(&world, BUDGET).await;
    let (endless, source) = (Source::held(), Source::new());
    // One that runs, and others that wait for it, alone and in a batch.
    let _endless = [spawned(&cache, &endless), spawned(&cache, &endless)];
    endless.begun(2).await;
    let many = async || read_all(&source, &[0, 1, 2]).await[&1];
    let one = async || read_all(&source, &[1]).await[&1];
    let after = cache.after_commit();
    cache
        .scope(async {
            assert_eq!(in_time(read(&source, 1)).await, 1);
            assert_eq!(in_time(many()).await, 1);
            assert_eq!(in_time(by_hand(&cache, &source)).await, 1);
            assert_eq!(in_time(read(&source, 1).refreshed()).await, 1);
            assert_eq!(in_time(one().refreshed()).await, 1);
            assert_eq!(in_time(after.scope(read(&source, 1))).await, 1);
            assert_eq!(in_time(after.scope(many())).await, 1);
            let transaction = after.scope(by_hand(&cache, &source));
            assert_eq!(in_time(transaction).await, 1);
        })
        .await;
    assert_eq!(source.most_at_once(), 1);
}

async fn many_reads_that_have_waited_in_vain_share_their_loads(world: World) {
    let cache = cut_off(&world, Duration::from_secs(1)).await;
    let (endless, source) = (Source::held(), Source::slow(BUDGET));
    let _endless = spawned(&cache, &endless);
    endless.begun(1).await;
    let readers: Vec<_> = (0..50).map(|_| spawned(&cache, &source)).collect();
    for reader in readers {
        assert_eq!(in_time(reader).await.unwrap(), 1);
    }
    assert!(source.loads() <= 10, "{} loads", source.loads());
}

const SECOND: Duration = Duration::from_secs(1);

/// How long a read takes, in seconds of the held clock.
async fn seconds(read: impl Future<Output = u64>) -> u64 {
    let began = Instant::now();
    assert_eq!(read.await, 1);
    began.elapsed().as_secs()
}

#[tokio::test(start_paused = true)]
async fn the_budget_counts_from_the_age_of_the_load() {
    let world = World::in_memory();
    // With the store, in its own process, and without.
    for cache in [world.cache().await, cut_off(&world, 10 * SECOND).await] {
        let (endless, source) = (Source::held(), Source::new());
        let mut kept = pin!(cache.scope(read(&endless, 1)));
        // It is kept, and not polled any more.
        while endless.loads() == 0 {
            assert!(poll_once(kept.as_mut()).is_pending());
            tokio::task::yield_now().await;
        }
        sleep(4 * SECOND).await;
        let read = || cache.scope(read(&source, 1));
        let (one, other) = tokio::join!(seconds(read()), seconds(read()));
        assert_eq!((one, other), (6, 6));
        sleep(20 * SECOND).await;
        assert_eq!(seconds(read()).await, 0);
        assert_eq!(seconds(by_hand(&cache, &source)).await, 0);
        let many = async { read_all(&source, &[1, 2]).await[&1] };
        assert_eq!(seconds(cache.scope(many)).await, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_load_that_has_only_been_promised_is_not_waited_for_either() {
    let cache = cut_off(&World::in_memory(), 10 * SECOND).await;
    let source = Source::new();
    // It would load next, and is never polled again.
    let mut kept = pin!(cache.scope(read(&source, 1)));
    assert!(poll_once(kept.as_mut()).is_pending());
    assert_eq!(source.loads(), 0);
    let read = || cache.scope(read(&source, 1));
    assert_eq!(seconds(read()).await, 10);
    assert_eq!(seconds(read()).await, 0);
}

#[tokio::test(start_paused = true)]
async fn loads_that_fail_one_after_the_other_are_waited_for_no_longer_than_the_budget() {
    #[redis_cached(ttl = 60, key = "alone:fails", skip(source))]
    async fn fails(source: &Source) -> Result<u64, std::io::Error> {
        let loaded = source.try_load().await;
        loaded.ok_or_else(|| std::io::ErrorKind::Other.into())
    }
    let cache = cut_off(&World::in_memory(), 10 * SECOND).await;
    let source = Source::slow(3 * SECOND);
    source.fail(usize::MAX);
    let began = Instant::now();
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let source = source.clone();
            cache.spawn(async move { fails(&source).await.is_err() })
        })
        .collect();
    for call in calls {
        assert!(call.await.unwrap());
    }
    let took = began.elapsed().as_secs();
    assert!(took <= 10 + 2 * 3 + 3, "{took} s");
}

#[tokio::test(start_paused = true)]
async fn loads_within_the_budget_are_still_shared_one_after_the_other() {
    let cache = cut_off(&World::in_memory(), 10 * SECOND).await;
    let source = Source::slow(8 * SECOND);
    let first = spawned(&cache, &source);
    source.begun(1).await;
    let later: Vec<_> = (0..20).map(|_| spawned(&cache, &source)).collect();
    for read in later.into_iter().chain([first]) {
        assert_eq!(read.await.unwrap(), 1);
    }
    assert_eq!((source.loads(), source.most_at_once()), (2, 1));
}

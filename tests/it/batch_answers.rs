//! What a batch answers with where loads and entries say different things, or where a load comes to nothing.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cached_redis::{Cache, Policy, redis_cached};
use tokio::sync::Notify;

use crate::support::table::{Table, Values, all};
use crate::support::{
    Source, World, eventually, expired, filled, in_time, on_both_stores, on_redis, unanswered,
    waiting,
};

on_both_stores!(
    what_a_load_gives_without_being_asked_for_it_is_in_the_place_of_no_entry,
    the_panic_of_a_late_load_waits_for_the_load_beside_it,
);
on_redis!(without_the_store_an_error_is_copied_once_for_all_who_wait);

const POLICY: Policy = Policy::new().ttl(Duration::from_secs(600));

#[redis_cached(batch(id in ids), ttl = 600, key = "generous:<id>", skip(table))]
async fn generous(table: &Table, ids: &[u64]) -> Values {
    assert_eq!(ids, [1]);
    table.load(&[1, 2]).await.unwrap()
}

async fn what_a_load_gives_without_being_asked_for_it_is_in_the_place_of_no_entry(world: World) {
    let cache = world.patient_cache().await;
    let (table, newer) = (Table::new(), Source::held());
    newer.write();
    let second = cache.clone();
    let single = tokio::spawn({
        let newer = newer.clone();
        async move {
            let load = || async move { Ok::<_, Failed>(newer.load().await) };
            second.get_or_fill(&POLICY, "generous:2", load).await
        }
    });
    newer.begun(1).await;
    let batch = cache.spawn({
        let table = table.clone();
        async move { generous(&table, &[1, 2]).await }
    });
    filled(&cache, 1).await;
    waiting(&cache, 1).await;
    newer.release();
    assert_eq!(in_time(batch).await.unwrap(), all(&[1, 2]));
    assert_eq!(single.await.unwrap(), Ok(2));
}

#[derive(Clone, Debug, PartialEq)]
struct Failed;

/// Counts how often the load of id 2 is polled, and ends; that of the others panics when it is told to.
#[derive(Clone)]
struct Late {
    panics: Arc<Notify>,
    rows: Source,
    polls: Arc<AtomicUsize>,
    ended: Arc<AtomicUsize>,
}

#[redis_cached(
    batch(id in ids),
    ttl = 0.05,
    jitter = 0.0,
    stale_if_error = 600,
    soft_timeout = 600,
    key = "answers:late:<id>",
    skip(late)
)]
async fn late(late: &Late, ids: &[u64]) -> Result<Values, Failed> {
    if ids == [2] {
        let mut load = pin!(late.rows.load());
        poll_fn(|context| {
            late.polls.fetch_add(1, Ordering::SeqCst);
            load.as_mut().poll(context)
        })
        .await;
        late.ended.fetch_add(1, Ordering::SeqCst);
    } else if late.ended.load(Ordering::SeqCst) == 1 {
        late.panics.notified().await;
        panic!("a late load");
    }
    Ok(ids.iter().map(|id| (*id, 1)).collect())
}

async fn the_panic_of_a_late_load_waits_for_the_load_beside_it(world: World) {
    let builder = world.patient().throttle(Duration::from_secs(600));
    let cache: Cache = builder.build().await.unwrap();
    let source = Late {
        panics: Arc::default(),
        rows: Source::new(),
        polls: Arc::default(),
        ended: Arc::default(),
    };
    in_time(cache.scope(late(&source, &[1]))).await.unwrap();
    filled(&cache, 1).await;
    expired("answers:late:1", [&cache]).await;
    source.ended.store(1, Ordering::SeqCst);
    source.rows.hold();
    let call = cache.spawn({
        let source = source.clone();
        async move { late(&source, &[1, 2]).await }
    });
    source.rows.begun(1).await;
    let polls = source.polls.load(Ordering::SeqCst);
    source.panics.notify_one();
    let woken = async || source.polls.load(Ordering::SeqCst) > polls || call.is_finished();
    eventually("the call to hear of it", woken).await;
    source.rows.release();
    let panicked = in_time(call).await.unwrap_err().into_panic();
    assert_eq!(panicked.downcast_ref(), Some(&"a late load"));
    assert_eq!(source.ended.load(Ordering::SeqCst), 2, "it was not dropped");
    filled(&cache, 2).await;
}

/// Counts its copies.
#[derive(Debug)]
struct Counted(Arc<AtomicUsize>);

impl Clone for Counted {
    fn clone(&self) -> Self {
        self.0.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(&self.0))
    }
}

#[redis_cached(batch(id in ids), ttl = 600, key = "answers:counted:<id>", skip(table, copies))]
async fn counted(table: &Table, copies: &Arc<AtomicUsize>, ids: &[u64]) -> Result<Values, Counted> {
    let loaded = table.load(ids).await;
    loaded.ok_or_else(|| Counted(Arc::clone(copies)))
}

async fn without_the_store_an_error_is_copied_once_for_all_who_wait(mut world: World) {
    let cache = world.cache().await;
    world.redis().kill();
    let (table, copies) = (Table::new(), Arc::default());
    table.rows.fail(1);
    let failed = in_time(cache.scope(counted(&table, &copies, &[1, 2, 3]))).await;
    assert!(failed.is_err() && unanswered(&cache) > 0);
    assert_eq!(copies.load(Ordering::SeqCst), 1);
}

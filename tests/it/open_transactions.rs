//! What is read inside an open transaction may be rolled back: in whatever form it is read, it is
//! neither kept nor shared, and no read there waits for one outside.

use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use cached_redis::{Cache, CachedExt as _, Error, Key, Mode, Policy, Status, redis_cached};

use crate::support::{Source, World, eventually, filled, in_time, on_both_stores, poll_once};

on_both_stores!(
    what_a_batch_loads_of_a_collected_key_is_shared_with_nobody,
    nothing_that_is_read_in_any_form_is_kept,
    nothing_that_is_read_in_another_cache_is_kept,
    what_is_cached_is_served_and_neither_renewed_nor_audited,
    in_shadow_mode_nothing_is_kept_or_compared,
    a_read_waits_for_no_load_outside_which_may_wait_for_the_transaction,
    an_update_is_stored_whatever_becomes_of_the_transaction,
);

const POLICY: Policy = Policy::new().ttl(Duration::from_secs(600));

#[redis_cached(ttl = 600, key = "open:<id>", skip(source))]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await
}

#[redis_cached(batch(id in ids), ttl = 600, key = "open:<id>", skip(source))]
async fn read_all(source: &Source, ids: &[u64]) -> HashMap<u64, u64> {
    let version = source.load().await;
    ids.iter().map(|id| (*id, version)).collect()
}

#[redis_cached(
    ttl = 600,
    jitter = 0.0,
    refresh_ahead = 0.0001,
    audit = 1,
    key = "open:<id>",
    skip(source)
)]
async fn read_eagerly(source: &Source, id: u64) -> u64 {
    source.load().await
}

async fn get(cache: &Cache, id: u64) -> Option<u64> {
    cache.get(format!("open:{id}")).await.unwrap()
}

/// The version of one row, as a batch reads it.
async fn one_of_all(source: &Source, id: u64) -> u64 {
    read_all(source, &[id]).await[&id]
}

/// What a transaction sees that is never committed: the second version of the row.
fn uncommitted() -> Source {
    let changed = Source::new();
    changed.write();
    changed
}

async fn what_a_batch_loads_of_a_collected_key_is_shared_with_nobody(world: World) {
    let cache = world.patient_cache().await;
    for batch_outside in [false, true] {
        let (committed, changed) = (Source::held(), uncommitted());
        let after = cache.after_commit();
        after.invalidate("open:1");
        let outside = async || match batch_outside {
            true => one_of_all(&committed, 1).await,
            false => read(&committed, 1).await,
        };
        // While one load runs, whoever comes next is pending, and others may join that one.
        let mut running = pin!(cache.scope(outside()));
        assert!(poll_once(running.as_mut()).is_pending());
        // It lets those in that come in the same moment.
        assert!(poll_once(running.as_mut()).is_pending());
        committed.begun(1).await;
        let mut inside = pin!(after.scope(cache.scope(one_of_all(&changed, 1))));
        assert!(poll_once(inside.as_mut()).is_pending());
        let mut joining = pin!(cache.scope(outside()));
        assert!(poll_once(joining.as_mut()).is_pending());
        committed.release();
        let all = async { tokio::join!(running, inside, joining) };
        assert_eq!(in_time(all).await, (1, 2, 1), "{batch_outside}");
    }
}

async fn nothing_that_is_read_in_any_form_is_kept(world: World) {
    let [cache, other] = [world.cache().await, world.cache().await];
    let (committed, changed) = (Source::new(), uncommitted());
    let after = cache.after_commit();
    let load = || async { Ok::<_, Infallible>(changed.load().await) };
    let load_all = |ids: Vec<u64>| async {
        let version = changed.load().await;
        let all = ids.into_iter().map(|id| (id, version)).collect();
        Ok::<HashMap<_, _>, Infallible>(all)
    };
    let key = |id: &u64| Key::new("open:").value(id);
    let transaction = async {
        assert_eq!(read(&changed, 1).await, 2);
        assert_eq!(one_of_all(&changed, 2).await, 2);
        assert_eq!(read(&changed, 3).refreshed().await, 2);
        assert_eq!(one_of_all(&changed, 4).refreshed().await, 2);
        let Ok(got) = cache.get_or_fill(&POLICY, "open:5", load).await;
        assert_eq!(got, 2);
        let Ok(all) = cache
            .entries([6], key)
            .policy(&POLICY)
            .get_or_fill(load_all)
            .await;
        assert_eq!(all[&6], 2);
        let owned = changed.clone();
        let behind = move || async move { Ok::<_, Infallible>(owned.load().await) };
        let Ok(got) = cache
            .entry("open:7")
            .policy(&POLICY)
            .detached()
            .get_or_fill(behind)
            .await;
        assert_eq!(got, 2);
        let warm = cache.warm([8], async |id| {
            Ok::<_, Infallible>(read(&changed, id).await)
        });
        assert_eq!(warm.await.calls.bypassed, 1);
        assert!(!cache.put(&POLICY, "open:9", &2_u64).await.unwrap());
    };
    after.scope(cache.scope(transaction)).await;
    assert_eq!(cache.stats().total().misses, 0, "no lease was asked for");
    for id in 1..=9 {
        assert_eq!(get(&other, id).await, None, "{id}");
        assert_eq!(cache.scope(read(&committed, id)).await, 1, "{id}");
    }
    assert_eq!(changed.loads(), 8);
}

async fn nothing_that_is_read_in_another_cache_is_kept(world: World) {
    let elsewhere = world.builder().namespace("elsewhere");
    let elsewhere = elsewhere.build().await.unwrap();
    let (cache, changed) = (world.cache().await, uncommitted());
    let after = cache.after_commit();
    let transaction = async {
        assert_eq!(read(&changed, 1).await, 2);
        assert_eq!(one_of_all(&changed, 2).await, 2);
    };
    after.scope(elsewhere.scope(transaction)).await;
    assert_eq!(
        elsewhere.stats().total().misses,
        0,
        "no lease was asked for"
    );
    for id in [1, 2] {
        assert_eq!(get(&elsewhere, id).await, None);
    }
}

async fn what_is_cached_is_served_and_neither_renewed_nor_audited(world: World) {
    let (cache, committed) = (world.patient_cache().await, Source::new());
    cache.scope(read_eagerly(&committed, 1)).await;
    filled(&cache, 1).await;
    let changed = uncommitted();
    let after = cache.after_commit();
    let inside = |changed: Source| {
        after.scope(cache.scope(async move {
            let read = read_eagerly(&changed, 1).with_info().await;
            (read.0, read.1.status(), one_of_all(&changed, 1).await)
        }))
    };
    // Until it is due to be loaded anew, and beyond.
    let due = async || {
        assert_eq!(inside(changed.clone()).await, (1, Status::Hit, 1));
        let age = cache
            .scope(one_of_all(&committed, 1).with_info())
            .await
            .1
            .age();
        age.is_some_and(|age| age > Duration::from_millis(100))
    };
    eventually("the entry to be due", due).await;
    assert_eq!(inside(changed.clone()).await, (1, Status::Hit, 1));
    assert_eq!(cache.scope(read_eagerly(&committed, 1)).await, 1);
    committed.begun(2).await;
    assert_eq!(changed.loads(), 0);
    let stats = cache.stats().total();
    assert_eq!((stats.renewals, stats.misses), (1, 1), "{stats:?}");
}

async fn in_shadow_mode_nothing_is_kept_or_compared(world: World) {
    let cache = world.cache().await;
    let (committed, changed) = (Source::new(), uncommitted());
    cache.scope(read(&committed, 1)).await;
    filled(&cache, 1).await;
    for function in ["open_transactions::read", "open_transactions::read_all"] {
        cache.set_mode(function, Mode::Shadow).unwrap();
    }
    let after = cache.after_commit();
    let transaction = async {
        for id in [1, 2] {
            assert_eq!(read(&changed, id).await, 2);
            assert_eq!(one_of_all(&changed, id).await, 2);
        }
    };
    after.scope(cache.scope(transaction)).await;
    assert_eq!(
        (get(&cache, 1).await, get(&cache, 2).await),
        (Some(1), None)
    );
    let stats = cache.stats().total();
    assert_eq!((stats.audits, stats.fills), (0, 1));
}

async fn an_update_is_stored_whatever_becomes_of_the_transaction(world: World) {
    let cache = world.cache().await;
    let after = cache.after_commit();
    let count = |visits: Option<u64>| Ok::<_, Error>(visits.unwrap_or(0) + 1);
    for visits in 1..=2 {
        let updated = after.scope(cache.entry("open:visits").policy(&POLICY).update(count));
        assert_eq!(updated.await.unwrap(), visits);
    }
    drop(after);
    let stored: Option<u64> = cache.get("open:visits").await.unwrap();
    assert_eq!(stored, Some(2));
}

async fn a_read_waits_for_no_load_outside_which_may_wait_for_the_transaction(world: World) {
    let [cache, other] = [world.patient_cache().await, world.patient_cache().await];
    for outside in [&cache, &other] {
        let (locked, changed) = (Source::held(), uncommitted());
        let blocked = outside.spawn({
            let locked = locked.clone();
            async move { read(&locked, 1).await }
        });
        locked.begun(1).await;
        let after = cache.after_commit();
        let inside = async {
            let one = read(&changed, 1).with_info().await;
            (one.0, one.1.status(), one_of_all(&changed, 1).await)
        };
        let inside = in_time(after.scope(cache.scope(inside))).await;
        assert_eq!(inside, (2, Status::Bypass, 2));
        locked.release();
        assert_eq!(in_time(blocked).await.unwrap(), 1);
        cache.invalidate("open:1").await.unwrap();
    }
    assert_eq!(cache.stats().total().waits, 0);
}

//! What users can do with the tools for their own tests, as the guide shows it.

use std::time::Duration;

use cached_redis::error::StoreError;
use cached_redis::testing::{Faults, HeldClock, Recorded, Recorder};
use cached_redis::{Cache, invalidates, redis_cached};

use crate::support::{Source, World, on_both_stores};

on_both_stores!(
    everything_a_cache_does_is_recorded_in_order,
    an_outage_by_switch_ends_by_switch,
);

#[redis_cached(key = "permission:<user>", ttl = "5m", skip(revoked))]
async fn may_edit(revoked: &Source, user: u64) -> bool {
    revoked.load().await == 1
}

#[invalidates("permission:<user>")]
async fn revoke(revoked: &Source, user: u64) {
    revoked.write();
}

#[tokio::test(start_paused = true)]
async fn a_revoked_permission_is_gone_though_the_cache_is_down() {
    let (faults, recorder, clock) = (Faults::seeded(7), Recorder::new(), HeldClock::new());
    let builder = Cache::builder().url("memory://").faults(faults.clone());
    let cache = builder.recorder(recorder.clone()).build().await.unwrap();
    let table = Source::new();
    let test = async {
        assert!(may_edit(&table, 42).await);
        recorder.wait_for(Recorded::Fill, 1).await;

        faults.outage(true);
        revoke(&table, 42).await;
        assert!(!may_edit(&table, 42).await);
        assert_eq!(recorder.of("revoke"), [Recorded::Deferred]);

        faults.outage(false);
        clock.advance(Duration::from_secs(5)).await;
        assert_eq!(recorder.count(Recorded::Replayed), 1);
    };
    cache.scope(test).await;
}

async fn everything_a_cache_does_is_recorded_in_order(world: World) {
    let recorder = Recorder::new();
    let builder = world.builder().recorder(recorder.clone());
    let (cache, table) = (builder.build().await.unwrap(), Source::new());
    cache.scope(may_edit(&table, 1)).await;
    recorder.wait_for(Recorded::Fill, 1).await;
    cache.scope(may_edit(&table, 1)).await;
    cache.scope(revoke(&table, 1)).await;

    use Recorded::{Fill, Hit, Invalidated, Load, Miss};
    assert_eq!(recorder.of("may_edit"), [Miss, Load, Fill, Hit]);
    assert_eq!(recorder.of("testing_kit::revoke"), [Invalidated]);
    assert_eq!(recorder.events().len(), 5);
    let said = format!("{recorder:?}");
    assert!(!said.contains("permission"), "no keys: {said}");
}

async fn an_outage_by_switch_ends_by_switch(world: World) {
    let faults = Faults::seeded(7);
    let builder = world.builder().faults(faults.clone());
    let cache = builder.build().await.unwrap();
    faults.outage(true);
    let answer = cache.get::<u64>("k").await;
    assert!(matches!(
        answer,
        Err(cached_redis::Error::Store(StoreError::Unavailable))
    ));
    assert_eq!(faults.injected().failed, 1);
    faults.outage(false);
    assert_eq!(cache.get::<u64>("k").await.unwrap(), None);
    assert_eq!(faults.injected().total(), 1);
}

#[tokio::test]
async fn chances_of_more_than_the_whole_are_refused_by_the_builder() {
    let faults = Faults::seeded(7).fail(0.6).drop(0.6);
    let built = Cache::builder().url("memory://").faults(faults).build();
    assert!(built.await.unwrap_err().to_string().contains("faults"));
}

//! A caller that is dropped before the answer leaves its invalidation to the task that sends it, and to the
//! journal only where nothing drives that task.

use std::pin::pin;
use std::time::Duration;

use cached_redis::testing::Faults;
use cached_redis::{Cache, Invalidation, Policy, invalidates};

use crate::support::{World, in_time, on_both_stores, poll_once};

on_both_stores!(
    more_keys_than_the_journal_has_room_for_are_no_sweep,
    more_patterns_than_the_journal_has_room_for_are_no_sweep,
    an_event_is_published_once,
    whoever_flushes_does_not_wait_for_a_caller_that_is_not_polled,
    whoever_flushes_waits_for_the_end_of_a_guarded_write,
);

const POLICY: Policy = Policy::new().ttl(Duration::from_secs(600));

/// A process whose steps are late, with room in its journal for one key.
async fn late(world: &World, guarded: bool) -> Cache {
    let faults = Faults::seeded(1).delay(1.0, Duration::from_millis(2));
    let builder = world.builder().journal_keys(1).guarded(guarded);
    let builder = builder.flush_timeout(Duration::from_secs(60));
    builder.faults(faults).build().await.unwrap()
}

async fn fill<'a>(cache: &Cache, keys: impl IntoIterator<Item = &'a str>) {
    for key in keys {
        assert!(cache.put(&POLICY, key, &1_u8).await.unwrap(), "{key}");
    }
}

async fn stands(cache: &Cache, key: &str) -> bool {
    cache.get::<u8>(key).await.unwrap().is_some()
}

async fn more_keys_than_the_journal_has_room_for_are_no_sweep(world: World) {
    let cache = late(&world, false).await;
    fill(&cache, ["a", "b", "c", "other"]).await;
    {
        let invalidation = pin!(cache.invalidation().keys(["a", "b", "c"]).send());
        assert!(poll_once(invalidation).is_pending());
    }
    assert!(!stands(&cache, "a").await, "it is bypassed here");
    cache.flush().await.unwrap();
    for key in ["a", "b", "c"] {
        assert!(!stands(&cache, key).await, "{key}");
    }
    assert!(stands(&cache, "other").await);
    assert_eq!(cache.stats().total().replayed_invalidations, 0);
}

#[invalidates("shelf:<shelf>:*")]
async fn clear(shelf: u32) {}

async fn more_patterns_than_the_journal_has_room_for_are_no_sweep(world: World) {
    let cache = late(&world, false).await;
    fill(&cache, ["shelf:0:a", "shelf:39:a", "other"]).await;
    let after = cache.after_commit();
    let all = async {
        for shelf in 0..40 {
            clear(shelf).await;
        }
    };
    after.scope(cache.scope(all)).await;
    assert!(poll_once(pin!(after.commit())).is_pending());
    assert!(!stands(&cache, "shelf:39:a").await, "it is bypassed here");
    cache.flush().await.unwrap();
    assert!(!stands(&cache, "shelf:0:a").await && !stands(&cache, "shelf:39:a").await);
    assert!(stands(&cache, "other").await);
    assert_eq!(cache.stats().total().replayed_invalidations, 0);
}

async fn an_event_is_published_once(world: World) {
    let cache = late(&world, false).await;
    for _ in 0..20 {
        let invalidation = pin!(cache.invalidation().key("a").publish().send());
        assert!(poll_once(invalidation).is_pending());
    }
    cache.flush().await.unwrap();
    let total = cache.stats().total();
    assert_eq!((total.published_events, total.deferred_events), (20, 0));
}

async fn whoever_flushes_does_not_wait_for_a_caller_that_is_not_polled(world: World) {
    let cache = late(&world, false).await;
    let mut invalidation = pin!(cache.invalidate("a"));
    assert!(poll_once(invalidation.as_mut()).is_pending());
    cache.flush().await.unwrap();
    let ended = in_time(invalidation).await;
    assert_eq!(ended.unwrap(), Invalidation::Done);
}

async fn whoever_flushes_waits_for_the_end_of_a_guarded_write(world: World) {
    let cache = late(&world, true).await;
    for _ in 0..10 {
        drop(cache.begin_write(["a"]).await.unwrap());
        cache.flush().await.unwrap();
        fill(&cache, ["a"]).await;
    }
}

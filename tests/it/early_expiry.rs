//! XFetch: entries that expire early by chance, the more likely the closer their TTL and the longer
//! their load took.

use std::time::Duration;

use cached_redis::{CachedExt as _, Status, redis_cached};

use crate::support::{Source, World, eventually, filled, on_both_stores, tier};

on_both_stores!(an_entry_may_be_loaded_anew_before_its_ttl,);

/// So eager that almost every look is an early one.
#[redis_cached(
    ttl = 600,
    jitter = 0.0,
    early_expiry = 1e9,
    key = "early:<id>",
    skip(source)
)]
async fn eager(source: &Source, id: u64) -> u64 {
    let version = source.load().await;
    // A load that takes no time never expires early.
    tokio::time::sleep(Duration::from_millis(1)).await;
    version
}

async fn an_entry_may_be_loaded_anew_before_its_ttl(world: World) {
    let cache = world.patient().build().await.unwrap();
    let source = Source::new();
    assert_eq!(cache.scope(eager(&source, 1)).await, 1);
    filled(&cache, 1).await;
    source.write();
    let new = async || {
        let (value, info) = cache.scope(eager(&source, 1).with_info()).await;
        assert_eq!(info.status(), Status::Hit);
        value == 2
    };
    eventually("the new value", new).await;
    assert_eq!(source.most_at_once(), 1);
}

#[cfg(feature = "testing")]
mod with_a_held_clock {
    use cached_redis::testing::HeldClock;

    use super::*;

    const LOAD: Duration = Duration::from_millis(100);

    #[redis_cached(
        ttl = 10,
        jitter = 0.0,
        early_expiry = 1.0,
        key = "early:held:<id>",
        skip(source)
    )]
    async fn read(source: &Source, id: u64) -> u64 {
        source.load().await
    }

    /// One look at an entry with `left` of its TTL expires it with the probability
    /// `exp(-left / (delta * beta))`.
    #[tokio::test(start_paused = true)]
    async fn one_look_at_each_entry_expires_the_share_that_the_paper_says() {
        let (clock, cache) = (HeldClock::new(), World::in_memory().cache().await);
        let keys = tier(500, 2_000);
        for times in [3.0, 2.0, 1.0, 0.5] {
            let source = Source::slow(LOAD);
            let look = async || {
                let looks: Vec<_> = (0..keys)
                    .map(|id| {
                        let source = source.clone();
                        cache.spawn(async move { read(&source, id).await })
                    })
                    .collect();
                for look in looks {
                    look.await.unwrap();
                }
                clock.settle().await;
            };
            look().await;
            assert_eq!(source.loads() as u64, keys);
            let left = LOAD.mul_f64(times);
            clock.advance(Duration::from_secs(10) - left).await;
            look().await;
            let share = (source.loads() as u64 - keys) as f64 / keys as f64;
            let expected = f64::exp(-times);
            // Six standard deviations, and whole milliseconds.
            let tolerance = 6.0 * (expected * (1.0 - expected) / keys as f64).sqrt() + 0.01;
            assert!(
                (share - expected).abs() < tolerance,
                "{left:?} before the TTL: {share} of {expected}"
            );
            // All of them are gone before the next round.
            clock.advance(Duration::from_secs(20)).await;
        }
    }
}

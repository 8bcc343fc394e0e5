//! Loads that are shared without a lease, while an invalidation of their key is to be replayed.

use std::time::Duration;

use cached_redis::testing::Faults;
use cached_redis::{Invalidation, Policy};
use tokio::sync::Notify;
use tokio::task::yield_now;

use crate::support::World;

const POLICY: Policy = Policy::new().ttl(Duration::from_secs(60));

#[tokio::test(start_paused = true)]
async fn who_cannot_use_what_was_shared_gets_nothing_from_the_store_either() {
    let faults = Faults::seeded(1);
    let builder = World::in_memory().builder().faults(faults.clone());
    let cache = builder.build().await.unwrap();
    assert!(cache.put(&POLICY, "k", &7_u64).await.unwrap());
    faults.outage(true);
    let deferred = cache.invalidate("k").await.unwrap();
    assert_eq!(deferred, Invalidation::Deferred);
    faults.outage(false);

    let (runs, gate) = (Notify::new(), Notify::new());
    let running = cache.get_or_fill(&POLICY, "k", || async {
        runs.notify_waiters();
        gate.notified().await;
        Ok::<_, ()>(8_u64)
    });
    // It goes on to the next load, which the third one shares.
    let absent = async {
        runs.notified().await;
        let load = || async { Ok::<Option<u64>, ()>(None) };
        cache
            .entry("k")
            .policy(&POLICY)
            .optional()
            .get_or_fill(load)
            .await
    };
    let present = async {
        runs.notified().await;
        let load = || async { Ok::<_, ()>(9_u64) };
        cache.get_or_fill(&POLICY, "k", load).await
    };
    let open = async {
        for _ in 0..100 {
            yield_now().await;
        }
        gate.notify_one();
    };
    let (absent, present, running, ()) = tokio::join!(absent, present, running, open);
    assert_eq!((running, absent, present), (Ok(8), Ok(None), Ok(9)));
}

//! A fill is refused because something has overtaken its load, or because its lease was not renewed in
//! time: the counters tell which.

use std::collections::HashMap;
use std::time::Duration;

use cached_redis::testing::{HeldClock, Recorded, Recorder};
use cached_redis::{Cache, CachedExt as _, redis_cached};

use crate::support::World;

const LEASE: Duration = Duration::from_secs(3);

/// What happens while a load runs.
#[derive(Clone, Copy)]
enum Meanwhile {
    /// Nothing runs for longer than the lease, which nobody renews.
    Blocked,
    /// The key is invalidated, and the load goes on for a long time.
    Invalidated,
}

async fn load(cache: &Cache, meanwhile: Meanwhile) -> u64 {
    match meanwhile {
        // In one jump, before any other task has a turn.
        Meanwhile::Blocked => tokio::time::advance(2 * LEASE).await,
        Meanwhile::Invalidated => {
            cache.invalidate("lapsed:1").await.unwrap();
            HeldClock::new().advance(3 * LEASE).await;
        }
    }
    1
}

#[redis_cached(ttl = 600, key = "lapsed:<id>", cache = cache, skip(cache, meanwhile))]
async fn read(cache: &Cache, id: u64, meanwhile: Meanwhile) -> u64 {
    load(cache, meanwhile).await
}

#[redis_cached(batch(id in ids), ttl = 600, key = "lapsed:<id>", cache = cache, skip(cache, meanwhile))]
async fn read_all(cache: &Cache, ids: &[u64], meanwhile: Meanwhile) -> HashMap<u64, u64> {
    let version = load(cache, meanwhile).await;
    ids.iter().map(|id| (*id, version)).collect()
}

/// How many fills of each form lapsed, and how many were overtaken.
async fn refused(meanwhile: Meanwhile) -> [(u64, u64); 3] {
    let mut all = [(0, 0); 3];
    for (form, refused) in all.iter_mut().enumerate() {
        let recorder = Recorder::new();
        let builder = World::in_memory().builder().lease(LEASE);
        let cache = builder.recorder(recorder.clone()).build().await.unwrap();
        match form {
            0 => drop(read(&cache, 1, meanwhile).await),
            1 => drop(read(&cache, 1, meanwhile).refreshed().await),
            _ => drop(read_all(&cache, &[1], meanwhile).await),
        }
        HeldClock::new().settle().await;
        let lapsed = recorder.count(Recorded::LapsedFill) as u64;
        let total = cache.stats().total();
        assert_eq!((total.lapsed_fills, total.fills), (lapsed, 0));
        *refused = (lapsed, total.refused_fills);
    }
    all
}

#[tokio::test(start_paused = true)]
async fn a_fill_whose_lease_nobody_renewed_in_time_has_lapsed() {
    assert_eq!(refused(Meanwhile::Blocked).await, [(1, 0); 3]);
}

#[tokio::test(start_paused = true)]
async fn a_fill_whose_lease_was_taken_away_is_overtaken_however_long_ago() {
    assert_eq!(refused(Meanwhile::Invalidated).await, [(0, 1); 3]);
}

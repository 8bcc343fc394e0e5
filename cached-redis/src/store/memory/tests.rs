use std::time::Duration;

use super::*;
use crate::store::Store as _;
use crate::store::queue::{Accepted, Offer, Partition};

const HOUR: Duration = Duration::from_secs(3600);

impl MemoryStore {
    pub(in crate::store) fn ttl(&self, key: &str) -> Option<Duration> {
        let shard = self.lock(key);
        shard.peek(key).map(|slot| slot.expires - Instant::now())
    }

    pub(in crate::store) fn plant(&self, key: &str, bytes: &[u8]) {
        let bytes = Bytes::copy_from_slice(bytes);
        self.step(key, |_| (Change::Set(bytes, Duration::from_secs(60)), ()));
    }
}

async fn put(store: &MemoryStore, key: &str, size: usize) {
    let bytes = Bytes::from(vec![1; size]);
    store.seize(key, bytes, HOUR).await.unwrap();
}

async fn kept(store: &MemoryStore, count: usize) -> usize {
    let mut kept = 0;
    for i in 0..count {
        kept += usize::from(store.get(&i.to_string()).await.unwrap().is_some());
    }
    kept
}

fn limits(entries: u64, bytes: Option<u64>) -> MemoryLimits {
    MemoryLimits {
        entries,
        bytes,
        ..MemoryLimits::default()
    }
}

#[tokio::test(start_paused = true)]
async fn entries_expire_by_the_clock_of_the_test() {
    let store = MemoryStore::private(MemoryLimits::default()).unwrap();
    let started = store.now_ms("k");
    put(&store, "k", 1).await;
    tokio::time::advance(HOUR - Duration::from_millis(1)).await;
    assert!(store.get("k").await.unwrap().is_some());
    tokio::time::advance(Duration::from_millis(1)).await;
    assert_eq!(store.get("k").await, Ok(None));
    assert_eq!(store.now_ms("k") - started, 3_600_000);
}

#[tokio::test]
async fn the_number_of_entries_is_bounded() {
    for entries in [1, 2, 10, 1000, 5000] {
        let bytes = None;
        let store = MemoryStore::private(limits(entries, bytes)).unwrap();
        for i in 0..3 * entries {
            put(&store, &i.to_string(), 10).await;
        }
        let kept = kept(&store, 3 * entries as usize).await as u64;
        assert!(
            (entries / 2 + 1..=entries + 4).contains(&kept),
            "{kept} of {entries}"
        );
    }
}

#[tokio::test]
async fn bytes_are_bounded_as_well_as_entries() {
    let limits = limits(1000, Some(100_000));
    let large = MemoryStore::private(limits).unwrap();
    let small = MemoryStore::private(limits).unwrap();
    for i in 0..2000 {
        put(&large, &i.to_string(), 1000).await;
        put(&small, &i.to_string(), 1).await;
    }
    assert!((50..=100).contains(&kept(&large, 2000).await));
    assert!((500..=1000).contains(&kept(&small, 2000).await));
}

#[tokio::test]
async fn an_entry_too_large_for_the_store_displaces_what_stood_under_its_key() {
    let limits = limits(10, Some(1000));
    let store = MemoryStore::private(limits).unwrap();
    put(&store, "k", 10).await;
    put(&store, "k", 2000).await;
    assert_eq!(store.get("k").await, Ok(None));
}

#[tokio::test]
async fn caches_that_name_the_same_store_share_it_while_one_lives() {
    let limits = MemoryLimits::default();
    let one = MemoryStore::shared("shared-while-one-lives", limits).unwrap();
    let other = MemoryStore::shared("shared-while-one-lives", limits).unwrap();
    put(&one, "k", 1).await;
    assert!(other.get("k").await.unwrap().is_some());
    drop((one, other));
    let fresh = MemoryStore::shared("shared-while-one-lives", limits).unwrap();
    assert_eq!(fresh.get("k").await, Ok(None));
}

#[tokio::test]
async fn times_that_overflow_are_cut() {
    let store = MemoryStore::private(MemoryLimits::default()).unwrap();
    store
        .seize("k", Bytes::from_static(b"x"), Duration::MAX)
        .await
        .unwrap();
    assert!(store.get("k").await.unwrap().is_some());
}

#[test]
fn limits_of_zero_are_refused() {
    for (entries, bytes) in [(0, None), (1, Some(0))] {
        let refused = MemoryStore::private(limits(entries, bytes));
        assert!(matches!(refused, Err(Error::Setting { .. })));
    }
}

#[tokio::test]
async fn what_is_pending_does_not_leave_for_room() {
    let limits = MemoryLimits {
        entries: 20,
        ..MemoryLimits::default()
    };
    let store = MemoryStore::new(limits).unwrap();
    let at = Partition::new("ns", "q", 0);
    let mut entry = vec![0; 48];
    entry[..3].copy_from_slice(b"\xCAP\x01");
    let offer = Offer {
        key: "{q}:k",
        entry: entry.into(),
        function: "save",
        arguments: Bytes::new(),
        most: 1,
        most_dead: 1,
        most_lag: None,
    };
    assert_eq!(store.enqueue(&at, &offer), Ok(Accepted::Yes));
    for number in 0..1000 {
        let key = format!("other{number}");
        store
            .seize(&key, Bytes::new(), Duration::from_secs(60))
            .await
            .unwrap();
    }
    assert_eq!(store.get("{q}:k").await, Ok(Some(offer.entry)));
}

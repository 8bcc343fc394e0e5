//! What every store must do, step by step; the same suite runs on each.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::memory::{MemoryLimits, MemoryStore};
use super::redis::RedisStore;
use super::redis::server::Server;
use super::redis::trio::Trio;
use super::{AnyStore, Store};
use crate::wire::entry::Token;

const TTL: Duration = Duration::from_secs(60);
const LONG: Duration = Duration::from_secs(600);

/// A store, and a way to look past its steps.
struct Subject {
    store: AnyStore,
    server: Option<Server>,
    cluster: Option<Arc<Trio>>,
}

impl Subject {
    async fn memory() -> Self {
        let store = MemoryStore::private(MemoryLimits::default()).unwrap();
        let store = AnyStore::Memory(store);
        let (server, cluster) = (None, None);
        Self {
            store,
            server,
            cluster,
        }
    }

    async fn redis() -> Self {
        let server = Server::start();
        let store = AnyStore::Redis(server.store().await);
        Self {
            store,
            server: Some(server),
            cluster: None,
        }
    }

    /// An empty one.
    async fn cluster(cluster: &Arc<Trio>) -> Self {
        cluster.flush();
        Self {
            store: AnyStore::Redis(cluster.store().await),
            server: None,
            cluster: Some(Arc::clone(cluster)),
        }
    }

    /// What the server of `key` says.
    fn command(&self, key: &str, words: &[&[u8]]) -> String {
        match (&self.server, &self.cluster) {
            (Some(server), _) => server.command(words),
            (_, Some(cluster)) => cluster.of(key).command(words),
            _ => unreachable!(),
        }
    }

    /// Bytes that somebody else left under `key`.
    fn plant(&self, key: &str, bytes: &[u8]) {
        match &self.store {
            AnyStore::Memory(store) => store.plant(key, bytes),
            _ => drop(self.command(key, &[b"SET", key.as_bytes(), bytes])),
        }
    }

    /// Asserts that `key` lives for about `ttl`.
    fn assert_ttl(&self, key: &str, ttl: Duration) {
        let left = match &self.store {
            AnyStore::Memory(store) => store.ttl(key).unwrap(),
            _ => {
                let left = self.command(key, &[b"PTTL", key.as_bytes()]);
                Duration::from_millis(left.trim_start_matches(':').parse().unwrap())
            }
        };
        assert!(
            left <= ttl && left + Duration::from_secs(10) > ttl,
            "{left:?} of {ttl:?}"
        );
    }
}

fn token(number: u8) -> Token {
    Token([number; 16])
}

fn envelope(kind: u8, number: u8, payload: &[u8]) -> Bytes {
    let mut bytes = vec![0; 48];
    bytes[0] = 0xCA;
    bytes[1] = kind;
    bytes[8..24].copy_from_slice(&[number; 16]);
    bytes.extend(payload);
    bytes.into()
}

fn lease(number: u8) -> Bytes {
    envelope(b'L', number, b"")
}

fn entry(number: u8) -> Bytes {
    // Of bytes that no text encoding would let through.
    envelope(b'V', number, &[0, b'\r', b'\n', 0xFF, b'$'])
}

/// One test per behaviour and store, but one for all on a cluster.
macro_rules! suite {
    ($($name:ident)*) => {
        mod memory {
            $(#[tokio::test]
            async fn $name() {
                super::$name(super::Subject::memory().await).await;
            })*
        }

        mod redis {
            $(#[tokio::test]
            async fn $name() {
                super::$name(super::Subject::redis().await).await;
            })*
        }

        /// One after the other, since it takes some time until the servers know each other.
        #[tokio::test]
        async fn cluster() {
            let trio = std::sync::Arc::new(crate::store::redis::trio::Trio::start().await);
            $($name(Subject::cluster(&trio).await).await;)*
        }
    };
}

mod bars;
mod locks;
mod many;
mod queues;
mod tags;
mod tombstones;

suite! {
    an_absent_key_is_acquired_once
    a_dead_entry_is_taken_over_while_it_stands
    foreign_bytes_are_taken_over_while_they_stand
    a_seized_lease_breaks_any_other
    only_a_standing_lease_is_extended
    a_fill_wins_only_under_its_lease
    a_fill_sent_twice_wins_twice
    a_fill_replaces_the_entry_that_was_read
    only_the_own_lease_is_released
    several_keys_are_invalidated_at_once
    what_was_invalidated_cannot_be_filled
    a_scan_gives_every_key_that_begins_so
    what_stands_all_the_time_is_scanned_while_others_come_and_go
    a_scan_takes_the_beginning_by_the_letter
    entries_expire
    times_to_live_are_cut_to_what_a_store_can_hold
    of_many_who_acquire_at_once_one_succeeds
    large_entries_come_back_whole
    the_clock_is_the_time_of_day
}

async fn an_absent_key_is_acquired_once(subject: Subject) {
    let store = &subject.store;
    assert_eq!(store.get("k").await, Ok(None));
    assert_eq!(store.acquire("k", lease(1), TTL).await, Ok(None));
    subject.assert_ttl("k", TTL);
    assert_eq!(store.acquire("k", lease(2), LONG).await, Ok(Some(lease(1))));
    subject.assert_ttl("k", TTL);
    // A repetition finds its own lease.
    assert_eq!(store.acquire("k", lease(1), TTL).await, Ok(Some(lease(1))));
    assert_eq!(store.get("k").await, Ok(Some(lease(1))));
}

async fn a_dead_entry_is_taken_over_while_it_stands(subject: Subject) {
    let store = &subject.store;
    store.seize("k", entry(1), TTL).await.unwrap();
    let over = |seen, new| store.acquire_over("k", seen, lease(new), LONG);
    assert_eq!(over(entry(2), 3).await, Ok(false));
    assert_eq!(store.get("k").await, Ok(Some(entry(1))));
    // The token decides, whatever the payload that was read.
    assert_eq!(over(envelope(b'V', 1, b"other"), 4).await, Ok(true));
    assert_eq!(store.get("k").await, Ok(Some(lease(4))));
    subject.assert_ttl("k", LONG);
    assert_eq!(
        over(entry(1), 4).await,
        Ok(true),
        "a repetition finds its own lease"
    );
    assert_eq!(over(entry(1), 5).await, Ok(false));
    store.invalidate(&["k".to_owned()]).await.unwrap();
    assert_eq!(over(lease(4), 6).await, Ok(false));
    assert_eq!(store.get("k").await, Ok(None));
}

async fn foreign_bytes_are_taken_over_while_they_stand(subject: Subject) {
    let store = &subject.store;
    let truncated = lease(1).slice(..47);
    let long = Bytes::from(vec![7; 100]);
    for (key, seen) in [
        ("s", b"hello"[..].into()),
        ("e", Bytes::new()),
        ("t", truncated),
        ("l", long),
    ] {
        let over = |seen, new| store.acquire_over(key, seen, lease(new), TTL);
        assert_eq!(over(seen.clone(), 9).await, Ok(false), "nothing stands");
        subject.plant(key, &seen);
        assert_eq!(
            store.acquire(key, lease(1), TTL).await,
            Ok(Some(seen.clone()))
        );
        let similar = [b"x", &seen[..]].concat();
        assert_eq!(over(similar.into(), 9).await, Ok(false));
        assert_eq!(store.get(key).await, Ok(Some(seen.clone())));
        assert_eq!(over(seen.clone(), 2).await, Ok(true));
        assert_eq!(store.get(key).await, Ok(Some(lease(2))));
        subject.assert_ttl(key, TTL);
        assert_eq!(over(seen, 3).await, Ok(false));
    }
}

async fn a_seized_lease_breaks_any_other(subject: Subject) {
    let store = &subject.store;
    store.acquire("k", lease(1), TTL).await.unwrap();
    assert_eq!(store.seize("k", lease(2), LONG).await, Ok(true));
    subject.assert_ttl("k", LONG);
    assert_eq!(store.fill("k", token(1), entry(3), TTL).await, Ok(false));
    assert_eq!(store.fill("k", token(2), entry(4), TTL).await, Ok(true));
    assert_eq!(store.seize("k", lease(5), TTL).await, Ok(true));
    assert_eq!(store.seize("absent", lease(6), TTL).await, Ok(true));
    assert_eq!(store.get("absent").await, Ok(Some(lease(6))));
    subject.assert_ttl("absent", TTL);
}

async fn only_a_standing_lease_is_extended(subject: Subject) {
    let store = &subject.store;
    assert_eq!(store.extend("k", token(1), LONG).await, Ok(false));
    store.acquire("k", lease(1), TTL).await.unwrap();
    assert_eq!(store.extend("k", token(2), LONG).await, Ok(false));
    subject.assert_ttl("k", TTL);
    assert_eq!(store.extend("k", token(1), LONG).await, Ok(true));
    subject.assert_ttl("k", LONG);
    assert_eq!(store.get("k").await, Ok(Some(lease(1))));
}

async fn a_fill_wins_only_under_its_lease(subject: Subject) {
    let store = &subject.store;
    assert_eq!(store.fill("k", token(1), entry(2), LONG).await, Ok(false));
    assert_eq!(store.get("k").await, Ok(None));
    store.acquire("k", lease(1), TTL).await.unwrap();
    assert_eq!(store.fill("k", token(3), entry(4), LONG).await, Ok(false));
    assert_eq!(store.get("k").await, Ok(Some(lease(1))));
    assert_eq!(store.fill("k", token(1), entry(2), LONG).await, Ok(true));
    assert_eq!(store.get("k").await, Ok(Some(entry(2))));
    subject.assert_ttl("k", LONG);
    subject.plant("f", b"short");
    assert_eq!(store.fill("f", token(1), entry(2), LONG).await, Ok(false));
}

async fn a_fill_sent_twice_wins_twice(subject: Subject) {
    let store = &subject.store;
    store.acquire("k", lease(1), TTL).await.unwrap();
    for _ in 0..2 {
        assert_eq!(store.fill("k", token(1), entry(2), LONG).await, Ok(true));
    }
    // Its entry replaced by another: the late repetition is refused.
    assert_eq!(store.fill("k", token(2), entry(3), LONG).await, Ok(true));
    assert_eq!(store.fill("k", token(1), entry(2), LONG).await, Ok(false));
    assert_eq!(store.get("k").await, Ok(Some(entry(3))));
}

async fn a_fill_replaces_the_entry_that_was_read(subject: Subject) {
    let store = &subject.store;
    store.seize("k", entry(1), TTL).await.unwrap();
    assert_eq!(store.fill("k", token(1), entry(2), LONG).await, Ok(true));
    assert_eq!(store.get("k").await, Ok(Some(entry(2))));
    subject.assert_ttl("k", LONG);
}

async fn only_the_own_lease_is_released(subject: Subject) {
    let store = &subject.store;
    assert_eq!(store.release("k", token(1)).await, Ok(false));
    store.acquire("k", lease(1), TTL).await.unwrap();
    assert_eq!(store.release("k", token(2)).await, Ok(false));
    assert_eq!(store.get("k").await, Ok(Some(lease(1))));
    assert_eq!(store.release("k", token(1)).await, Ok(true));
    assert_eq!(store.get("k").await, Ok(None));
    assert_eq!(store.acquire("k", lease(3), TTL).await, Ok(None));
}

async fn several_keys_are_invalidated_at_once(subject: Subject) {
    let store = &subject.store;
    let keys: Vec<_> = (0..5).map(|number| format!("k{number}")).collect();
    for key in &keys {
        store.seize(key, entry(1), TTL).await.unwrap();
    }
    assert_eq!(store.invalidate(&[]).await, Ok(()));
    assert_eq!(store.invalidate(&keys[..4]).await, Ok(()));
    for key in &keys[..4] {
        assert_eq!(store.get(key).await, Ok(None));
    }
    assert_eq!(store.get("k4").await, Ok(Some(entry(1))));
    assert_eq!(store.invalidate(&keys).await, Ok(()));
    assert_eq!(store.get("k4").await, Ok(None));
}

async fn what_was_invalidated_cannot_be_filled(subject: Subject) {
    let store = &subject.store;
    store.acquire("k", lease(1), TTL).await.unwrap();
    store.invalidate(&["k".to_owned()]).await.unwrap();
    assert_eq!(store.fill("k", token(1), entry(2), TTL).await, Ok(false));
    assert_eq!(store.extend("k", token(1), TTL).await, Ok(false));
    store.acquire("k", lease(3), TTL).await.unwrap();
    assert_eq!(store.fill("k", token(1), entry(2), TTL).await, Ok(false));
    assert_eq!(store.get("k").await, Ok(Some(lease(3))));
}

/// All keys that a whole scan gives.
async fn scanned(store: &AnyStore, prefix: &str) -> BTreeSet<String> {
    let (mut all, mut cursor) = (BTreeSet::new(), 0);
    loop {
        let (keys, next) = store.scan(prefix, cursor).await.unwrap();
        all.extend(keys);
        if next == 0 {
            return all;
        }
        cursor = next;
    }
}

async fn a_scan_gives_every_key_that_begins_so(subject: Subject) {
    let store = &subject.store;
    assert_eq!(scanned(store, "app:").await, BTreeSet::new());
    let keys: BTreeSet<_> = (0..3000).map(|i| format!("app:{i}")).collect();
    for key in &keys {
        store.seize(key, entry(1), TTL).await.unwrap();
    }
    for other in ["app", "apple:1", "ap:1", "xapp:1"] {
        store.seize(other, entry(1), TTL).await.unwrap();
    }
    assert_eq!(scanned(store, "app:").await, keys);
    assert_eq!(scanned(store, "").await.len(), keys.len() + 4);
}

async fn what_stands_all_the_time_is_scanned_while_others_come_and_go(subject: Subject) {
    let store = &subject.store;
    let keys: BTreeSet<_> = (0..2000).map(|i| format!("app:{i}")).collect();
    for key in &keys {
        store.seize(key, entry(1), TTL).await.unwrap();
    }
    let (mut all, mut cursor) = (BTreeSet::new(), 0);
    for round in 0.. {
        let others: Vec<_> = (0..100).map(|i| format!("app:other:{round}:{i}")).collect();
        for other in &others {
            store.seize(other, entry(2), TTL).await.unwrap();
        }
        let (some, next) = store.scan("app:", cursor).await.unwrap();
        all.extend(some);
        store.invalidate(&others[..50]).await.unwrap();
        if next == 0 {
            break;
        }
        cursor = next;
    }
    assert!(all.is_superset(&keys));
}

async fn a_scan_takes_the_beginning_by_the_letter(subject: Subject) {
    let store = &subject.store;
    for special in ["a*", "a?", "a[bc]", "a\\", "a\\*", "a^", "[a-z]"] {
        store.seize(special, entry(1), TTL).await.unwrap();
        store.seize("ab", entry(1), TTL).await.unwrap();
        let own = BTreeSet::from([special.to_owned()]);
        assert_eq!(scanned(store, special).await, own);
        store.invalidate(&[special.to_owned()]).await.unwrap();
    }
}

async fn entries_expire(subject: Subject) {
    let store = &subject.store;
    let short = Duration::from_millis(30);
    store.acquire("k", lease(1), short).await.unwrap();
    tokio::time::sleep(short * 2).await;
    assert_eq!(store.get("k").await, Ok(None));
    assert_eq!(store.fill("k", token(1), entry(2), TTL).await, Ok(false));
    assert_eq!(store.acquire("k", lease(3), TTL).await, Ok(None));
}

async fn times_to_live_are_cut_to_what_a_store_can_hold(subject: Subject) {
    let store = &subject.store;
    for ttl in [Duration::ZERO, Duration::from_nanos(1)] {
        assert_eq!(store.seize("k", lease(1), ttl).await, Ok(true));
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert_eq!(store.get("k").await, Ok(None));
    }
    let century = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    assert_eq!(store.acquire("k", lease(1), Duration::MAX).await, Ok(None));
    subject.assert_ttl("k", century);
    assert_eq!(store.extend("k", token(1), Duration::MAX).await, Ok(true));
    assert_eq!(
        store.fill("k", token(1), entry(2), Duration::MAX).await,
        Ok(true)
    );
    subject.assert_ttl("k", century);
}

async fn of_many_who_acquire_at_once_one_succeeds(subject: Subject) {
    let store = Arc::new(subject.store);
    let rush = (0..50).map(|number| {
        let store = store.clone();
        tokio::spawn(async move { store.acquire("k", lease(number), TTL).await.unwrap() })
    });
    let rush: Vec<_> = rush.collect();
    let mut acquired = 0;
    for caller in rush {
        acquired += usize::from(caller.await.unwrap().is_none());
    }
    assert_eq!(acquired, 1);
}

async fn large_entries_come_back_whole(subject: Subject) {
    let store = &subject.store;
    let payload: Vec<u8> = (0..3_000_000_u32)
        .map(|number| (number % 251) as u8)
        .collect();
    let large = envelope(b'V', 2, &payload);
    store.acquire("k", lease(1), TTL).await.unwrap();
    assert_eq!(
        store.fill("k", token(1), large.clone(), TTL).await,
        Ok(true)
    );
    assert_eq!(store.get("k").await, Ok(Some(large)));
}

async fn the_clock_is_the_time_of_day(subject: Subject) {
    let local = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as u64;
    assert!(subject.store.now_ms("k").abs_diff(local) < 1000);
}

/// The type of the futures that callers spawn.
#[allow(dead_code)]
fn futures_are_send(store: &RedisStore) {
    fn is_send<T: Send>(_: T) {}
    is_send(store.get("k"));
    is_send(store.fill("k", token(1), entry(2), TTL));
}

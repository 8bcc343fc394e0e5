//! What every store must do with tombstones.

use super::*;
use crate::store::Put;
use crate::wire::tombstone::{MOST_WRITERS, Tombstone};

suite! {
    a_begun_write_replaces_what_stands_and_bars_the_key
    a_write_begun_twice_is_one_write
    a_tombstone_stands_until_its_last_writer_ends
    the_second_writer_taints_the_tombstone
    an_end_without_tombstone_removes_what_stands
    an_end_sent_twice_is_an_invalidation
    a_put_takes_the_place_of_the_tombstone_of_its_only_writer
    a_put_sent_twice_stores_its_value_once
    a_put_after_anybody_interfered_is_an_end
    a_put_beside_another_writer_leaves_its_tombstone
    a_put_without_its_tombstone_removes_what_stands
    an_invalidation_spares_the_tombstone_of_a_writer
    an_invalidation_removes_everything_else
    a_hold_off_bars_the_key_until_it_is_over
    a_hold_off_is_extended_and_never_shortened
    a_writer_and_a_hold_off_outlive_each_other
    a_writer_is_held_while_it_is_there
    a_writer_that_does_not_end_bars_the_key_until_its_deadline
    a_tombstone_outlives_the_deadline_of_one_of_its_writers
    more_writers_than_a_tombstone_can_hold_are_refused
    of_several_keys_each_has_its_own_tombstone
    steps_on_no_keys_do_nothing
}

const SHORT: Duration = Duration::from_millis(40);

fn keys() -> [String; 1] {
    ["k".to_owned()]
}

impl Subject {
    /// What the tombstone under `key` says; `None` if none stands.
    async fn tombstone(&self, key: &str) -> Option<Tombstone> {
        let entry = self.store.get(key).await.unwrap();
        let entry = entry.filter(|entry| Tombstone::stands(entry))?;
        Some(Tombstone::read(Some(&entry), self.store.now_ms(key)))
    }

    /// The writers for which the tombstone under `key` stands, by number.
    async fn writers(&self, key: &str) -> Vec<u8> {
        let tombstone = self.tombstone(key).await.unwrap_or_default();
        tombstone.writers().iter().map(|token| token.0[0]).collect()
    }

    async fn is_tainted(&self, key: &str) -> bool {
        self.tombstone(key).await.unwrap().is_tainted()
    }

    /// Asserts that a tombstone stands under `key` and that nobody can take its place.
    async fn assert_barred(&self, key: &str) {
        let (store, standing) = (&self.store, self.store.get(key).await.unwrap().unwrap());
        assert!(Tombstone::stands(&standing));
        let acquired = store.acquire(key, lease(9), TTL).await;
        assert_eq!(acquired, Ok(Some(standing.clone())));
        assert_eq!(store.seize(key, lease(9), TTL).await, Ok(false));
        assert_eq!(store.get(key).await, Ok(Some(standing)));
    }
}

async fn a_begun_write_replaces_what_stands_and_bars_the_key(subject: Subject) {
    let store = &subject.store;
    store.seize("value", entry(7), TTL).await.unwrap();
    store.acquire("lease", lease(7), TTL).await.unwrap();
    subject.plant("foreign", b"hello");
    subject.plant("empty", b"");
    for key in ["absent", "value", "lease", "foreign", "empty"] {
        let keys = [key.to_owned()];
        assert_eq!(store.begin(&keys, token(1), LONG).await, Ok(()), "{key}");
        subject.assert_barred(key).await;
        subject.assert_ttl(key, LONG);
        assert!(!subject.is_tainted(key).await);
        // What was under way before is refused.
        assert_eq!(store.fill(key, token(7), entry(8), TTL).await, Ok(false));
        assert_eq!(store.extend(key, token(7), TTL).await, Ok(false));
        assert_eq!(store.release(key, token(7)).await, Ok(false));
        let over = store.acquire_over(key, entry(7), lease(9), TTL).await;
        assert_eq!(over, Ok(false));
        let over = store.acquire_over(key, b"hello"[..].into(), lease(9), TTL);
        assert_eq!(over.await, Ok(false));
        assert_eq!(subject.writers(key).await, [1]);
        // Everything is open again when the writer has ended.
        assert_eq!(store.end(&keys, token(1), None).await, Ok(true));
        assert_eq!(store.acquire(key, lease(2), TTL).await, Ok(None));
    }
}

async fn a_write_begun_twice_is_one_write(subject: Subject) {
    let store = &subject.store;
    store.begin(&keys(), token(1), LONG).await.unwrap();
    store.begin(&keys(), token(1), TTL).await.unwrap();
    assert_eq!(subject.writers("k").await, [1]);
    assert!(!subject.is_tainted("k").await);
    subject.assert_ttl("k", LONG);
    assert_eq!(store.end(&keys(), token(1), None).await, Ok(true));
    assert_eq!(store.get("k").await, Ok(None));
}

async fn a_tombstone_stands_until_its_last_writer_ends(subject: Subject) {
    let store = &subject.store;
    for (first, second) in [(1, 2), (2, 1)] {
        store.begin(&keys(), token(1), TTL).await.unwrap();
        store.begin(&keys(), token(2), LONG).await.unwrap();
        subject.assert_ttl("k", LONG);
        assert_eq!(store.end(&keys(), token(first), None).await, Ok(true));
        subject.assert_barred("k").await;
        assert_eq!(subject.writers("k").await, [second]);
        assert_eq!(store.end(&keys(), token(second), None).await, Ok(true));
        assert_eq!(store.get("k").await, Ok(None));
    }
}

async fn the_second_writer_taints_the_tombstone(subject: Subject) {
    let store = &subject.store;
    store.begin(&keys(), token(1), TTL).await.unwrap();
    assert!(!subject.is_tainted("k").await);
    store.begin(&keys(), token(2), TTL).await.unwrap();
    assert!(subject.is_tainted("k").await);
    // Once tainted, always: the first one's write is not undone by its end.
    store.end(&keys(), token(1), None).await.unwrap();
    assert!(subject.is_tainted("k").await);
    assert_eq!(store.hold(&keys(), token(2), TTL).await, Ok(true));
    assert!(subject.is_tainted("k").await);
}

async fn an_end_without_tombstone_removes_what_stands(subject: Subject) {
    let store = &subject.store;
    store.seize("value", entry(7), TTL).await.unwrap();
    store.acquire("lease", lease(7), TTL).await.unwrap();
    subject.plant("foreign", b"hello");
    for key in ["absent", "value", "lease", "foreign"] {
        let keys = [key.to_owned()];
        assert_eq!(store.end(&keys, token(1), None).await, Ok(false), "{key}");
        assert_eq!(store.get(key).await, Ok(None));
    }
    // So does one whose hold has run out and whose place another has taken.
    store.begin(&keys(), token(2), TTL).await.unwrap();
    assert_eq!(store.end(&keys(), token(1), None).await, Ok(false));
    assert!(subject.is_tainted("k").await);
    assert_eq!(subject.writers("k").await, [2]);
}

async fn an_end_sent_twice_is_an_invalidation(subject: Subject) {
    let store = &subject.store;
    store.begin(&keys(), token(1), TTL).await.unwrap();
    assert_eq!(store.end(&keys(), token(1), None).await, Ok(true));
    store.seize("k", entry(2), TTL).await.unwrap();
    assert_eq!(store.end(&keys(), token(1), None).await, Ok(false));
    assert_eq!(store.get("k").await, Ok(None));
}

async fn a_put_takes_the_place_of_the_tombstone_of_its_only_writer(subject: Subject) {
    let store = &subject.store;
    for hold in [LONG, TTL] {
        store.begin(&keys(), token(1), hold).await.unwrap();
        assert_eq!(store.hold(&keys(), token(1), hold).await, Ok(true));
        let put = store.put("k", token(1), entry(7), TTL).await;
        assert_eq!(put, Ok(Put::Stored));
        assert_eq!(store.get("k").await, Ok(Some(entry(7))));
        subject.assert_ttl("k", TTL);
    }
}

async fn a_put_sent_twice_stores_its_value_once(subject: Subject) {
    let store = &subject.store;
    let put = || store.put("k", token(1), entry(7), TTL);
    store.begin(&keys(), token(1), LONG).await.unwrap();
    assert_eq!(put().await, Ok(Put::Stored));
    assert_eq!(put().await, Ok(Put::Stored));
    assert_eq!(store.get("k").await, Ok(Some(entry(7))));
    // Invalidated in between, it does not come back.
    store.invalidate_guarded(&keys(), None).await.unwrap();
    assert_eq!(put().await, Ok(Put::Lapsed));
    assert_eq!(store.get("k").await, Ok(None));
}

async fn a_put_after_anybody_interfered_is_an_end(subject: Subject) {
    let store = &subject.store;
    let put = || store.put("k", token(1), entry(7), TTL);
    store.begin(&keys(), token(1), LONG).await.unwrap();
    store.invalidate_guarded(&keys(), None).await.unwrap();
    assert_eq!(put().await, Ok(Put::Ended));
    assert_eq!(store.get("k").await, Ok(None));
    // Another writer that came and went.
    store.begin(&keys(), token(1), LONG).await.unwrap();
    store.begin(&keys(), token(2), LONG).await.unwrap();
    store.end(&keys(), token(2), None).await.unwrap();
    assert_eq!(put().await, Ok(Put::Ended));
    assert_eq!(store.get("k").await, Ok(None));
    // A hold-off: not even this value is to be stored yet.
    store.invalidate_guarded(&keys(), Some(LONG)).await.unwrap();
    store.begin(&keys(), token(1), LONG).await.unwrap();
    assert_eq!(put().await, Ok(Put::Ended));
    subject.assert_barred("k").await;
}

async fn a_put_beside_another_writer_leaves_its_tombstone(subject: Subject) {
    let store = &subject.store;
    store.begin(&keys(), token(1), LONG).await.unwrap();
    store.begin(&keys(), token(2), LONG).await.unwrap();
    let first = store.put("k", token(1), entry(7), TTL).await;
    assert_eq!(first, Ok(Put::Ended));
    subject.assert_barred("k").await;
    assert_eq!(subject.writers("k").await, [2]);
    // Whose commit came last nobody knows.
    let second = store.put("k", token(2), entry(8), TTL).await;
    assert_eq!(second, Ok(Put::Ended));
    assert_eq!(store.get("k").await, Ok(None));
}

async fn a_put_without_its_tombstone_removes_what_stands(subject: Subject) {
    let store = &subject.store;
    store.seize("value", entry(6), TTL).await.unwrap();
    store.acquire("lease", lease(6), TTL).await.unwrap();
    subject.plant("foreign", b"hello");
    for key in ["absent", "value", "lease", "foreign"] {
        let put = store.put(key, token(1), entry(7), TTL).await;
        assert_eq!(put, Ok(Put::Lapsed), "{key}");
        assert_eq!(store.get(key).await, Ok(None));
    }
    // So does one whose hold has run out and whose place another has taken.
    store.begin(&keys(), token(1), SHORT).await.unwrap();
    tokio::time::sleep(2 * SHORT).await;
    store.begin(&keys(), token(2), TTL).await.unwrap();
    let late = store.put("k", token(1), entry(7), TTL).await;
    assert_eq!(late, Ok(Put::Lapsed));
    assert!(subject.is_tainted("k").await);
    assert_eq!(subject.writers("k").await, [2]);
}

async fn an_invalidation_spares_the_tombstone_of_a_writer(subject: Subject) {
    let store = &subject.store;
    store.begin(&keys(), token(1), LONG).await.unwrap();
    for _ in 0..2 {
        assert_eq!(store.invalidate_guarded(&keys(), None).await, Ok(()));
        subject.assert_barred("k").await;
        assert!(subject.is_tainted("k").await);
        subject.assert_ttl("k", LONG);
    }
    assert_eq!(store.end(&keys(), token(1), None).await, Ok(true));
    assert_eq!(store.get("k").await, Ok(None));
}

async fn an_invalidation_removes_everything_else(subject: Subject) {
    let store = &subject.store;
    store.seize("value", entry(7), TTL).await.unwrap();
    store.acquire("lease", lease(7), TTL).await.unwrap();
    subject.plant("foreign", b"hello");
    let keys = ["absent", "value", "lease", "foreign"].map(str::to_owned);
    assert_eq!(store.invalidate_guarded(&keys, None).await, Ok(()));
    for key in &keys {
        assert_eq!(store.get(key).await, Ok(None));
    }
    let filled = store.fill("lease", token(7), entry(8), TTL).await;
    assert_eq!(filled, Ok(false));
}

async fn a_hold_off_bars_the_key_until_it_is_over(subject: Subject) {
    let store = &subject.store;
    store.seize("value", entry(7), TTL).await.unwrap();
    for key in ["absent", "value"] {
        let keys = [key.to_owned()];
        let invalidated = store.invalidate_guarded(&keys, Some(LONG)).await;
        assert_eq!(invalidated, Ok(()));
        assert!(subject.tombstone(key).await.unwrap().has_hold_off());
        assert!(subject.writers(key).await.is_empty());
        assert_eq!(store.seize(key, lease(9), TTL).await, Ok(false));
    }
    store.seize("short value", entry(7), TTL).await.unwrap();
    for key in ["short absent", "short value"] {
        let keys = [key.to_owned()];
        let invalidated = store.invalidate_guarded(&keys, Some(SHORT)).await;
        assert_eq!(invalidated, Ok(()));
        tokio::time::sleep(2 * SHORT).await;
        assert_eq!(store.acquire(key, lease(9), TTL).await, Ok(None));
    }
}

async fn a_hold_off_is_extended_and_never_shortened(subject: Subject) {
    let store = &subject.store;
    for (hold_off, left) in [
        (Some(TTL), TTL),
        (Some(LONG), LONG),
        (Some(TTL), LONG),
        (None, LONG),
    ] {
        let invalidated = store.invalidate_guarded(&keys(), hold_off).await;
        assert_eq!(invalidated, Ok(()));
        subject.assert_barred("k").await;
        subject.assert_ttl("k", left);
    }
}

async fn a_writer_and_a_hold_off_outlive_each_other(subject: Subject) {
    let store = &subject.store;
    store.begin(&keys(), token(1), LONG).await.unwrap();
    let invalidated = store.invalidate_guarded(&keys(), Some(TTL)).await;
    assert_eq!(invalidated, Ok(()));
    subject.assert_ttl("k", LONG);
    assert_eq!(store.end(&keys(), token(1), None).await, Ok(true));
    subject.assert_barred("k").await;
    subject.assert_ttl("k", TTL);
    // A writer with a hold-off of its own, over the one that stands.
    store.begin(&keys(), token(2), TTL).await.unwrap();
    assert_eq!(store.end(&keys(), token(2), Some(LONG)).await, Ok(true));
    assert!(subject.writers("k").await.is_empty());
    subject.assert_barred("k").await;
    subject.assert_ttl("k", LONG);
}

async fn a_writer_is_held_while_it_is_there(subject: Subject) {
    let store = &subject.store;
    let hold = |writer, time| {
        let keys = keys();
        async move { store.hold(&keys, token(writer), time).await }
    };
    assert_eq!(hold(1, TTL).await, Ok(false), "nothing stands");
    store.seize("k", entry(7), TTL).await.unwrap();
    assert_eq!(hold(1, LONG).await, Ok(false));
    assert_eq!(store.get("k").await, Ok(Some(entry(7))));
    store.begin(&keys(), token(1), TTL).await.unwrap();
    assert_eq!(hold(1, LONG).await, Ok(true));
    subject.assert_ttl("k", LONG);
    assert_eq!(hold(1, TTL).await, Ok(true));
    subject.assert_ttl("k", LONG);
    assert_eq!(hold(2, LONG).await, Ok(false), "another writer");
    store.end(&keys(), token(1), None).await.unwrap();
    // A heartbeat that comes late brings nothing back.
    assert_eq!(hold(1, LONG).await, Ok(false));
    assert_eq!(store.get("k").await, Ok(None));
}

async fn a_writer_that_does_not_end_bars_the_key_until_its_deadline(subject: Subject) {
    let store = &subject.store;
    store.begin(&keys(), token(1), SHORT).await.unwrap();
    tokio::time::sleep(2 * SHORT).await;
    assert_eq!(store.get("k").await, Ok(None));
    assert_eq!(store.hold(&keys(), token(1), TTL).await, Ok(false));
    assert_eq!(store.acquire("k", lease(2), TTL).await, Ok(None));
}

async fn a_tombstone_outlives_the_deadline_of_one_of_its_writers(subject: Subject) {
    let store = &subject.store;
    store.begin(&keys(), token(1), SHORT).await.unwrap();
    store.begin(&keys(), token(2), TTL).await.unwrap();
    tokio::time::sleep(2 * SHORT).await;
    subject.assert_barred("k").await;
    assert_eq!(subject.writers("k").await, [2]);
    assert_eq!(store.hold(&keys(), token(1), TTL).await, Ok(false));
    assert_eq!(store.end(&keys(), token(1), None).await, Ok(false));
    subject.assert_barred("k").await;
    assert_eq!(store.end(&keys(), token(2), None).await, Ok(true));
    assert_eq!(store.get("k").await, Ok(None));
}

async fn more_writers_than_a_tombstone_can_hold_are_refused(subject: Subject) {
    let store = &subject.store;
    // Planted, since thousands of steps that each rewrite it take their time.
    let mut full = Tombstone::default();
    let deadline = store.now_ms("k") + 60_000;
    for _ in 0..MOST_WRITERS {
        assert!(full.begin(Token::next(), deadline));
    }
    let (bytes, _) = full.entry(token(1), store.now_ms("k")).unwrap();
    subject.plant("k", &bytes);
    let code = "FULL".to_owned();
    let refused = Err(crate::error::StoreError::Server { code });
    assert_eq!(store.begin(&keys(), token(1), TTL).await, refused);
    assert_eq!(subject.tombstone("k").await, Some(full));
    assert_eq!(store.invalidate_guarded(&keys(), Some(TTL)).await, Ok(()));
    subject.assert_barred("k").await;
}

async fn of_several_keys_each_has_its_own_tombstone(subject: Subject) {
    let store = &subject.store;
    let all = ["a", "b", "c"].map(str::to_owned);
    store.begin(&all[1..2], token(2), TTL).await.unwrap();
    assert_eq!(store.begin(&all, token(1), TTL).await, Ok(()));
    assert_eq!(subject.writers("b").await, [2, 1]);
    assert!(subject.is_tainted("b").await && !subject.is_tainted("a").await);
    assert_eq!(store.hold(&all, token(1), LONG).await, Ok(true));
    for key in &all {
        subject.assert_barred(key).await;
        subject.assert_ttl(key, LONG);
    }
    assert_eq!(store.end(&all[..1], token(1), None).await, Ok(true));
    assert_eq!(store.hold(&all, token(1), LONG).await, Ok(false));
    assert_eq!(store.end(&all, token(1), None).await, Ok(false));
    assert_eq!(subject.writers("b").await, [2]);
    for key in ["a", "c"] {
        assert_eq!(store.get(key).await, Ok(None));
    }
}

async fn steps_on_no_keys_do_nothing(subject: Subject) {
    let store = &subject.store;
    assert_eq!(store.begin(&[], token(1), TTL).await, Ok(()));
    assert_eq!(store.hold(&[], token(1), TTL).await, Ok(true));
    assert_eq!(store.end(&[], token(1), None).await, Ok(true));
    assert_eq!(store.invalidate_guarded(&[], Some(TTL)).await, Ok(()));
}

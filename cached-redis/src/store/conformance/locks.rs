//! What every store must do with locks.

use super::*;
use crate::wire::lock::Grant;

suite! {
    a_free_lock_is_granted_to_one
    a_repetition_is_granted_the_same_number_for_longer
    numbers_grow_with_every_grant
    numbers_grow_though_the_record_was_lost
    only_its_holder_extends_and_frees_a_lock
    a_lock_that_is_not_extended_goes_on_to_the_next_one
    the_number_outlives_the_lock
    of_many_who_ask_at_once_one_is_granted_the_lock
    foreign_bytes_are_no_lock_and_are_left_alone
    lives_are_cut_to_what_a_lock_can_hold
}

const SHORT: Duration = Duration::from_millis(40);
const REMEMBERED: Duration = Duration::from_secs(60 * 60);

/// The number that `holder` is granted.
async fn granted(store: &AnyStore, holder: u8, life: Duration) -> u64 {
    match store.lock("k", token(holder), life).await {
        Ok(Grant::Ours(number)) => number,
        other => panic!("{other:?}"),
    }
}

/// For how long somebody else holds the lock.
async fn refused(store: &AnyStore, holder: u8) -> Duration {
    match store.lock("k", token(holder), TTL).await {
        Ok(Grant::Theirs(left)) => left,
        other => panic!("{other:?}"),
    }
}

async fn a_free_lock_is_granted_to_one(subject: Subject) {
    let store = &subject.store;
    assert!(granted(store, 1, TTL).await > 0);
    let left = refused(store, 2).await;
    assert!(left <= TTL && left + TTL / 6 > TTL, "{left:?}");
    assert_eq!(store.unlock("k", token(1)).await, Ok(true));
    granted(store, 2, TTL).await;
    refused(store, 1).await;
}

async fn a_repetition_is_granted_the_same_number_for_longer(subject: Subject) {
    let store = &subject.store;
    let number = granted(store, 1, TTL).await;
    assert_eq!(granted(store, 1, LONG).await, number);
    assert!(refused(store, 2).await > TTL);
}

async fn numbers_grow_with_every_grant(subject: Subject) {
    let store = &subject.store;
    let mut last = 0;
    for holder in 0..100 {
        let number = granted(store, holder, TTL).await;
        assert!(number > last, "{number} after {last}");
        assert_eq!(store.unlock("k", token(holder)).await, Ok(true));
        last = number;
    }
}

async fn numbers_grow_though_the_record_was_lost(subject: Subject) {
    let store = &subject.store;
    let before = granted(store, 1, TTL).await;
    store.invalidate(&["k".to_owned()]).await.unwrap();
    // Of another µs: a store that lost its record took longer than that.
    tokio::time::sleep(Duration::from_millis(2)).await;
    let after = granted(store, 2, TTL).await;
    assert!(after > before, "{after} after {before}");
}

async fn only_its_holder_extends_and_frees_a_lock(subject: Subject) {
    let store = &subject.store;
    for free in [true, false] {
        assert_eq!(store.extend_lock("k", token(2), LONG).await, Ok(false));
        assert_eq!(store.unlock("k", token(2)).await, Ok(false));
        if free {
            granted(store, 1, TTL).await;
        }
    }
    assert_eq!(store.extend_lock("k", token(1), LONG).await, Ok(true));
    assert!(refused(store, 2).await > TTL);
    assert_eq!(store.unlock("k", token(1)).await, Ok(true));
    assert_eq!(store.unlock("k", token(1)).await, Ok(false));
    assert_eq!(store.extend_lock("k", token(1), LONG).await, Ok(false));
}

async fn a_lock_that_is_not_extended_goes_on_to_the_next_one(subject: Subject) {
    let store = &subject.store;
    let before = granted(store, 1, SHORT).await;
    tokio::time::sleep(SHORT * 2).await;
    assert_eq!(store.extend_lock("k", token(1), TTL).await, Ok(false));
    assert!(granted(store, 2, TTL).await > before);
    assert_eq!(store.unlock("k", token(1)).await, Ok(false));
    refused(store, 3).await;
}

async fn the_number_outlives_the_lock(subject: Subject) {
    let store = &subject.store;
    granted(store, 1, TTL).await;
    subject.assert_ttl("k", TTL + REMEMBERED);
    store.extend_lock("k", token(1), LONG).await.unwrap();
    subject.assert_ttl("k", LONG + REMEMBERED);
    store.unlock("k", token(1)).await.unwrap();
    subject.assert_ttl("k", REMEMBERED);
}

async fn of_many_who_ask_at_once_one_is_granted_the_lock(subject: Subject) {
    let store = Arc::new(subject.store);
    let rush = (0..50).map(|holder| {
        let store = store.clone();
        tokio::spawn(async move { store.lock("k", token(holder), TTL).await.unwrap() })
    });
    let rush: Vec<_> = rush.collect();
    let mut granted = 0;
    for caller in rush {
        granted += usize::from(matches!(caller.await.unwrap(), Grant::Ours(_)));
    }
    assert_eq!(granted, 1);
}

async fn foreign_bytes_are_no_lock_and_are_left_alone(subject: Subject) {
    let store = &subject.store;
    for foreign in [entry(1), lease(2), Bytes::from_static(b"hello")] {
        subject.plant("k", &foreign);
        let asked = store.lock("k", token(1), TTL).await;
        assert_eq!(asked, Err(crate::error::StoreError::WrongType));
        assert_eq!(store.extend_lock("k", token(1), TTL).await, Ok(false));
        assert_eq!(store.unlock("k", token(1)).await, Ok(false));
        assert_eq!(store.get("k").await, Ok(Some(foreign)));
    }
}

async fn lives_are_cut_to_what_a_lock_can_hold(subject: Subject) {
    let store = &subject.store;
    granted(store, 1, Duration::MAX).await;
    let extended = store.extend_lock("k", token(1), Duration::MAX).await;
    assert_eq!(extended, Ok(true));
    assert!(refused(store, 2).await > LONG);
    assert_eq!(store.unlock("k", token(1)).await, Ok(true));
}

//! The steps on many keys.

use super::{LONG, Subject, TTL, entry, lease, token};
use crate::error::StoreError;
use crate::store::Store as _;
use crate::store::many::{Asked, Filling, Granted, MOST};

suite! {
    many_keys_are_read_in_their_order
    more_keys_than_a_command_may_name_are_read_all_the_same
    leases_are_granted_key_by_key
    dead_entries_are_taken_over_beside_absent_ones
    fills_win_key_by_key
    leases_are_extended_and_released_key_by_key
    many_leases_are_seized_at_once
    no_keys_are_no_trouble
}

fn names(keys: &[&str]) -> Vec<String> {
    keys.iter().map(|key| (*key).to_owned()).collect()
}

fn asked(key: &str) -> Asked {
    Asked {
        key: key.to_owned(),
        over: None,
    }
}

fn filling(key: &str, holder: u8, new: u8) -> Filling {
    Filling {
        key: key.to_owned(),
        token: token(holder),
        entry: entry(new),
        ttl: LONG,
    }
}

async fn many_keys_are_read_in_their_order(subject: Subject) {
    let store = &subject.store;
    store.seize("a", entry(1), TTL).await.unwrap();
    store.seize("c", entry(3), TTL).await.unwrap();
    assert_eq!(
        store.get_all(&["c", "b", "a", "c"]).await,
        Ok(vec![Some(entry(3)), None, Some(entry(1)), Some(entry(3))])
    );
}

async fn more_keys_than_a_command_may_name_are_read_all_the_same(subject: Subject) {
    let store = &subject.store;
    let keys: Vec<_> = (0..2 * MOST + 1).map(|key| key.to_string()).collect();
    let wanted: Vec<_> = keys.iter().map(|key| asked(key)).collect();
    let answers = store.acquire_all(&wanted, lease(1), TTL).await;
    assert_eq!(answers, vec![Ok(Granted::Yes); keys.len()]);
    let fills: Vec<_> = keys.iter().map(|key| filling(key, 1, 2)).collect();
    assert_eq!(store.fill_all(&fills).await, vec![Ok(true); keys.len()]);
    let keys: Vec<_> = keys.iter().map(String::as_str).collect();
    let entries = store.get_all(&keys).await;
    assert_eq!(entries, Ok(vec![Some(entry(2)); keys.len()]));
}

async fn leases_are_granted_key_by_key(subject: Subject) {
    let store = &subject.store;
    store.seize("b", entry(9), TTL).await.unwrap();
    let wanted = [asked("a"), asked("b"), asked("c")];
    let answers = store.acquire_all(&wanted, lease(1), LONG).await;
    let taken = Ok(Granted::No(Some(entry(9))));
    assert_eq!(answers, [Ok(Granted::Yes), taken, Ok(Granted::Yes)]);
    subject.assert_ttl("a", LONG);
    subject.assert_ttl("b", TTL);
    // A repetition finds its own leases.
    let answers = store.acquire_all(&wanted[..1], lease(1), LONG).await;
    assert_eq!(answers, [Ok(Granted::No(Some(lease(1))))]);
}

async fn dead_entries_are_taken_over_beside_absent_ones(subject: Subject) {
    let store = &subject.store;
    store.seize("dead", entry(1), TTL).await.unwrap();
    store.seize("other", entry(2), TTL).await.unwrap();
    subject.plant("foreign", b"hello");
    let over = |key: &str, seen| Asked {
        key: key.to_owned(),
        over: Some(seen),
    };
    let wanted = [
        asked("absent"),
        over("dead", entry(1)),
        asked("dead"),
        over("other", entry(1)),
        over("foreign", b"hello"[..].into()),
        over("gone", entry(1)),
    ];
    let answers = store.acquire_all(&wanted, lease(5), TTL).await;
    let [first, dead, asked_for, others @ ..] = &answers[..] else {
        unreachable!()
    };
    assert_eq!((first, dead), (&Ok(Granted::Yes), &Ok(Granted::Yes)));
    assert!(matches!(asked_for, Ok(Granted::No(Some(_)))));
    let no = Ok(Granted::No(None));
    assert_eq!(others, [no.clone(), Ok(Granted::Yes), no]);
    let standing = store.get_all(&["dead", "other", "foreign", "gone"]).await;
    let expected = vec![Some(lease(5)), Some(entry(2)), Some(lease(5)), None];
    assert_eq!(standing, Ok(expected));
}

async fn fills_win_key_by_key(subject: Subject) {
    let store = &subject.store;
    let wanted = [asked("a"), asked("b"), asked("c")];
    store.acquire_all(&wanted, lease(1), TTL).await;
    store.invalidate(&names(&["b"])).await.unwrap();
    store.seize("e", entry(7), TTL).await.unwrap();
    let fills = [
        filling("a", 1, 2),
        filling("b", 1, 3),
        filling("c", 8, 4),
        filling("e", 7, 5),
    ];
    let won = [Ok(true), Ok(false), Ok(false), Ok(true)];
    for _ in 0..2 {
        assert_eq!(store.fill_all(&fills).await, won, "also when repeated");
    }
    subject.assert_ttl("a", LONG);
    let standing = store.get_all(&["a", "b", "c", "e"]).await;
    let expected = vec![Some(entry(2)), None, Some(lease(1)), Some(entry(5))];
    assert_eq!(standing, Ok(expected));
}

async fn leases_are_extended_and_released_key_by_key(subject: Subject) {
    let store = &subject.store;
    store
        .acquire_all(&[asked("a"), asked("b")], lease(1), TTL)
        .await;
    store.seize("c", lease(2), TTL).await.unwrap();
    let keys = names(&["a", "c", "d", "b"]);
    let own = [Ok(true), Ok(false), Ok(false), Ok(true)];
    assert_eq!(store.extend_all(&keys, token(1), LONG).await, own);
    subject.assert_ttl("a", LONG);
    subject.assert_ttl("c", TTL);
    assert_eq!(store.release_all(&keys, token(1)).await, own);
    let standing = store.get_all(&["a", "b", "c"]).await;
    assert_eq!(standing, Ok(vec![None, None, Some(lease(2))]));
}

async fn many_leases_are_seized_at_once(subject: Subject) {
    let store = &subject.store;
    store.seize("a", entry(1), TTL).await.unwrap();
    store.begin(&names(&["b"]), token(9), TTL).await.unwrap();
    let keys = names(&["a", "b", "c"]);
    let seized = store.seize_all(&keys, lease(3), LONG).await;
    assert_eq!(seized, [Ok(true), Ok(false), Ok(true)]);
    subject.assert_ttl("a", LONG);
    assert_eq!(store.get("c").await, Ok(Some(lease(3))));
}

async fn no_keys_are_no_trouble(subject: Subject) {
    let store = &subject.store;
    assert_eq!(store.get_all(&[]).await, Ok(Vec::new()));
    assert_eq!(store.acquire_all(&[], lease(1), TTL).await, []);
    assert_eq!(store.fill_all(&[]).await, []);
    let none: Vec<Result<bool, StoreError>> = Vec::new();
    assert_eq!(store.release_all(&[], token(1)).await, none);
}

//! What every store must do with queues of writes, and with what is pending of them.

use super::*;
use crate::error::StoreError;
use crate::store::Put;
use crate::store::queue::{Accepted, BEHIND, Depth, Offer, Partition, Queued, Taken};
use crate::wire::lock::Grant;

suite! {
    what_is_accepted_is_pending_and_waits_in_its_order
    only_its_owner_is_given_what_waits_and_again_until_it_was_applied
    the_end_of_a_write_removes_what_is_pending_of_it_and_nothing_later
    the_end_of_a_write_removes_what_stands_where_its_own_was_gone
    no_step_takes_the_place_of_what_is_pending
    a_queue_that_is_full_and_a_key_that_is_barred_accept_nothing
    a_queue_whose_oldest_write_waits_for_too_long_accepts_nothing
    a_dead_letter_takes_the_later_writes_of_its_key_with_it_and_no_others
    dead_letters_go_back_in_their_order_under_new_numbers
    dead_letters_are_forgotten_one_by_one_and_the_last_takes_what_is_pending
    more_dead_letters_than_there_may_be_stay_where_they_are
    numbers_rise_though_the_queue_was_empty
}

const K: &str = "ns:{q}:k";
const L: &str = "ns:{q}:l";

fn at() -> Partition {
    Partition::new("ns", "q", 3)
}

fn pending(number: u8) -> Bytes {
    let mut bytes = envelope(b'P', number, b"\0\r\n\xFF").to_vec();
    bytes[2] = 1;
    bytes.into()
}

async fn offer(subject: &Subject, key: &str, number: u8) -> Accepted {
    offer_within(subject, key, number, None).await
}

async fn offer_within(
    subject: &Subject,
    key: &str,
    number: u8,
    most_lag: Option<Duration>,
) -> Accepted {
    let offer = Offer {
        key,
        entry: pending(number),
        function: "shop::save",
        arguments: Bytes::from(vec![number, 0, 0xFF, b'\n']),
        most: 4,
        most_dead: 3,
        most_lag,
    };
    subject.store.enqueue(&at(), &offer).await.unwrap()
}

async fn owned(subject: &Subject) -> Token {
    let owner = token(99);
    let granted = subject.store.lock(&at().owner, owner, LONG).await;
    assert!(matches!(granted, Ok(Grant::Ours(_))));
    owner
}

/// What the owner is given next, which is then at its end.
async fn applied(subject: &Subject) -> Option<u8> {
    match subject
        .store
        .take(&at(), owned(subject).await)
        .await
        .unwrap()
    {
        Taken::Write(write, _) => {
            assert!(subject.store.finish(&at(), &write).await.unwrap());
            Some(write.arguments[0])
        }
        other => {
            assert_eq!(other, Taken::Nothing);
            None
        }
    }
}

async fn first(subject: &Subject) -> Queued {
    match subject.store.take(&at(), owned(subject).await).await {
        Ok(Taken::Write(write, _)) => write,
        other => panic!("{other:?}"),
    }
}

async fn stands(subject: &Subject, key: &str) -> Option<Bytes> {
    subject.store.get(key).await.unwrap()
}

async fn what_is_accepted_is_pending_and_waits_in_its_order(subject: Subject) {
    for (key, number) in [(K, 1), (L, 2), (K, 3)] {
        assert_eq!(offer(&subject, key, number).await, Accepted::Yes);
        assert_eq!(stands(&subject, key).await, Some(pending(number)));
    }
    if subject.server.is_some() {
        let left = subject.command(K, &[b"PTTL", K.as_bytes()]);
        assert_eq!(left, ":-1", "it has no time to live");
    }
    let write = first(&subject).await;
    assert_eq!(write.key, K);
    assert_eq!(write.token, token(1));
    assert_eq!(write.function, "shop::save");
    assert_eq!(write.arguments[..], [1, 0, 0xFF, b'\n']);
    let depth = subject.store.depth(&at()).await.unwrap();
    assert_eq!((depth.queued, depth.dead), (3, 0));
    let since = depth
        .oldest_ms
        .map(|ms| ms.abs_diff(subject.store.now_ms(K)));
    assert!(since.is_none_or(|since| since < 10_000), "{depth:?}");
    let mut order = Vec::new();
    while let Some(number) = applied(&subject).await {
        order.push(number);
    }
    assert_eq!(order, [1, 2, 3]);
    assert_eq!(subject.store.depth(&at()).await, Ok(Depth::default()));
}

async fn only_its_owner_is_given_what_waits_and_again_until_it_was_applied(subject: Subject) {
    let store = &subject.store;
    offer(&subject, K, 1).await;
    assert_eq!(store.take(&at(), token(1)).await, Ok(Taken::NotOwner));
    let owner = owned(&subject).await;
    assert_eq!(store.take(&at(), token(1)).await, Ok(Taken::NotOwner));
    for times in 1..4 {
        let taken = store.take(&at(), owner).await.unwrap();
        let Taken::Write(write, tries) = taken else {
            panic!("{taken:?}")
        };
        assert_eq!((write.arguments[0], tries), (1, times));
    }
    let write = first(&subject).await;
    assert_eq!(store.finish(&at(), &write).await, Ok(true));
    assert_eq!(store.take(&at(), owner).await, Ok(Taken::Nothing));
    store.unlock(&at().owner, owner).await.unwrap();
    assert_eq!(store.take(&at(), owner).await, Ok(Taken::NotOwner));
}

async fn the_end_of_a_write_removes_what_is_pending_of_it_and_nothing_later(subject: Subject) {
    offer(&subject, K, 1).await;
    let one = first(&subject).await;
    offer(&subject, K, 2).await;
    assert_eq!(subject.store.finish(&at(), &one).await, Ok(true));
    assert_eq!(stands(&subject, K).await, Some(pending(2)));
    let two = first(&subject).await;
    assert_eq!(subject.store.finish(&at(), &two).await, Ok(true));
    assert_eq!(stands(&subject, K).await, None);
    // A repetition does nothing.
    subject.store.acquire(K, lease(3), TTL).await.unwrap();
    assert_eq!(subject.store.finish(&at(), &two).await, Ok(false));
    assert_eq!(stands(&subject, K).await, Some(lease(3)));
}

async fn the_end_of_a_write_removes_what_stands_where_its_own_was_gone(subject: Subject) {
    let store = &subject.store;
    for planted in [entry(7), lease(7), Bytes::from_static(b"foreign")] {
        offer(&subject, K, 1).await;
        subject.plant(K, &planted);
        assert_eq!(applied(&subject).await, Some(1));
        assert_eq!(stands(&subject, K).await, None);
    }
    offer(&subject, K, 1).await;
    store.invalidate(&[K.to_owned()]).await.unwrap();
    store.begin(&[K.to_owned()], token(8), TTL).await.unwrap();
    assert_eq!(applied(&subject).await, Some(1));
    assert_eq!(store.end(&[K.to_owned()], token(8), None).await, Ok(true));
}

async fn no_step_takes_the_place_of_what_is_pending(subject: Subject) {
    let store = &subject.store;
    offer(&subject, K, 1).await;
    let (keys, own) = ([K.to_owned()], token(1));
    assert_eq!(store.acquire(K, lease(2), TTL).await, Ok(Some(pending(1))));
    assert_eq!(
        store.acquire_over(K, pending(1), lease(2), TTL).await,
        Ok(false)
    );
    assert_eq!(store.seize(K, lease(2), TTL).await, Ok(false));
    assert_eq!(store.extend(K, own, TTL).await, Ok(false));
    assert_eq!(store.fill(K, own, entry(2), TTL).await, Ok(false));
    assert_eq!(store.release(K, own).await, Ok(false));
    let begun = store.begin(&keys, token(3), TTL).await;
    assert!(
        begun.as_ref().is_err_and(StoreError::is_pending),
        "{begun:?}"
    );
    assert_eq!(store.hold(&keys, token(3), TTL).await, Ok(false));
    assert_eq!(store.put(K, token(3), entry(2), TTL).await, Ok(Put::Lapsed));
    assert_eq!(store.end(&keys, token(3), None).await, Ok(true));
    assert_eq!(store.end(&keys, token(3), Some(TTL)).await, Ok(true));
    assert_eq!(store.invalidate_guarded(&keys, None).await, Ok(()));
    assert_eq!(store.invalidate_guarded(&keys, Some(TTL)).await, Ok(()));
    assert_eq!(stands(&subject, K).await, Some(pending(1)));
    // One that knows nothing of it is not sent where there may be some.
    store.invalidate(&keys).await.unwrap();
    assert_eq!(stands(&subject, K).await, None);
}

async fn a_queue_that_is_full_and_a_key_that_is_barred_accept_nothing(subject: Subject) {
    let store = &subject.store;
    let keys = [L.to_owned()];
    store.begin(&keys, token(8), TTL).await.unwrap();
    assert_eq!(offer(&subject, L, 9).await, Accepted::Barred);
    assert_eq!(store.end(&keys, token(8), None).await, Ok(true));
    for number in 1..5 {
        assert_eq!(offer(&subject, K, number).await, Accepted::Yes);
    }
    assert_eq!(offer(&subject, K, 5).await, Accepted::Full);
    assert_eq!(offer(&subject, L, 6).await, Accepted::Full);
    assert_eq!(stands(&subject, K).await, Some(pending(4)));
    assert_eq!(stands(&subject, L).await, None);
    assert_eq!(applied(&subject).await, Some(1));
    assert_eq!(offer(&subject, L, 7).await, Accepted::Yes);
    assert_eq!(store.depth(&at()).await.unwrap().queued, 4);
}

async fn a_queue_whose_oldest_write_waits_for_too_long_accepts_nothing(subject: Subject) {
    let lag = Some(Duration::from_millis(1));
    assert_eq!(offer_within(&subject, K, 1, lag).await, Accepted::Yes);
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(offer_within(&subject, L, 2, lag).await, Accepted::Late);
    assert_eq!(stands(&subject, L).await, None);
    assert_eq!(
        offer_within(&subject, L, 3, Some(LONG)).await,
        Accepted::Yes
    );
    assert_eq!(applied(&subject).await, Some(1));
    assert_eq!(applied(&subject).await, Some(3));
    assert_eq!(offer_within(&subject, L, 4, lag).await, Accepted::Yes);
}

/// `K` has the dead letters 1, 3 and 4.
async fn with_dead_letters(subject: &Subject) {
    for (key, number) in [(K, 1), (L, 2), (K, 3)] {
        assert_eq!(offer(subject, key, number).await, Accepted::Yes);
    }
    let write = first(subject).await;
    assert_eq!(
        subject.store.bury(&at(), write.number, "failed", 9).await,
        Ok(Some(2))
    );
    assert_eq!(
        subject.store.bury(&at(), write.number, "failed", 9).await,
        Ok(Some(0))
    );
    assert_eq!(offer(subject, K, 4).await, Accepted::Yes);
    assert_eq!(stands(subject, K).await, Some(pending(4)));
}

async fn dead(subject: &Subject) -> Vec<(u8, String)> {
    let letters = subject.store.dead(&at(), 100).await.unwrap();
    let letters = letters.into_iter();
    letters
        .map(|letter| (letter.write.arguments[0], letter.why))
        .collect()
}

async fn a_dead_letter_takes_the_later_writes_of_its_key_with_it_and_no_others(subject: Subject) {
    with_dead_letters(&subject).await;
    let letters = dead(&subject).await;
    let letters: Vec<_> = letters
        .iter()
        .map(|(number, why)| (*number, &**why))
        .collect();
    assert_eq!(letters, [(1, "failed"), (3, BEHIND), (4, BEHIND)]);
    assert_eq!(offer(&subject, K, 5).await, Accepted::Blocked);
    assert_eq!(stands(&subject, K).await, Some(pending(4)));
    assert_eq!(applied(&subject).await, Some(2));
    assert_eq!(offer(&subject, L, 6).await, Accepted::Yes);
    assert_eq!(applied(&subject).await, Some(6));
    assert_eq!(applied(&subject).await, None);
}

async fn dead_letters_go_back_in_their_order_under_new_numbers(subject: Subject) {
    with_dead_letters(&subject).await;
    assert_eq!(applied(&subject).await, Some(2));
    // The source may have seen this one.
    assert_eq!(offer(&subject, L, 6).await, Accepted::Yes);
    let last = first(&subject).await.number;
    assert_eq!(applied(&subject).await, Some(6));
    assert_eq!(subject.store.retry_dead(&at(), L).await, Ok(0));
    assert_eq!(subject.store.retry_dead(&at(), K).await, Ok(3));
    assert_eq!(
        offer(&subject, K, 5).await,
        Accepted::Yes,
        "nothing is held up"
    );
    assert!(first(&subject).await.number > last);
    for number in [1, 3, 4, 5] {
        assert!(stands(&subject, K).await.is_some());
        assert_eq!(applied(&subject).await, Some(number));
    }
    assert_eq!(stands(&subject, K).await, None);
    assert!(dead(&subject).await.is_empty());
}

async fn dead_letters_are_forgotten_one_by_one_and_the_last_takes_what_is_pending(
    subject: Subject,
) {
    with_dead_letters(&subject).await;
    let store = &subject.store;
    for left in [2, 1] {
        assert_eq!(store.drop_dead(&at(), K).await, Ok(true));
        assert_eq!(dead(&subject).await.len(), left);
        assert_eq!(stands(&subject, K).await, Some(pending(4)));
    }
    assert_eq!(store.drop_dead(&at(), K).await, Ok(true));
    assert_eq!(stands(&subject, K).await, None);
    assert_eq!(store.drop_dead(&at(), K).await, Ok(false));
    assert_eq!(offer(&subject, K, 5).await, Accepted::Yes);
    assert_eq!(applied(&subject).await, Some(2));
    assert_eq!(applied(&subject).await, Some(5));
}

async fn more_dead_letters_than_there_may_be_stay_where_they_are(subject: Subject) {
    for number in 1..4 {
        offer(&subject, K, number).await;
    }
    let write = first(&subject).await;
    assert_eq!(
        subject.store.bury(&at(), write.number, "failed", 2).await,
        Ok(None)
    );
    assert!(dead(&subject).await.is_empty());
    assert_eq!(applied(&subject).await, Some(1));
}

async fn numbers_rise_though_the_queue_was_empty(subject: Subject) {
    let mut last = 0;
    for number in 0..50 {
        offer(&subject, K, number).await;
        let write = first(&subject).await;
        assert!(write.number > last, "{} after {last}", write.number);
        last = write.number;
        assert_eq!(applied(&subject).await, Some(number));
    }
}

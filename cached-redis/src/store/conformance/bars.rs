//! What every store must do with bars.

use super::*;
use crate::error::StoreError;
use crate::store::Put;

suite! {
    a_fill_is_held_up_while_a_bar_stands_before_its_key
    a_written_value_is_not_stored_behind_a_bar
    a_bar_says_whether_it_stood
    each_of_several_bars_stands_for_itself
    a_bar_before_a_whole_hash_tag_holds_up_what_has_it
}

fn prefixes(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

async fn a_fill_is_held_up_while_a_bar_stands_before_its_key(subject: Subject) {
    let store = &subject.store;
    for (key, number) in [("ns:a:1", 1), ("ns:b:%w", 2), ("ns:c", 3)] {
        store.acquire(key, lease(number), TTL).await.unwrap();
    }
    let barred = prefixes(&["ns:a:", "ns:b:%w"]);
    store.bar(token(9), Some(TTL), &barred).await.unwrap();
    for (key, number) in [("ns:a:1", 1), ("ns:b:%w", 2)] {
        let filled = store.fill(key, token(number), entry(5), TTL).await;
        assert_eq!(filled, Err(StoreError::barred()), "{key}");
        assert_eq!(store.get(key).await, Ok(Some(lease(number))), "it stands");
    }
    assert_eq!(store.fill("ns:c", token(3), entry(5), TTL).await, Ok(true));
    assert_eq!(
        store.fill("ns:a:1", token(7), entry(6), TTL).await,
        Ok(false)
    );
    store.bar(token(9), None, &barred).await.unwrap();
    assert_eq!(
        store.fill("ns:a:1", token(1), entry(5), TTL).await,
        Ok(true)
    );
}

async fn a_written_value_is_not_stored_behind_a_bar(subject: Subject) {
    let store = &subject.store;
    let keys = prefixes(&["ns:a"]);
    store.begin(&keys, token(1), TTL).await.unwrap();
    store
        .bar(token(9), Some(TTL), &prefixes(&["ns:"]))
        .await
        .unwrap();
    let put = store.put("ns:a", token(1), entry(2), TTL).await;
    assert_eq!(put, Ok(Put::Ended));
    assert_eq!(store.get("ns:a").await, Ok(None));
}

async fn a_bar_says_whether_it_stood(subject: Subject) {
    let (store, all) = (&subject.store, prefixes(&["ns:"]));
    assert_eq!(store.bar(token(9), None, &all).await, Ok(false));
    assert_eq!(store.bar(token(9), Some(TTL), &all).await, Ok(false));
    assert_eq!(store.bar(token(9), Some(TTL), &all).await, Ok(true));
    assert_eq!(store.bar(token(9), None, &all).await, Ok(true));
    let moment = Duration::from_millis(1);
    store.bar(token(9), Some(moment), &all).await.unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(
        store.bar(token(9), None, &all).await,
        Ok(false),
        "it ran out"
    );
}

async fn each_of_several_bars_stands_for_itself(subject: Subject) {
    let store = &subject.store;
    store.acquire("ns:a", lease(1), TTL).await.unwrap();
    for (id, prefix) in [(8, "ns:a"), (9, "ns:")] {
        let raised = store.bar(token(id), Some(TTL), &prefixes(&[prefix])).await;
        assert_eq!(raised, Ok(false));
    }
    assert_eq!(
        store.bar(token(8), None, &prefixes(&["ns:a"])).await,
        Ok(true)
    );
    let filled = store.fill("ns:a", token(1), entry(5), TTL).await;
    assert_eq!(filled, Err(StoreError::barred()));
    assert_eq!(
        store.bar(token(9), None, &prefixes(&["ns:"])).await,
        Ok(true)
    );
    assert_eq!(store.fill("ns:a", token(1), entry(5), TTL).await, Ok(true));
}

async fn a_bar_before_a_whole_hash_tag_holds_up_what_has_it(subject: Subject) {
    let (store, one) = (&subject.store, prefixes(&["ns:{1}:"]));
    for (key, number) in [("ns:{1}:a", 1), ("ns:{2}:a", 2)] {
        store.acquire(key, lease(number), TTL).await.unwrap();
    }
    assert_eq!(store.bar(token(9), Some(TTL), &one).await, Ok(false));
    let filled = store.fill("ns:{1}:a", token(1), entry(5), TTL).await;
    assert_eq!(filled, Err(StoreError::barred()));
    assert_eq!(
        store.fill("ns:{2}:a", token(2), entry(5), TTL).await,
        Ok(true)
    );
    assert_eq!(store.bar(token(9), None, &one).await, Ok(true));
    assert_eq!(
        store.fill("ns:{1}:a", token(1), entry(5), TTL).await,
        Ok(true)
    );
}

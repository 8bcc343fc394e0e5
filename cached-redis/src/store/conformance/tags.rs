//! The steps on tags, and those that read several keys.

use super::*;
use crate::tag::Generation;

suite! {
    several_keys_are_read_in_their_order
    a_tag_gets_a_generation_once
    a_stamp_gives_the_generations_of_many_tags
    a_stamp_prolongs_a_life_and_never_shortens_it
    a_stamp_leaves_what_is_no_generation_alone
    an_invalidated_tag_gets_another_generation
    a_tombstone_takes_the_place_of_a_generation
}

fn generation(number: u8) -> Generation {
    Generation::read(&[number; 8]).unwrap()
}

fn tags(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

async fn several_keys_are_read_in_their_order(subject: Subject) {
    let store = &subject.store;
    store.seize("a", entry(1), TTL).await.unwrap();
    store.seize("c", entry(3), TTL).await.unwrap();
    let read = store.get_all(&["c", "b", "a", "c"]).await.unwrap();
    assert_eq!(read, [Some(entry(3)), None, Some(entry(1)), Some(entry(3))]);
    assert_eq!(store.get_all(&["b"]).await, Ok(vec![None]));
}

async fn a_tag_gets_a_generation_once(subject: Subject) {
    let store = &subject.store;
    let tag = tags(&["t"]);
    for new in [1, 2] {
        let stamp = store.stamp(&tag, generation(new), TTL).await;
        assert_eq!(stamp, Ok(vec![Some(generation(1))]));
    }
    let bytes = generation(1).bytes();
    assert_eq!(store.get("t").await, Ok(Some(bytes)));
    subject.assert_ttl("t", TTL);
}

async fn a_stamp_gives_the_generations_of_many_tags(subject: Subject) {
    let store = &subject.store;
    store
        .stamp(&tags(&["b"]), generation(1), TTL)
        .await
        .unwrap();
    let all = store
        .stamp(&tags(&["a", "b", "c"]), generation(2), TTL)
        .await;
    let expected = [2, 1, 2].map(|number| Some(generation(number)));
    assert_eq!(all.unwrap(), expected);
    assert_eq!(store.stamp(&[], generation(3), TTL).await, Ok(vec![]));
}

async fn a_stamp_prolongs_a_life_and_never_shortens_it(subject: Subject) {
    let store = &subject.store;
    let tag = tags(&["t"]);
    for (ttl, expected) in [(TTL, TTL), (LONG, LONG), (TTL, LONG)] {
        store.stamp(&tag, generation(1), ttl).await.unwrap();
        subject.assert_ttl("t", expected);
    }
}

async fn a_stamp_leaves_what_is_no_generation_alone(subject: Subject) {
    let store = &subject.store;
    for (key, bytes) in [("s", &b"short"[..]), ("e", b""), ("l", &entry(1))] {
        subject.plant(key, bytes);
        let stamp = store.stamp(&tags(&[key]), generation(1), LONG).await;
        assert_eq!(stamp, Ok(vec![None]));
        assert_eq!(store.get(key).await.unwrap().as_deref(), Some(bytes));
    }
}

async fn an_invalidated_tag_gets_another_generation(subject: Subject) {
    let store = &subject.store;
    let tag = tags(&["t"]);
    store.stamp(&tag, generation(1), TTL).await.unwrap();
    store.invalidate(&tag).await.unwrap();
    assert_eq!(store.get("t").await, Ok(None));
    let stamp = store.stamp(&tag, generation(2), TTL).await;
    assert_eq!(stamp, Ok(vec![Some(generation(2))]));
}

async fn a_tombstone_takes_the_place_of_a_generation(subject: Subject) {
    let store = &subject.store;
    let tag = tags(&["t"]);
    store.stamp(&tag, generation(1), TTL).await.unwrap();
    store.begin(&tag, token(1), TTL).await.unwrap();
    let barred = store.stamp(&tag, generation(2), TTL).await;
    assert_eq!(barred, Ok(vec![None]));
    store.end(&tag, token(1), None).await.unwrap();
    let stamp = store.stamp(&tag, generation(3), TTL).await;
    assert_eq!(stamp, Ok(vec![Some(generation(3))]));
}

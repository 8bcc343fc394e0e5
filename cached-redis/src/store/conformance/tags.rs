//! The steps on tags, and those that read several keys.

use super::*;
use crate::store::many::MOST;
use crate::wire::tag::Generation;

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

/// Tags, and the generations of those that have none: the given one, the next one, and so on.
fn tags(names: &[&str], first: u8) -> Vec<(String, Generation)> {
    let new = (first..).map(generation);
    let names = names.iter().map(|name| (*name).to_owned());
    names.zip(new).collect()
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
    for new in [1, 2] {
        let stamp = store.stamp(&tags(&["t"], new), TTL).await;
        assert_eq!(stamp, Ok(vec![Some(generation(1))]));
    }
    let stands = store.get("t").await.unwrap();
    assert_eq!(stands.as_deref(), Some(generation(1).bytes()));
    subject.assert_ttl("t", TTL);
}

async fn a_stamp_gives_the_generations_of_many_tags(subject: Subject) {
    let store = &subject.store;
    store.stamp(&tags(&["b"], 1), TTL).await.unwrap();
    let all = store.stamp(&tags(&["a", "b", "c"], 2), TTL).await;
    let expected = [2, 1, 4].map(|number| Some(generation(number)));
    assert_eq!(all.unwrap(), expected);
    assert_eq!(store.stamp(&[], TTL).await, Ok(vec![]));
    let many: Vec<_> = (0..2 * MOST + 1).map(|tag| tag.to_string()).collect();
    let many = many.into_iter().map(|tag| (tag, Generation::random()));
    let many: Vec<_> = many.collect();
    let stamp = store.stamp(&many, TTL).await.unwrap();
    assert!(stamp.into_iter().eq(many.iter().map(|(_, new)| Some(*new))));
}

async fn a_stamp_prolongs_a_life_and_never_shortens_it(subject: Subject) {
    let store = &subject.store;
    let tag = tags(&["t"], 1);
    for (ttl, expected) in [(TTL, TTL), (LONG, LONG), (TTL, LONG)] {
        store.stamp(&tag, ttl).await.unwrap();
        subject.assert_ttl("t", expected);
    }
}

async fn a_stamp_leaves_what_is_no_generation_alone(subject: Subject) {
    let store = &subject.store;
    for (key, bytes) in [("s", &b"short"[..]), ("e", b""), ("l", &entry(1))] {
        subject.plant(key, bytes);
        let stamp = store.stamp(&tags(&[key], 1), LONG).await;
        assert_eq!(stamp, Ok(vec![None]));
        assert_eq!(store.get(key).await.unwrap().as_deref(), Some(bytes));
    }
}

async fn an_invalidated_tag_gets_another_generation(subject: Subject) {
    let store = &subject.store;
    let tag = ["t".to_owned()];
    store.stamp(&tags(&["t"], 1), TTL).await.unwrap();
    store.invalidate(&tag).await.unwrap();
    assert_eq!(store.get("t").await, Ok(None));
    let stamp = store.stamp(&tags(&["t"], 2), TTL).await;
    assert_eq!(stamp, Ok(vec![Some(generation(2))]));
}

async fn a_tombstone_takes_the_place_of_a_generation(subject: Subject) {
    let store = &subject.store;
    let tag = ["t".to_owned()];
    store.stamp(&tags(&["t"], 1), TTL).await.unwrap();
    store.begin(&tag, token(1), TTL).await.unwrap();
    let barred = store.stamp(&tags(&["t"], 2), TTL).await;
    assert_eq!(barred, Ok(vec![None]));
    store.end(&tag, token(1), None).await.unwrap();
    let stamp = store.stamp(&tags(&["t"], 3), TTL).await;
    assert_eq!(stamp, Ok(vec![Some(generation(3))]));
}

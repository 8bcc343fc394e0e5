use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::protocol::flight::Place;
use crate::store::Watch as _;
use crate::wire::entry::{Header, Token};
use crate::wire::targets::Targets;

async fn in_memory() -> Arc<Inner> {
    let builder = crate::engine::handle::Cache::builder().url("memory://");
    builder.build().await.unwrap().inner
}

#[tokio::test]
async fn an_entry_seen_across_a_change_of_server_is_looked_up_again() {
    let inner = in_memory().await;
    let entry = Bytes::copy_from_slice(&Header::lease(Token::next()));
    let (header, _) = Header::parse(&entry).unwrap();
    let (tags, policy) = (Tags::default(), Policy::new());
    let mut lookup = Lookup::new(
        &inner,
        &crate::observe::registry::DIRECT,
        "k",
        &tags,
        &policy,
    );
    lookup.pass = inner.journal.pass("k").unwrap();
    let live = || Live::new(header, entry.clone());
    let stands =
        |lookup: &Lookup<'_>| matches!(lookup.answer(Seen::Live(live())), Answer::Seen(_, true));
    assert!(stands(&lookup));
    inner.journal.connected(true);
    assert!(!stands(&lookup));
}

#[tokio::test]
async fn what_was_outdated_is_handed_to_the_load_only_if_it_stood_until_the_lease() {
    const POLICY: Policy = Policy::new().ttl(Duration::from_secs(60));
    for invalidated in [None, Some("app:k"), Some("app:#tag:a")] {
        let cache = crate::engine::handle::Cache::builder()
            .url("memory://")
            .build();
        let cache = cache.await.unwrap();
        let inner = &cache.inner;
        let mut tags = Tags::default();
        tags.extend("app", ["a"]);
        let entry = cache.entry("k").policy(&POLICY).tags(["a"]);
        entry.put(&1_u64).await.unwrap();
        let mut lookup = Lookup::new(
            inner,
            &crate::observe::registry::DIRECT,
            "app:k",
            &tags,
            &POLICY,
        );
        assert!(matches!(lookup.hit(), Hit::Look));
        let seen = lookup.look().await;
        lookup.saw(seen);
        let Hit::Live(live, _) = lookup.hit() else {
            panic!("it was put");
        };
        lookup.outdated(live);
        if let Some(key) = invalidated {
            inner.store.invalidate(&[key.to_owned()]).await.unwrap();
        }
        let Found::Lead(_, _, previous) = lookup.contend().await else {
            panic!("nobody else loads");
        };
        assert_eq!(previous.is_some(), invalidated.is_none(), "{invalidated:?}");
    }
}

#[tokio::test]
async fn who_may_have_somebody_to_join_or_nothing_to_look_at_gets_a_whole_search() {
    let inner = in_memory().await;
    let mut tags = Tags::default();
    tags.extend("app", ["a"]);
    let is_plain = || Glance::of(&inner, "k", &tags).is_some();
    assert!(is_plain());
    let Place::Lead(flight) = inner.flights.enter("k", tags.cover()) else {
        panic!("nobody else loads");
    };
    assert!(!is_plain());
    drop(flight);
    assert!(is_plain());
    let barred = |key: &str| {
        let attempt = inner.journal.begin();
        let targets = Targets {
            keys: vec![key.to_owned()],
            ..Default::default()
        };
        inner.journal.keep(attempt, &targets, None);
    };
    barred("another");
    assert!(is_plain());
    barred(&tags.keys()[0]);
    assert!(!is_plain());
}

#[tokio::test]
async fn what_a_glance_has_seen_across_a_change_of_server_is_looked_up_again_and_is_served_else() {
    let inner = in_memory().await;
    let entry = Bytes::copy_from_slice(&Header::lease(Token::next()));
    let (header, _) = Header::parse(&entry).unwrap();
    let glance = || Glance::of(&inner, "k", &Tags::default()).unwrap();
    let looked = |mut glance: Glance| {
        let seen = Seen::Live(Live::new(header, entry.clone()));
        glance.looked(&inner, "k", Ok(seen))
    };
    let before = glance();
    inner.journal.connected(true);
    assert!(matches!(looked(before).step(), Step::Join));
    assert!(matches!(looked(glance()).step(), Step::Serve(_)));
    let away = glance().looked(&inner, "k", Err(StoreError::Timeout));
    assert!(matches!(away.step(), Step::Queue));
}

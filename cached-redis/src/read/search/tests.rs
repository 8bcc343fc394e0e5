use bytes::Bytes;

use super::*;
use crate::store::Watch as _;
use crate::wire::entry::{Header, Token};

#[tokio::test]
async fn an_entry_seen_across_a_change_of_server_is_looked_up_again() {
    let builder = crate::engine::handle::Cache::builder().url("memory://");
    let inner = builder.build().await.unwrap().inner;
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
        let Some((live, _)) = lookup.hit().await else {
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

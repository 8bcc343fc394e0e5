use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::task::yield_now;
use xxhash_rust::xxh3::xxh3_64;

use super::*;
use crate::engine::handle::{Cache, Inner};
use crate::observe::instance::Instance;
use crate::observe::registry::{Function, FunctionInfo};
use crate::policy::Policy;
use crate::read::call::Call;
use crate::store::Store as _;
use crate::store::many::MOST;
use crate::wire::entry::{Header, Kind, Live, Token, extensions};
use crate::wire::extension::{Extensions, MOST_NAMED};
use crate::wire::tag::*;
use crate::write::invalidate::invalidate;
use crate::write::request::entries_of;

static MEMBERS: Function = Function::new(FunctionInfo {
    path: "members",
    file: "",
    line: 0,
    template: "members:<id>",
    tags: &["users"],
    versioned: false,
    default_key: false,
    parameters: &[],
    value: "u64",
    generic: false,
    bound: false,
    policy: Policy::new().ttl(std::time::Duration::from_secs(60)),
    codec: None,
    definition: || "",
});

fn named<T: AsRef<str>>(namespace: &str, names: impl IntoIterator<Item = T>) -> Tags {
    let mut tags = Tags::default();
    tags.extend(namespace, names);
    tags
}

async fn cache() -> Cache {
    let builder = Cache::builder().url("memory://");
    builder.build().await.unwrap()
}

fn generation(number: u8) -> Generation {
    Generation([number; 8])
}

/// An entry that only names tags for the next load.
fn marker(names: &[&str]) -> Live {
    stamped(names, [0; 8])
}

fn stamped(names: &[&str], stamp: [u8; 8]) -> Live {
    let parts = Extensions {
        stamp: Some(stamp),
        named: names.to_vec(),
        ..Extensions::default()
    };
    let entry = Header::new(Kind::Value, Token::next()).entry(&parts, b"");
    let entry = entry.unwrap();
    let (header, _) = Header::parse(&entry).unwrap();
    Live::new(header, entry)
}

async fn stamp(inner: &Inner, tags: &Tags, before: Option<&[u8]>) -> Stamp {
    let policy = &MEMBERS.info.policy;
    let stamp = Stamp::take(inner, tags, policy, before).await;
    stamp.unwrap().expect("nothing is barred")
}

/// The stamp of tags with the numbers of their generations.
fn hashed(tags: &[(&str, u8)]) -> [u8; 8] {
    let tags = tags.iter();
    let tags: Vec<_> = tags
        .map(|(name, number)| ((*name).to_owned(), generation(*number)))
        .collect();
    let mut tags: Vec<_> = tags
        .iter()
        .map(|(name, generation)| (name, *generation))
        .collect();
    hash(&mut tags, 0)
}

#[test]
fn a_stamp_is_of_tags_with_their_generations_and_not_of_their_order() {
    let all = hashed(&[("a", 1), ("b", 2)]);
    assert_eq!(all, hashed(&[("b", 2), ("a", 1)]));
    for (what, other) in [
        ("one is missing", hashed(&[("a", 1)])),
        ("another generation", hashed(&[("a", 1), ("b", 3)])),
        (
            "the generations of each other",
            hashed(&[("a", 2), ("b", 1)]),
        ),
        (
            "another tag of this generation",
            hashed(&[("a", 1), ("c", 2)]),
        ),
        ("one tag that is called as both", hashed(&[("ab", 1)])),
    ] {
        assert_ne!(all, other, "{what}");
    }
}

#[test]
fn a_generation_in_the_epoch_of_the_entry_counts_as_it_stands_and_in_another_with_that() {
    let tag = "a".to_owned();
    let hashed = |tag_epoch, epoch| {
        let generation = generation(1).in_epoch(tag_epoch);
        hash(&mut [(&tag, generation)], epoch)
    };
    assert_eq!(hashed(7, 7), hashed(0, 0));
    let of_another_server = hashed(8, 7);
    assert!(![hashed(7, 7), hashed(9, 7), hashed(8, 6)].contains(&of_another_server));
}

#[test]
fn readers_under_other_tags_are_told_apart_however_these_are_called() {
    let cover = |names: &[&str]| named("app", names).cover();
    assert_eq!(cover(&["a", "b"]), cover(&["b", "a"]));
    assert_ne!(cover(&["a", "b"]), cover(&["a"]));
    assert_ne!(cover(&["a", "b"]), cover(&["a\0app:#tag:b"]));
    assert_eq!(cover(&[]), 0);
}

#[tokio::test]
async fn tags_that_get_their_generations_together_get_different_ones() {
    let inner = cache().await.inner;
    let stamp = stamp(&inner, &named("app", ["a", "b", "c"]), None).await;
    let generations: HashSet<_> = stamp.parts().map(|(_, one)| one.bytes().to_vec()).collect();
    assert_eq!(generations.len(), 3);
}

#[test]
fn no_two_generations_are_the_same() {
    let mut all: Vec<_> = (0..1000).map(|_| Generation::random()).collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 1000);
}

#[test]
fn a_tag_is_given_and_named_by_the_same_key_however_long_it_is() {
    for tag in ["users".to_owned(), "x".repeat(10_000)] {
        let key = tag_key("shop", &tag);
        let name = name("shop", &key).unwrap();
        assert!(name.len() <= 512);
        assert_eq!(tag_key("shop", name), key);
    }
}

#[test]
fn no_value_reaches_the_key_of_a_tag() {
    let mut key = crate::wire::key::KeyWriter::new("shop");
    key.display("#tag:users");
    assert_ne!(key.finish(), Some(tag_key("shop", "users")));
}

#[tokio::test]
async fn a_marker_is_dead_and_its_names_are_stamped_by_the_next_load() {
    let inner = cache().await.inner;
    let marker = marker(&["b", "a"]);
    let live = look::alive(&inner, &Tags::default(), marker).await.unwrap();
    assert!(live.is_none(), "it has no generations");

    let tags = named(&inner.namespace, ["a"]);
    let marker = self::marker(&["b", "a"]);
    let stamp = stamp(&inner, &tags, Some(&marker.entry)).await;
    assert_eq!(stamp.extensions(&inner.namespace, 0).named, ["a", "b"]);
    assert!(inner.store.get("app:#tag:b").await.unwrap().is_some());
    // Not even beside its tags of now.
    let live = look::alive(&inner, &Tags::default(), marker).await.unwrap();
    assert!(live.is_none());
}

/// As it was written once: of which tag the generation was, nobody could tell.
#[tokio::test]
async fn an_entry_stamped_by_a_generation_alone_is_dead() {
    let inner = cache().await.inner;
    let tags = named(&inner.namespace, ["a"]);
    let stamp = stamp(&inner, &tags, None).await;
    let hash = stamp.parts().map(|(_, one)| xxh3_64(one.bytes()));
    let hash = hash.max().unwrap().to_le_bytes();
    let alive = async |stamp| look::alive(&inner, &tags, stamped(&["a"], stamp)).await;
    assert!(alive(hash).await.unwrap().is_none());
    let named = stamp.extensions(&inner.namespace, 0).stamp.unwrap();
    assert!(alive(named).await.unwrap().is_some());
}

#[test]
fn tags_do_not_show_the_values_in_their_names() {
    let tags = named("app", ["user:secret"]);
    assert!(!format!("{tags:?}").contains("secret"));
}

#[tokio::test]
async fn an_entry_keeps_the_names_that_a_load_before_it_had_found() {
    let inner = cache().await.inner;
    let found = stamp(&inner, &named("app", ["a"]), None).await;
    let parts = found.extensions("app", 0);
    let entry = Header::new(Kind::Value, Token::next()).entry(&parts, b"x");
    let entry = entry.unwrap();
    assert_eq!(extensions(&entry).unwrap().named, ["a"]);
    let next = stamp(&inner, &named("app", ["b"]), Some(&entry)).await;
    assert_eq!(next.extensions("app", 0).named, ["b", "a"]);
}

#[tokio::test]
async fn what_a_dead_entry_names_never_takes_the_room_of_what_was_asked_for() {
    let inner = cache().await.inner;
    let names: Vec<_> = (0..MOST_NAMED).map(|number| number.to_string()).collect();
    let tags = named("app", &names);
    let marker = marker(&["found"]);
    let stamp = stamp(&inner, &tags, Some(&marker.entry)).await;
    assert_eq!(stamp.extensions("app", 0).named, names);
    assert!(
        !tags.are_too_many()
            && named("app", (0..65).map(|number| number.to_string())).are_too_many()
    );
}

#[tokio::test]
async fn clearing_a_tagged_function_drops_its_entries_by_one_key() {
    let cache = cache().await;
    let inner = &cache.inner;
    let mut call = Call::on(&MEMBERS, Instance::DIRECT, &cache);
    call.key(|key| key.text("members:1"));
    call.tag(|tag| tag.text("users"));
    let keys = call.tags.keys();
    assert_eq!(keys, ["app:#fn:members:<>", "app:#tag:users"]);

    let before = stamp(inner, &call.tags, None).await;
    let entries = entries_of(MEMBERS.info.template, true, "app");
    invalidate(inner, &MEMBERS.site, entries).await.unwrap();
    let basis = Basis {
        epoch: 0,
        stamp: before,
    };
    assert_eq!(
        Basis::stand(inner, &[&basis, &Basis::of(0)]).await,
        [false, true]
    );
}

#[tokio::test]
async fn a_value_carries_on_in_a_load_only_if_its_tags_and_its_server_are_the_same() {
    let inner = cache().await.inner;
    let tags = named(&inner.namespace, ["a"]);
    let live = |stamp: &Stamp, epoch| {
        let header = Header {
            epoch,
            ..Header::new(Kind::Value, Token::next())
        };
        let entry = header.entry(&stamp.extensions("app", epoch), b"x").unwrap();
        let (header, _) = Header::parse(&entry).unwrap();
        Live::new(header, entry)
    };
    let taken = async |live: &Live| Basis {
        epoch: 0,
        stamp: stamp(&inner, &tags, Some(&live.entry)).await,
    };
    let first = live(&stamp(&inner, &tags, None).await, 0);
    assert!(taken(&first).await.carries_on(&first));
    assert!(!taken(&first).await.carries_on(&live(&Stamp::default(), 0)));
    assert!(!Basis::of(0).carries_on(&first));
    let untagged = live(&Stamp::default(), 0);
    assert!(Basis::of(0).carries_on(&untagged) && !Basis::of(1).carries_on(&untagged));

    inner
        .store
        .invalidate(&["app:#tag:a".to_owned()])
        .await
        .unwrap();
    assert!(!taken(&first).await.carries_on(&first));
}

/// On one thread, where what does not yield lets nobody else run.
#[tokio::test]
async fn others_run_between_the_pieces_of_an_invalidation_of_very_many_tags() {
    let cache = cache().await;
    let turns = Arc::<AtomicUsize>::default();
    let others = tokio::spawn({
        let turns = Arc::clone(&turns);
        async move {
            loop {
                turns.fetch_add(1, Ordering::Relaxed);
                yield_now().await;
            }
        }
    });
    let tags = (0..MOST * 20).map(|tag| tag.to_string());
    cache.invalidation().tags(tags).send().await.unwrap();
    others.abort();
    // Twenty pieces are removed, and then twenty confirmed.
    assert!(turns.load(Ordering::Relaxed) >= 38, "{turns:?}");
}

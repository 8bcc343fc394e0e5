//! Types that a compact codec writes and cannot read again are kept all the same, or there is
//! a warning. What is never right is to load each time without a word, or to change the data.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use cached_redis::{Cache, Policy, redis_cached};
use serde::{Deserialize, Serialize};
use tracing::Level;

use crate::support::{Log, World, filled, on_both_stores};

on_both_stores!(
    a_flattened_struct_is_kept,
    an_untagged_enum_is_kept,
    a_tagged_enum_is_kept,
    a_skipped_field_is_kept,
    a_field_that_is_never_written_is_kept_or_loaded_each_time,
    any_value_is_kept,
    a_nested_option_is_kept,
    a_nested_option_that_a_codec_would_change_is_loaded_each_time,
    a_value_that_would_come_back_as_another_is_loaded_each_time,
    a_type_that_falls_back_by_hand_takes_no_other_type_with_it,
);

type Map = BTreeMap<String, Any>;

/// What `serde_json::Value` is to serde.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(untagged)]
enum Any {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Any>),
    Map(Map),
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Flattened {
    id: u32,
    #[serde(flatten)]
    rest: BTreeMap<String, u32>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(untagged)]
enum Untagged {
    Named { name: String },
    Number(u32),
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "kind")]
enum Tagged {
    Circle { radius: u32 },
    Square { side: u32 },
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Skipped {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first: Option<u32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    second: Vec<u32>,
    third: u32,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct NeverWritten {
    id: u32,
    #[serde(skip, default)]
    local: u32,
}

/// The second variant reads back as the first, without its `z`.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(untagged)]
enum Ambiguous {
    Narrow {
        x: u32,
        #[serde(default)]
        y: u32,
    },
    Wide {
        x: u32,
        z: u32,
    },
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Nested {
    change: Option<Option<u32>>,
}

fn flattened_truth() -> Flattened {
    let rest = [("a".to_owned(), 1), ("b".to_owned(), 2)];
    Flattened {
        id: 1,
        rest: rest.into(),
    }
}

fn skipped_truth() -> Skipped {
    Skipped {
        first: None,
        second: Vec::new(),
        third: 3,
    }
}

fn any_truth() -> Any {
    let list = Any::List(vec![Any::Null, Any::Bool(true), Any::Number(1.5)]);
    let map = [
        ("list".to_owned(), list),
        ("text".to_owned(), Any::Text("x".to_owned())),
    ];
    Any::Map(map.into())
}

#[redis_cached(ttl = 60, key = "unreadable-types:flattened")]
async fn flattened() -> Flattened {
    flattened_truth()
}

#[redis_cached(ttl = 60, key = "unreadable-types:untagged:<named>")]
async fn untagged(named: bool) -> Untagged {
    if named {
        Untagged::Named {
            name: "n".to_owned(),
        }
    } else {
        Untagged::Number(7)
    }
}

#[redis_cached(ttl = 60, key = "unreadable-types:tagged:<round>")]
async fn tagged(round: bool) -> Tagged {
    if round {
        Tagged::Circle { radius: 1 }
    } else {
        Tagged::Square { side: 2 }
    }
}

#[redis_cached(ttl = 60, key = "unreadable-types:skipped")]
async fn skipped() -> Skipped {
    skipped_truth()
}

#[redis_cached(ttl = 60, key = "unreadable-types:never-written")]
async fn never_written() -> NeverWritten {
    NeverWritten { id: 1, local: 0 }
}

#[redis_cached(ttl = 60, key = "unreadable-types:any")]
async fn any() -> Any {
    any_truth()
}

#[redis_cached(ttl = 60, key = "unreadable-types:nested:<some>")]
async fn nested(some: bool) -> Nested {
    Nested {
        change: some.then_some(None),
    }
}

#[redis_cached(ttl = 60, key = "unreadable-types:nested-json", codec = json)]
async fn nested_json() -> Nested {
    Nested { change: Some(None) }
}

#[redis_cached(ttl = 60, key = "unreadable-types:ambiguous:<wide>")]
async fn ambiguous(wide: bool) -> Ambiguous {
    if wide {
        Ambiguous::Wide { x: 1, z: 2 }
    } else {
        Ambiguous::Narrow { x: 1, y: 2 }
    }
}

#[redis_cached(ttl = 60, key = "unreadable-types:flattened-logged:<id>")]
async fn flattened_logged(id: u64) -> Flattened {
    let _ = id;
    flattened_truth()
}

/// Calls several times; the result is right each time, and the function has run once.
async fn kept<T: Debug + PartialEq>(world: &World, truth: T, call: impl AsyncFn() -> T) {
    let cache = world.cache().await;
    for _ in 0..3 {
        assert_eq!(cache.scope(call()).await, truth);
        filled(&cache, 1).await;
    }
    let stats = cache.stats().total();
    assert_eq!(
        (stats.loads, stats.unstorable, stats.undecodable),
        (1, 0, 0),
        "{stats:?}"
    );
}

async fn a_flattened_struct_is_kept(world: World) {
    kept(&world, flattened_truth(), async || flattened().await).await;
}

async fn an_untagged_enum_is_kept(world: World) {
    let named = Untagged::Named {
        name: "n".to_owned(),
    };
    kept(&world, named, async || untagged(true).await).await;
    kept(&world, Untagged::Number(7), async || untagged(false).await).await;
}

async fn a_tagged_enum_is_kept(world: World) {
    kept(&world, Tagged::Circle { radius: 1 }, async || {
        tagged(true).await
    })
    .await;
    kept(&world, Tagged::Square { side: 2 }, async || {
        tagged(false).await
    })
    .await;
}

async fn a_skipped_field_is_kept(world: World) {
    kept(&world, skipped_truth(), async || skipped().await).await;
}

async fn a_field_that_is_never_written_is_kept_or_loaded_each_time(world: World) {
    let cache = world.cache().await;
    for _ in 0..3 {
        assert_eq!(
            cache.scope(never_written()).await,
            NeverWritten { id: 1, local: 0 }
        );
    }
    let stats = cache.stats().total();
    assert!(
        stats.loads == 1 || stats.unstorable == stats.loads,
        "{stats:?}"
    );
}

async fn any_value_is_kept(world: World) {
    kept(&world, any_truth(), async || any().await).await;
}

async fn a_nested_option_is_kept(world: World) {
    kept(&world, Nested { change: None }, async || {
        nested(false).await
    })
    .await;
    kept(&world, Nested { change: Some(None) }, async || {
        nested(true).await
    })
    .await;
}

async fn a_nested_option_that_a_codec_would_change_is_loaded_each_time(world: World) {
    let cache = world.cache().await;
    for calls in 1..=3 {
        assert_eq!(
            cache.scope(nested_json()).await,
            Nested { change: Some(None) }
        );
        let stats = cache.stats().total();
        assert_eq!(
            (stats.loads, stats.unstorable, stats.fills),
            (calls, calls, 0),
            "{stats:?}"
        );
    }
}

async fn a_value_that_would_come_back_as_another_is_loaded_each_time(world: World) {
    let cache = world.cache().await;
    for calls in 1..=3 {
        let loaded = cache.scope(ambiguous(true)).await;
        assert_eq!(loaded, Ambiguous::Wide { x: 1, z: 2 });
        let stats = cache.stats().total();
        assert_eq!((stats.loads, stats.unstorable), (calls, calls), "{stats:?}");
    }
    let narrow = Ambiguous::Narrow { x: 1, y: 2 };
    kept(&world, narrow, async || ambiguous(false).await).await;
}

#[tokio::test]
async fn a_value_that_cannot_be_kept_is_told_once() {
    #[redis_cached(ttl = 60, key = "unreadable-types:unkeepable:<id>")]
    async fn unkeepable(id: u32) -> Ambiguous {
        Ambiguous::Wide { x: id, z: 2 }
    }

    let (log, _guard) = Log::collect();
    let cache = World::in_memory().cache().await;
    for id in 0..3 {
        cache.scope(unkeepable(id)).await;
    }
    assert_eq!(cache.stats().total().unstorable, 3);
    assert_eq!(log.count(Level::WARN, "unkeepable"), 1, "{}", log.text());
}

async fn a_type_that_falls_back_by_hand_takes_no_other_type_with_it(world: World) {
    let cache = world.cache().await;
    let policy = Policy::new().ttl(Duration::from_secs(60));
    let nested = Nested { change: Some(None) };
    assert!(
        cache
            .put(&policy, "unreadable-types:by-hand:1", &nested)
            .await
            .unwrap()
    );
    assert!(
        cache
            .put(&policy, "unreadable-types:by-hand:2", &flattened_truth())
            .await
            .unwrap()
    );
    // Only the codec that the flattened type cannot use can keep this one.
    assert!(
        cache
            .put(&policy, "unreadable-types:by-hand:3", &nested)
            .await
            .unwrap()
    );
    assert_eq!(
        cache.get("unreadable-types:by-hand:3").await.unwrap(),
        Some(nested)
    );
}

#[tokio::test]
async fn one_warning_names_the_function_and_the_remedy() {
    let (log, _guard) = Log::collect();
    let cache = World::in_memory().cache().await;
    for id in 0..20 {
        cache.scope(flattened_logged(id)).await;
    }
    filled(&cache, 20).await;
    assert_eq!(log.warnings(), 1, "{}", log.text());
    assert_eq!(
        log.count(Level::WARN, "flattened_logged"),
        1,
        "{}",
        log.text()
    );
    assert_eq!(log.count(Level::WARN, "msgpack"), 1, "{}", log.text());
}

#[tokio::test]
async fn a_value_that_cannot_be_kept_is_warned_of() {
    #[redis_cached(ttl = 60, key = "unreadable-types:nested-logged", codec = json)]
    async fn nested_logged() -> Nested {
        Nested { change: Some(None) }
    }

    let (log, _guard) = Log::collect();
    let cache: Cache = World::in_memory().cache().await;
    cache.scope(nested_logged()).await;
    assert_eq!(log.count(Level::WARN, "nested_logged"), 1, "{}", log.text());
}

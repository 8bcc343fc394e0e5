//! Different arguments are never the same key, whatever characters they are made of, and no
//! argument is ever a pattern.

use std::collections::BTreeSet;

use cached_redis::{Key, invalidates, redis_cached};
use serde::Serialize;

use crate::support::{World, filled, on_both_stores, on_redis};

on_both_stores!(
    pairs_that_look_alike_joined_by_a_separator_are_apart,
    odd_texts_are_apart,
    none_is_apart_from_every_text,
    debug_and_hash_forms_are_apart,
    fields_of_parameters_are_told_apart,
    invalidating_a_key_that_looks_like_a_pattern_removes_that_key_alone,
);
on_redis!(keys_hold_no_glob_and_no_overlong_text);

/// Texts that keys made by joining get wrong.
fn odd() -> Vec<String> {
    let texts = [
        "", "*", "?", "[a]", "{x}", "%", "%2A", "%none", "None", " ", "  ", "\n", "\r\n", "\t",
        "\0", ":", "::", "1:2", "2:3", "<id>", "\\", "ü", "u\u{308}", "日本", "\u{a0}", "\u{202e}",
        "a", "A", "1", "01", "1.0",
    ];
    let long = [10_000, 10_001].map(|length| "x".repeat(length));
    let long_apart_at_the_end = ["y", "z"].map(|end| format!("{}{end}", "x".repeat(10_000)));
    let texts = texts.map(str::to_owned).into_iter();
    texts.chain(long).chain(long_apart_at_the_end).collect()
}

#[redis_cached(ttl = 60, key = "keys:pair:<a>:<b>")]
async fn pair(a: &str, b: &str) -> (String, String) {
    (a.to_owned(), b.to_owned())
}

#[redis_cached(ttl = 60, key = "keys:one:<text>")]
async fn one(text: &str) -> String {
    text.to_owned()
}

#[invalidates("keys:one:<text>")]
async fn change(text: &str) {
    let _ = text;
}

#[redis_cached(ttl = 60, key = "keys:optional:<text>")]
async fn optional(text: Option<&str>) -> String {
    format!("{text:?}")
}

#[redis_cached(ttl = 60, key = "keys:debug:<parts:?>")]
async fn debug(parts: Vec<String>) -> Vec<String> {
    parts
}

#[redis_cached(ttl = 60, key = "keys:hash:<filter:hash>")]
async fn hash(filter: Filter) -> String {
    format!("{filter:?}")
}

#[redis_cached(
    ttl = 60,
    key = "keys:field:<filter.city>:<range.0>:<range.1>",
    skip(other)
)]
async fn field(filter: &Filter, range: (u8, u8), other: &str) -> String {
    let _ = other;
    format!("{filter:?} {range:?}")
}

#[derive(Clone, Debug, Serialize)]
struct Filter {
    city: String,
    tags: Vec<String>,
    limit: Option<u32>,
}

fn filter(city: &str, tags: &[&str], limit: Option<u32>) -> Filter {
    Filter {
        city: city.to_owned(),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        limit,
    }
}

async fn pairs_that_look_alike_joined_by_a_separator_are_apart(world: World) {
    let cache = world.cache().await;
    let halves = [
        "", "1", "2", "3", "1:2", "2:3", ":", "::", "%3A", "1%3A2", "*", " ",
    ];
    let mut loads = 0;
    for a in halves {
        for b in halves {
            loads += 1;
            for _ in 0..2 {
                let loaded = cache.scope(pair(a, b)).await;
                assert_eq!(loaded, (a.to_owned(), b.to_owned()));
            }
            filled(&cache, loads).await;
        }
    }
    assert_eq!(cache.stats().total().loads, loads);
}

async fn odd_texts_are_apart(world: World) {
    let cache = world.cache().await;
    let texts = odd();
    for _ in 0..2 {
        for text in &texts {
            assert_eq!(cache.scope(one(text)).await, *text);
        }
        filled(&cache, texts.len() as u64).await;
    }
    assert_eq!(cache.stats().total().loads, texts.len() as u64);
    // A key built by hand is the same key.
    for text in &texts {
        let key = Key::new("keys:one:").value(text);
        assert_eq!(cache.get::<String>(key).await.unwrap().as_ref(), Some(text));
    }
}

async fn none_is_apart_from_every_text(world: World) {
    let cache = world.cache().await;
    let texts = odd();
    let all: Vec<_> = std::iter::once(None)
        .chain(texts.iter().map(|text| Some(text.as_str())))
        .collect();
    for _ in 0..2 {
        for text in &all {
            assert_eq!(cache.scope(optional(*text)).await, format!("{text:?}"));
        }
        filled(&cache, all.len() as u64).await;
    }
    assert_eq!(cache.stats().total().loads, all.len() as u64);
}

async fn debug_and_hash_forms_are_apart(world: World) {
    let cache = world.cache().await;
    let lists: [&[&str]; 7] = [
        &[],
        &[""],
        &["", ""],
        &["a, b"],
        &["a", "b"],
        &["a\", \"b"],
        &["ab"],
    ];
    for list in lists {
        let list: Vec<_> = list.iter().map(|part| (*part).to_owned()).collect();
        assert_eq!(cache.scope(debug(list.clone())).await, list);
    }
    let filters = [
        filter("a", &["b"], None),
        filter("ab", &[], None),
        filter("a", &[], Some(0)),
        filter("a", &[], None),
        filter("", &["a", "b"], None),
        filter("", &["ab"], None),
    ];
    for filter in filters {
        assert_eq!(
            cache.scope(hash(filter.clone())).await,
            format!("{filter:?}")
        );
    }
    assert_eq!(cache.stats().total().loads, 13);
}

async fn fields_of_parameters_are_told_apart(world: World) {
    let cache = world.cache().await;
    for (city, range) in [
        ("a", (1, 23)),
        ("a", (12, 3)),
        ("a:1", (2, 3)),
        ("a", (1, 2)),
    ] {
        let filter = filter(city, &[], None);
        for other in ["ignored", "left out"] {
            let expected = format!("{filter:?} {range:?}");
            assert_eq!(cache.scope(field(&filter, range, other)).await, expected);
        }
    }
    assert_eq!(cache.stats().total().loads, 4);
}

async fn invalidating_a_key_that_looks_like_a_pattern_removes_that_key_alone(world: World) {
    let cache = world.cache().await;
    let texts = odd();
    for text in &texts {
        cache.scope(one(text)).await;
    }
    filled(&cache, texts.len() as u64).await;
    for pattern in ["*", "?", "[a]", "%2A"] {
        cache.scope(change(pattern)).await;
    }
    for text in &texts {
        let kept = cache
            .get::<String>(Key::new("keys:one:").value(text))
            .await
            .unwrap();
        let removed = ["*", "?", "[a]", "%2A"].contains(&text.as_str());
        assert_eq!(kept.is_none(), removed, "{text:?}");
    }
}

async fn keys_hold_no_glob_and_no_overlong_text(mut world: World) {
    let cache = world.cache().await;
    let texts = odd();
    for text in &texts {
        cache.scope(one(text)).await;
    }
    filled(&cache, texts.len() as u64).await;
    let keys: BTreeSet<String> = world.redis().lives().into_keys().collect();
    assert_eq!(keys.len(), texts.len());
    for key in keys {
        let value = key
            .strip_prefix("it:keys:one:")
            .expect("namespace and template");
        assert!(
            !value.contains(['*', '?', '[', ']', '{', '}', ':', ' ', '\n', '\\']),
            "{key}"
        );
        assert!(key.len() <= "it:".len() + 512, "{} bytes", key.len());
    }
}

//! Everything that reads, in one list.

use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::time::Duration;

use cached_redis::{Error, Policy, current};

use crate::features::Feature::{self, *};
use crate::functions::*;
use crate::nested::*;
use crate::truth::{Place, ROWS};
use crate::value::{Failed, Value, is_absent};

pub(crate) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// What was answered.
pub(crate) enum Found {
    Values(Vec<(u8, Value)>),
    /// The row is not there.
    Absent(u8),
    Failed(Failed),
    /// Nothing that could be judged.
    Nothing,
}

/// One way to read.
pub(crate) struct Reader {
    pub(crate) name: &'static str,
    pub(crate) features: &'static [Feature],
    /// The key, whether or not the function says it.
    pub(crate) key: fn(u8) -> String,
    pub(crate) tags: fn(u8) -> Vec<String>,
    pub(crate) call: for<'a> fn(&'a Place, u8) -> Boxed<'a, Found>,
}

impl Reader {
    pub(crate) fn has(&self, feature: Feature) -> bool {
        self.features.contains(&feature)
    }
}

pub(crate) fn reader(name: &str) -> &'static Reader {
    let mut all = READERS.iter().chain(BROKEN);
    let found = all.find(|reader| reader.name == name);
    found.expect("a reader of this name")
}

/// The ids of a batch.
fn both_of(id: u8) -> [u8; 2] {
    [id, (id + 1) % ROWS as u8]
}

fn one(value: Value) -> Found {
    Found::Values(vec![(value.row(), value)])
}

fn many(values: impl IntoIterator<Item = (u8, Value)>) -> Found {
    Found::Values(values.into_iter().collect())
}

fn optional(id: u8, value: Option<Value>) -> Found {
    value.map_or(Found::Absent(id), one)
}

fn or_failed<T>(result: Result<T, Failed>, found: impl FnOnce(T) -> Found) -> Found {
    result.map_or_else(Found::Failed, found)
}

pub(crate) const MINUTE: Policy = Policy::new().ttl(Duration::from_secs(60));
const SHORT: Policy = Policy::new()
    .ttl(Duration::from_millis(40))
    .stale_while_revalidate(Duration::from_millis(100));

macro_rules! readers {
    ($list:ident: $($name:literal [$($feature:ident)*] ($at:ident, $id:ident) $key:literal [$($tag:literal)*] $call:expr;)*) => {
        pub(crate) static $list: &[Reader] = &[$(Reader {
            name: $name,
            features: &[$($feature),*],
            key: |$id| { let _ = $id; format!($key) },
            tags: |$id| { let _ = $id; vec![$(format!($tag)),*] },
            call: |$at, $id| Box::pin(async move { $call }),
        },)*];
    };
}

readers! { READERS:
    "plain" [Single] (at, id) "plain:{id}" [] one(plain(at, id).await);
    "plain_result" [Single] (at, id) "plain:{id}" [] or_failed(plain_result(at, id).await, one);
    "plain_many" [Batch] (at, id) "plain:{id}" [] many(plain_many(at, &both_of(id)).await);
    "tagged" [Single Tagged] (at, id) "tagged:{id}" ["row:{id}" "all" "fn:tagged"] one(tagged(at, id).await);
    "tagged_result" [Single Tagged] (at, id) "tagged:{id}" ["row:{id}" "all" "fn:tagged"] or_failed(tagged_result(at, id).await, one);
    "shelf" [Batch Nested Tagged] (at, id) "shelf:{id}" ["row:0" "all" "fn:tagged"] or_failed(shelf(at, both_of(id).to_vec()).await, many);
    "found" [Single FoundTags] (at, id) "found:{id}" ["row:{id}"] one(found(at, id).await);
    "found_many" [Batch FoundTags] (at, id) "found:{id}" ["row:{id}"] many(found_many(at, &both_of(id)).await);
    "moving" [Single FoundTags] (at, id) "moving:{id}" ["folder:1" "folder:2"] one(moving(at, id).await);
    "document_1" [Single Tagged] (at, id) "document:{id}" ["folder:1"] one(document(at, id, 1).await);
    "document_2" [Single Tagged] (at, id) "document:{id}" ["folder:2"] one(document(at, id, 2).await);
    "leaf_of_row" [Single Tagged] (at, id) "leaf:{id}" ["row:{id}"] one(leaf_of_row(at, id).await);
    "leaf_of_all" [Single Tagged] (at, id) "leaf:{id}" ["all"] one(leaf_of_all(at, id).await);
    "both" [Single Tagged] (at, id) "both:{id}" ["folder:1" "folder:2" "fn:both"] one(both(at, id).await);
    "cart" [Nested Tagged] (at, id) "cart:{id}" ["row:0" "all" "fn:tagged"] one(cart(at, id).await);
    "list" [Nested FoundTags] (at, id) "list:{id}" ["row:0"] one(list(at, id).await);
    "deep" [Nested Tagged FoundTags] (at, id) "deep:{id}" ["deep" "row:0"] or_failed(deep(at, id).await, one);
    "alone" [Nested] (at, id) "alone:{id}" [] one(alone(at, id).await);
    "frozen" [Nested Windows] (at, id) "frozen:{id}" ["row:0"] one(frozen(at, id).await);
    "versioned" [Single Versions] (at, id) "versioned:{id}" [] one(versioned(at, id).await);
    "stale" [Single Windows Tagged] (at, id) "stale:{id}" ["row:{id}"] one(stale(at, id).await);
    "failing" [Single Windows] (at, id) "failing:{id}" [] or_failed(failing(at, id).await, one);
    "stale_many" [Batch Windows Tagged] (at, id) "stale:{id}" ["row:{id}"] or_failed(stale_many(at, &both_of(id)).await, many);
    "failing_many" [Batch Windows] (at, id) "failing:{id}" [] or_failed(failing_many(at, &both_of(id)).await, many);
    "ahead" [Single EarlyRefresh] (at, id) "ahead:{id}" [] one(ahead(at, id).await);
    "rich" [Single Versions Windows EarlyRefresh Negative Tagged FoundTags] (at, id) "rich:{id}" ["row:{id}" "all"] or_failed(rich(at, id).await, |value| optional(id, value));
    "maybe" [Single Negative] (at, id) "maybe:{id}" [] optional(id, maybe(at, id).await);
    "maybe_many" [Batch Negative] (at, id) "maybe:{id}" [] or_failed(maybe_many(at, &both_of(id)).await, many);
    "draft" [Single Conditions] (at, id) "draft:{id}" [] one(draft(at, id).await);
    "said" [Single Conditions] (at, id) "said:{id}" [] one(said(at, id).await);
    "price" [Single DefaultKeys Tagged] (at, id) "price:{id}" ["row:{id}"] one(price(at, id).await);
    "shop" [Single DefaultKeys Methods Tagged] (at, id) "shop:{id}" ["row:{id}"] one(Shop::balance(at, id).await);
    "bank" [Single DefaultKeys Methods Tagged] (at, id) "bank:{id}" ["row:{id}"] one(Bank::balance(at, id).await);
    "method" [Single Methods] (at, id) "method:{id}" [] one(at.method(id).await);
    "desk" [Single Methods Tagged] (at, id) "desk:{id}" ["row:{id}" "fn:desk"] one(at.desk(id).await);
    "generic_u8" [Single] (at, id) "generic:u8:{id}" [] one(generic::<u8>(at, id).await);
    "generic_text" [Single] (at, id) "generic:String:{id}" [] one(generic::<String>(at, id).await);
    "page" [Single] (at, id) "page:{id}:7" [] one(page(at, id, 7).await);

    // By hand.
    "get" [Single] (at, id) "plain:{id}" [] {
        let got = at.cache.get::<Value>(format!("plain:{id}")).await;
        got.ok().flatten().map_or(Found::Nothing, one)
    };
    "get_or_fill" [Single GetOrFill] (at, id) "plain:{id}" [] {
        let key = format!("plain:{id}");
        or_failed(at.cache.get_or_fill(&MINUTE, &key, || at.try_load(&key, id, &[])).await, one)
    };
    "get_or_fill_many" [Batch GetOrFill] (at, id) "plain:{id}" [] {
        let load = |ids| async move { Ok::<_, Infallible>(plain_by_hand(at, ids).await) };
        let key = |id: &u8| format!("plain:{id}");
        match at.cache.entries(both_of(id), key).policy(&MINUTE).get_or_fill(load).await {
            Ok(values) => many(values),
        }
    };
    "get_or_fill_optional" [Single GetOrFill Negative] (at, id) "maybe:{id}" [] {
        let key = format!("maybe:{id}");
        let load = async || {
            let value = at.try_load(&key, id, &[]).await?;
            Ok((!is_absent(value.version())).then_some(value))
        };
        or_failed(at.cache.entry(&key).policy(&MINUTE).optional().get_or_fill(load).await, |value| optional(id, value))
    };
    "get_or_fill_behind" [Single GetOrFill Windows] (at, id) "behind:{id}" [] {
        let (key, place) = (format!("behind:{id}"), at.clone());
        let load = { let key = key.clone(); move || async move { place.try_load(&key, id, &[]).await } };
        or_failed(at.cache.entry(&key).policy(&SHORT).detached().get_or_fill(load).await, one)
    };
    "hand" [Single GetOrFill Tagged FoundTags] (at, id) "hand:{id}" ["row:{id}" "all"] {
        let (key, tag) = (format!("hand:{id}"), format!("row:{id}"));
        let load = async || {
            let value = at.try_load(&key, id, &[&tag, "all"]).await;
            current().tag("all");
            value
        };
        or_failed(at.cache.entry(&key).policy(&MINUTE).tags([&tag]).get_or_fill(load).await, one)
    };
    "hand_versioned" [Single GetOrFill Tagged Versions] (at, id) "issue:{id}" ["row:{id}"] {
        let (key, tag) = (format!("issue:{id}"), format!("row:{id}"));
        let load = async || at.try_load(&key, id, &[&tag]).await;
        or_failed(at.cache.entry(&key).policy(&MINUTE).tags([&tag]).version(at.version(id)).get_or_fill(load).await, one)
    };
    "hand_versioned_many" [Batch GetOrFill Tagged Versions] (at, id) "issue:{id}" ["row:{id}"] {
        let load = |ids: Vec<u8>| async move {
            let mut found = HashMap::new();
            for id in ids {
                let (key, tag) = (format!("issue:{id}"), format!("row:{id}"));
                found.insert(id, at.try_load(&key, id, &[&tag]).await?);
            }
            Ok::<_, Failed>(found)
        };
        let entries = at.cache.entries(both_of(id), |id| format!("issue:{id}")).policy(&MINUTE);
        let entries = entries.tags(|id| [format!("row:{id}")]).version(|id| at.version(*id));
        or_failed(entries.get_or_fill(load).await, many)
    };
    "update" [Single Update] (at, id) "plain:{id}" [] {
        let key = format!("plain:{id}");
        let mut seen = None;
        let updated = at.cache.entry(&key).policy(&MINUTE).update(|old: Option<Value>| {
            seen = old;
            Ok::<_, Error>(at.now(&key, id, &[]))
        }).await;
        // What it was given is as good as what it returns.
        many(seen.into_iter().chain(updated.ok()).map(|value| (id, value)))
    };
    "update_found" [Single Update FoundTags] (at, id) "found:{id}" ["row:{id}"] {
        let (key, tag) = (format!("found:{id}"), format!("row:{id}"));
        let change = |_: Option<Value>| Ok::<_, Error>(at.now(&key, id, &[&tag]));
        at.cache.entry(&key).policy(&MINUTE).tags([&tag]).update(change).await.map_or(Found::Nothing, one)
    };
    "warm" [Batch WarmUp] (at, id) "plain:{id}" [] {
        at.cache.warm(both_of(id), |id| plain_result(at, id)).concurrency(2).await;
        Found::Nothing
    };
    "warm_anew" [Single WarmUp Tagged] (at, id) "tagged:{id}" ["row:{id}" "all"] {
        at.cache.warm([id], |id| tagged_result(at, id)).refresh(true).await;
        Found::Nothing
    };
}

// What must be found out.
readers! { BROKEN:
    "unfenced" [] (at, id) "unfenced:{id}" [] {
        let key = format!("unfenced:{id}");
        if let Ok(Some(value)) = at.cache.get(&key).await {
            return one(value);
        }
        let value = at.load(&key, id, &[]).await;
        let _ = at.cache.put(&MINUTE, &key, &value).await;
        one(value)
    };
}

async fn plain_by_hand(at: &Place, ids: Vec<u8>) -> HashMap<u8, Value> {
    let mut found = HashMap::new();
    for id in ids {
        found.insert(id, at.load(&format!("plain:{id}"), id, &[]).await);
    }
    found
}

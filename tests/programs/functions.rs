//! The functions under test that read: every form of a cached function, over three rows.
//!
//! Those that share a template share entries, on purpose. What a value says about itself (its key, its
//! tags) is what the attribute says, with a tag `fn:NAME` for the one that all entries of a tagged
//! function have.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use cached_redis::{KeyName, current, redis_cached};

use crate::truth::Place;
use crate::value::{Failed, Value, is_absent};

#[redis_cached(ttl = 60, key = "plain:<id>", skip(at))]
pub(crate) async fn plain(at: &Place, id: u8) -> Value {
    at.load(&format!("plain:{id}"), id, &[]).await
}

#[redis_cached(ttl = 60, key = "plain:<id>", skip(at))]
pub(crate) async fn plain_result(at: &Place, id: u8) -> Result<Value, Failed> {
    at.try_load(&format!("plain:{id}"), id, &[]).await
}

#[redis_cached(ttl = 60, key = "plain:<id>", batch(id in ids), skip(at))]
pub(crate) async fn plain_many(at: &Place, ids: &[u8]) -> HashMap<u8, Value> {
    let mut found = HashMap::new();
    for id in ids {
        found.insert(*id, at.load(&format!("plain:{id}"), *id, &[]).await);
    }
    found
}

fn tags_of(function: &str, id: u8) -> [String; 3] {
    [
        format!("row:{id}"),
        "all".to_owned(),
        format!("fn:{function}"),
    ]
}

async fn load_tagged(at: &Place, id: u8) -> Result<Value, Failed> {
    let tags = tags_of("tagged", id);
    let tags = tags.each_ref().map(String::as_str);
    at.try_load(&format!("tagged:{id}"), id, &tags).await
}

#[redis_cached(ttl = 60, key = "tagged:<id>", tags = ["row:<id>", "all"], skip(at))]
pub(crate) async fn tagged(at: &Place, id: u8) -> Value {
    loop {
        if let Ok(value) = load_tagged(at, id).await {
            return value;
        }
    }
}

#[redis_cached(ttl = 60, key = "tagged:<id>", tags = ["all", "row:<id>"], skip(at))]
pub(crate) async fn tagged_result(at: &Place, id: u8) -> Result<Value, Failed> {
    load_tagged(at, id).await
}

async fn find(at: &Place, id: u8) -> Value {
    let tag = format!("row:{id}");
    let value = at.load(&format!("found:{id}"), id, &[&tag]).await;
    current().tag(tag);
    value
}

/// Its tag is known with the result.
#[redis_cached(ttl = 60, key = "found:<id>", skip(at))]
pub(crate) async fn found(at: &Place, id: u8) -> Value {
    find(at, id).await
}

#[redis_cached(ttl = 60, key = "found:<id>", batch(id in ids), skip(at))]
pub(crate) async fn found_many(at: &Place, ids: &[u8]) -> HashMap<u8, Value> {
    let mut found = HashMap::new();
    for id in ids {
        found.insert(*id, find(at, *id).await);
    }
    found
}

/// Which folder a row is in changes with its version.
pub(crate) fn folder(version: u32) -> String {
    format!("folder:{}", 1 + version % 2)
}

#[redis_cached(ttl = 60, key = "moving:<id>", skip(at))]
pub(crate) async fn moving(at: &Place, id: u8) -> Value {
    let mut value = at.load(&format!("moving:{id}"), id, &[]).await;
    let folder = folder(value.version());
    current().tag(&folder);
    value.parts[0].tags.insert(folder);
    value
}

/// One entry, asked for under the one tag and the other.
#[redis_cached(
    ttl = 60,
    key = "document:<id>",
    tags = "folder:<folder>",
    skip(at, folder)
)]
pub(crate) async fn document(at: &Place, id: u8, folder: u8) -> Value {
    let folder = format!("folder:{folder}");
    at.load(&format!("document:{id}"), id, &[&folder, "fn:document"])
        .await
}

/// The same of two functions, under tags that others carry together.
#[redis_cached(ttl = 60, key = "leaf:<id>", tags = "row:<id>", skip(at))]
pub(crate) async fn leaf_of_row(at: &Place, id: u8) -> Value {
    let tag = format!("row:{id}");
    at.load(&format!("leaf:{id}"), id, &[&tag]).await
}

#[redis_cached(ttl = 60, key = "leaf:<id>", tags = "all", skip(at))]
pub(crate) async fn leaf_of_all(at: &Place, id: u8) -> Value {
    at.load(&format!("leaf:{id}"), id, &["all"]).await
}

#[redis_cached(ttl = 60, key = "both:<id>", tags = ["folder:1", "folder:2"], skip(at))]
pub(crate) async fn both(at: &Place, id: u8) -> Value {
    let tags = ["folder:1", "folder:2", "fn:both"];
    at.load(&format!("both:{id}"), id, &tags).await
}

async fn version_of(at: &Place, id: u8) -> u32 {
    at.version(id)
}

#[redis_cached(ttl = 60, key = "versioned:<id>", version = version_of, skip(at))]
pub(crate) async fn versioned(at: &Place, id: u8) -> Value {
    at.load(&format!("versioned:{id}"), id, &[]).await
}

#[redis_cached(
    ttl = 0.04,
    stale_while_revalidate = 0.1,
    stale_if_error = 0.2,
    key = "stale:<id>",
    tags = "row:<id>",
    skip(at)
)]
pub(crate) async fn stale(at: &Place, id: u8) -> Value {
    let tag = format!("row:{id}");
    at.load(&format!("stale:{id}"), id, &[&tag, "fn:stale"])
        .await
}

#[redis_cached(
    ttl = 0.03,
    stale_if_error = 0.2,
    soft_timeout = 0.003,
    timeout = 0.05,
    key = "failing:<id>",
    skip(at)
)]
pub(crate) async fn failing(at: &Place, id: u8) -> Result<Value, Failed> {
    at.try_load(&format!("failing:{id}"), id, &[]).await
}

#[redis_cached(
    ttl = 0.04,
    stale_while_revalidate = 0.1,
    stale_if_error = 0.2,
    key = "stale:<id>",
    tags = "row:<id>",
    batch(id in ids),
    skip(at)
)]
pub(crate) async fn stale_many(at: &Place, ids: &[u8]) -> Result<HashMap<u8, Value>, Failed> {
    let mut found = HashMap::new();
    for id in ids {
        let (key, tag) = (format!("stale:{id}"), format!("row:{id}"));
        found.insert(*id, at.try_load(&key, *id, &[&tag, "fn:stale"]).await?);
    }
    Ok(found)
}

#[redis_cached(
    ttl = 0.03,
    stale_if_error = 0.2,
    soft_timeout = 0.003,
    timeout = 0.05,
    key = "failing:<id>",
    batch(id in ids),
    skip(at)
)]
pub(crate) async fn failing_many(at: &Place, ids: &[u8]) -> Result<HashMap<u8, Value>, Failed> {
    let mut found = HashMap::new();
    for id in ids {
        found.insert(*id, at.try_load(&format!("failing:{id}"), *id, &[]).await?);
    }
    Ok(found)
}

#[redis_cached(
    ttl = 0.05,
    refresh_ahead = 0.5,
    early_expiry = 1.0,
    key = "ahead:<id>",
    skip(at)
)]
pub(crate) async fn ahead(at: &Place, id: u8) -> Value {
    at.load(&format!("ahead:{id}"), id, &[]).await
}

/// Nearly all at once.
#[redis_cached(
    ttl = 0.04,
    jitter = 0.2,
    negative_ttl = 0.02,
    stale_while_revalidate = 0.1,
    refresh_ahead = 0.5,
    key = "rich:<id>",
    tags = "row:<id>",
    version = version_of,
    skip(at)
)]
pub(crate) async fn rich(at: &Place, id: u8) -> Result<Option<Value>, Failed> {
    let (key, tag) = (format!("rich:{id}"), format!("row:{id}"));
    let value = at.try_load(&key, id, &[&tag, "all", "fn:rich"]).await?;
    current().tag("all");
    Ok(there(value))
}

fn there(value: Value) -> Option<Value> {
    (!is_absent(value.version())).then_some(value)
}

#[redis_cached(ttl = 60, negative_ttl = 30, key = "maybe:<id>", skip(at))]
pub(crate) async fn maybe(at: &Place, id: u8) -> Option<Value> {
    there(at.load(&format!("maybe:{id}"), id, &[]).await)
}

#[redis_cached(ttl = 60, negative_ttl = 30, key = "maybe:<id>", batch(id in ids), skip(at))]
pub(crate) async fn maybe_many(at: &Place, ids: &[u8]) -> Result<HashMap<u8, Value>, Failed> {
    let mut found = HashMap::new();
    for id in ids {
        let value = at.try_load(&format!("maybe:{id}"), *id, &[]).await?;
        found.extend(there(value).map(|value| (*id, value)));
    }
    Ok(found)
}

#[redis_cached(
    ttl = 60,
    key = "draft:<id>",
    condition = id != 1,
    unless = result.version() % 3 == 0,
    skip(at)
)]
pub(crate) async fn draft(at: &Place, id: u8) -> Value {
    at.load(&format!("draft:{id}"), id, &[]).await
}

#[redis_cached(ttl = 60, key = "said:<id>", skip(at))]
pub(crate) async fn said(at: &Place, id: u8) -> Value {
    let value = at.load(&format!("said:{id}"), id, &[]).await;
    match value.version() % 3 {
        0 => current().do_not_store(),
        1 => current().ttl(Duration::from_millis(20)),
        _ => {}
    }
    value
}

#[redis_cached(ttl = 60, tags = "row:<id>", skip(at))]
pub(crate) async fn price(at: &Place, id: u8) -> Value {
    let tag = format!("row:{id}");
    at.load(&format!("price:{id}"), id, &[&tag]).await
}

/// It and the next have the same default key, and so run uncached.
pub(crate) struct Shop;

impl Shop {
    #[redis_cached(ttl = 60, tags = "row:<id>", skip(at))]
    pub(crate) async fn balance(at: &Place, id: u8) -> Value {
        let tag = format!("row:{id}");
        at.load(&format!("shop:{id}"), id, &[&tag]).await
    }
}

pub(crate) struct Bank;

impl Bank {
    #[redis_cached(ttl = 60, tags = "row:<account>", skip(at))]
    pub(crate) async fn balance(at: &Place, account: u8) -> Value {
        let tag = format!("row:{account}");
        at.load(&format!("bank:{account}"), account, &[&tag]).await
    }
}

impl Place {
    #[redis_cached(ttl = 60, key = "method:<id>")]
    pub(crate) async fn method(&self, id: u8) -> Value {
        self.load(&format!("method:{id}"), id, &[]).await
    }
}

#[async_trait]
pub(crate) trait Desk {
    async fn desk(&self, id: u8) -> Value;
}

#[async_trait]
impl Desk for Place {
    #[redis_cached(ttl = 60, key = "desk:<id>", tags = "row:<id>", cache = self.cache)]
    async fn desk(&self, id: u8) -> Value {
        let tag = format!("row:{id}");
        self.load(&format!("desk:{id}"), id, &[&tag, "fn:desk"])
            .await
    }
}

#[redis_cached(ttl = 60, key = "generic:<K>:<id>", skip(at))]
pub(crate) async fn generic<K: KeyName>(at: &Place, id: u8) -> Value {
    at.load(&format!("generic:{}:{id}", K::KEY_NAME), id, &[])
        .await
}

#[redis_cached(ttl = 60, key = "page:<id>:<number>", skip(at))]
pub(crate) async fn page(at: &Place, id: u8, number: u8) -> Value {
    at.load(&format!("page:{id}:{number}"), id, &[]).await
}

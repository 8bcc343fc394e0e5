//! The functions under test that call others.

use std::collections::BTreeMap;

use cached_redis::redis_cached;

use crate::functions::{found_many, stale, tagged, tagged_result};
use crate::truth::Place;
use crate::value::{Failed, Value};

#[redis_cached(ttl = 60, key = "cart:<id>", skip(at))]
pub(crate) async fn cart(at: &Place, id: u8) -> Value {
    let own = at.load(&format!("cart:{id}"), id, &[]).await;
    own.with(tagged(at, 0).await)
}

#[redis_cached(ttl = 60, key = "list:<id>", skip(at))]
pub(crate) async fn list(at: &Place, id: u8) -> Value {
    let own = at.load(&format!("list:{id}"), id, &[]).await;
    let inner = found_many(at, &[0]).await;
    inner.into_values().fold(own, Value::with)
}

#[redis_cached(ttl = 60, key = "deep:<id>", tags = "deep", skip(at))]
pub(crate) async fn deep(at: &Place, id: u8) -> Result<Value, Failed> {
    let key = format!("deep:{id}");
    let own = at.try_load(&key, id, &["deep", "fn:deep"]).await?;
    let own = own.with(list(at, 0).await);
    Ok(own.with(tagged_result(at, 0).await?))
}

#[redis_cached(ttl = 60, key = "alone:<id>", nested = false, skip(at))]
pub(crate) async fn alone(at: &Place, id: u8) -> Value {
    let own = at.load(&format!("alone:{id}"), id, &[]).await;
    own.apart(tagged(at, 0).await)
}

#[redis_cached(ttl = 60, key = "frozen:<id>", skip(at))]
pub(crate) async fn frozen(at: &Place, id: u8) -> Value {
    let own = at.load(&format!("frozen:{id}"), id, &[]).await;
    own.with(stale(at, 0).await)
}

/// A batch that calls a tagged function.
#[redis_cached(ttl = 60, key = "shelf:<id>", batch(id in ids), skip(at))]
pub(crate) async fn shelf(at: &Place, ids: Vec<u8>) -> Result<BTreeMap<u8, Value>, Failed> {
    let mut found = BTreeMap::new();
    for id in ids {
        let own = at.try_load(&format!("shelf:{id}"), id, &[]).await?;
        found.insert(id, own.with(tagged(at, 0).await));
    }
    Ok(found)
}

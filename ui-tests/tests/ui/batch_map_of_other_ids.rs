//! The map's ids are those of the parameter.

use std::collections::HashMap;

use cached_redis::redis_cached;

#[redis_cached(batch(id in ids), ttl = 60, key = "user:<id>")]
async fn users(ids: &[u64]) -> HashMap<String, String> {
    ids.iter().map(|id| (id.to_string(), id.to_string())).collect()
}

fn main() {}

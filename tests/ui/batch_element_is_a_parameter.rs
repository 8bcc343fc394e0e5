//! One id has a name of its own.

use std::collections::HashMap;

use cached_redis::redis_cached;

#[redis_cached(batch(id in ids), ttl = 60, key = "user:<id>")]
async fn users(id: u64, ids: &[u64]) -> HashMap<u64, String> {
    ids.iter().map(|each| (*each, id.to_string())).collect()
}

fn main() {}

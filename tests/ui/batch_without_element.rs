//! One element of the batch needs a name, for the key.

use std::collections::HashMap;

use cached_redis::redis_cached;

#[redis_cached(batch(ids), ttl = 60, key = "user:<ids>")]
async fn users(ids: &[u64]) -> HashMap<u64, String> {
    ids.iter().map(|id| (*id, id.to_string())).collect()
}

#[redis_cached(batch, ttl = 60, key = "user:<id>")]
async fn more_users(ids: &[u64]) -> HashMap<u64, String> {
    ids.iter().map(|id| (*id, id.to_string())).collect()
}

fn main() {}

//! The batch is a parameter of the function.

use std::collections::HashMap;

use cached_redis::redis_cached;

#[redis_cached(batch(id in idz), ttl = 60, key = "user:<id>")]
async fn users(ids: &[u64]) -> HashMap<u64, String> {
    ids.iter().map(|id| (*id, id.to_string())).collect()
}

fn main() {}

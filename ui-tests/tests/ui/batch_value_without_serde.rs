//! The values of a batch are kept one by one.

use std::collections::HashMap;

use cached_redis::redis_cached;

struct User;

#[redis_cached(batch(id in ids), ttl = 60, key = "user:<id>")]
async fn users(ids: &[u64]) -> HashMap<u64, User> {
    ids.iter().map(|id| (*id, User)).collect()
}

fn main() {}

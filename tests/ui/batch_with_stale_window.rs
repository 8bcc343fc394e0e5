//! What needs an old value is for functions of one id.

use std::collections::HashMap;

use cached_redis::redis_cached;

#[redis_cached(batch(id in ids), ttl = 60, stale_if_error = 60, refresh_ahead = 0.8, key = "user:<id>")]
async fn users(ids: &[u64]) -> HashMap<u64, String> {
    ids.iter().map(|id| (*id, id.to_string())).collect()
}

fn main() {}

//! A batch shares the key of the function of one id.

use std::collections::HashMap;

use cached_redis::redis_cached;

#[redis_cached(batch(id in ids), ttl = 60)]
async fn users(ids: &[u64]) -> HashMap<u64, String> {
    ids.iter().map(|id| (*id, id.to_string())).collect()
}

fn main() {}

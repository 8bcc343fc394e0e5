//! What a batch is given by value is copied for each load.

use std::collections::HashMap;

use cached_redis::redis_cached;

struct Pool;

#[redis_cached(batch(id in ids), ttl = 60, key = "user:<id>", skip(pool))]
async fn users(pool: Pool, ids: &[u64]) -> HashMap<u64, String> {
    let _ = pool;
    ids.iter().map(|id| (*id, id.to_string())).collect()
}

fn main() {}

//! A batch returns a map from ids to values.

use cached_redis::redis_cached;

#[redis_cached(batch(id in ids), ttl = 60, key = "user:<id>")]
async fn users(ids: &[u64]) -> Vec<String> {
    ids.iter().map(u64::to_string).collect()
}

fn main() {}

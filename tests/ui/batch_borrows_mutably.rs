//! A batch may load more than once.

use std::collections::HashMap;

use cached_redis::redis_cached;

#[redis_cached(batch(id in ids), ttl = 60, key = "user:<id>", skip(log))]
async fn users(log: &mut Vec<u64>, ids: &[u64]) -> HashMap<u64, String> {
    log.extend(ids);
    ids.iter().map(|id| (*id, id.to_string())).collect()
}

struct Repository;

impl Repository {
    #[redis_cached(batch(id in ids), ttl = 60, key = "user:<id>")]
    async fn users(self, ids: &[u64]) -> HashMap<u64, String> {
        ids.iter().map(|id| (*id, id.to_string())).collect()
    }
}

fn main() {}

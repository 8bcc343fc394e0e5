//! A batch is a slice or a `Vec`.

use std::collections::{HashMap, HashSet};

use cached_redis::redis_cached;

#[redis_cached(batch(id in ids), ttl = 60, key = "user:<id>")]
async fn users(ids: &HashSet<u64>) -> HashMap<u64, String> {
    ids.iter().map(|id| (*id, id.to_string())).collect()
}

fn main() {}

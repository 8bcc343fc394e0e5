//! Without a key, every parameter is a part of it.

use cached_redis::redis_cached;

struct Db;

#[redis_cached(ttl = 5)]
async fn user(db: &Db, id: u64) -> u64 {
    let _ = db;
    id
}

fn main() {}

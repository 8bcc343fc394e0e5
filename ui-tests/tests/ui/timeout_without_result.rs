use cached_redis::redis_cached;

#[redis_cached(ttl = 5, timeout = 1, key = "user:<id>")]
async fn user(id: u64) -> u64 {
    id
}

fn main() {}

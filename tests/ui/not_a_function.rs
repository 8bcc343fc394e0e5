use cached_redis::redis_cached;

#[redis_cached(ttl = 5)]
struct User {
    id: u64,
}

fn main() {}

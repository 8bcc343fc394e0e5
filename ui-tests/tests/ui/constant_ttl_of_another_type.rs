use cached_redis::redis_cached;

const TTL: &str = "5m";

#[redis_cached(ttl = TTL, key = "users")]
async fn users() -> u64 {
    1
}

fn main() {}

use cached_redis::redis_cached;

#[redis_cached(ttl = , key = "user:<id>" jitter = 0.1, = 5)]
async fn user(id: u64) -> String {
    id.to_string()
}

fn main() {}

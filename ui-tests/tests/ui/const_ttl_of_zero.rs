use cached_redis::redis_cached;

const TTL: std::time::Duration = std::time::Duration::ZERO;

#[redis_cached(ttl = TTL, key = "user:<id>")]
async fn user(id: u64) -> String {
    id.to_string()
}

fn main() {}

use cached_redis::redis_cached;

#[redis_cached(ttl = 5, key = "user:<id>", version = version_of)]
async fn user(id: u64) -> String {
    id.to_string()
}

fn version_of(id: u64) -> u64 {
    id
}

fn main() {}

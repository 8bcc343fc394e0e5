use cached_redis::redis_cached;

#[redis_cached(ttl = 5, key = "user:<id>", unless = result.len(), condition = id)]
async fn user(id: u64) -> String {
    id.to_string()
}

fn main() {}

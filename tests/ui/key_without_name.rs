use cached_redis::redis_cached;

#[redis_cached("user:<id>", ttl = 5)]
async fn user(id: u64) -> String {
    id.to_string()
}

fn main() {}

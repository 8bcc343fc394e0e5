use cached_redis::redis_cached;

#[redis_cached(ttl = 60, key = "user:<id>", tags = [""])]
async fn user(id: u64) -> u64 {
    id
}

fn main() {}

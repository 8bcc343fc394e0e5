use cached_redis::redis_cached;

#[redis_cached(ttl = 5, key = "user:<id>")]
async fn user(id: &str) -> Option<&str> {
    Some(id)
}

fn main() {}

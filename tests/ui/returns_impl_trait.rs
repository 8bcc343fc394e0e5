use cached_redis::redis_cached;

#[redis_cached(ttl = 5, key = "user:<id>")]
async fn user(id: u64) -> Result<impl std::fmt::Display, String> {
    Ok(id)
}

fn main() {}

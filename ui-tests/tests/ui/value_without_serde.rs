use cached_redis::redis_cached;

struct User {
    id: u64,
}

#[redis_cached(ttl = 5, key = "user:<id>")]
async fn user(id: u64) -> Result<User, String> {
    Ok(User { id })
}

fn main() {}

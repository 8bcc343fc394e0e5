use cached_redis::redis_cached;

#[derive(serde::Serialize, serde::Deserialize)]
struct User {
    id: u64,
}

#[redis_cached(ttl = 60, checked, key = "user:<id>")]
async fn user(id: u64) -> User {
    User { id }
}

#[redis_cached(ttl = 60, checked, key = "maybe:<id>")]
async fn maybe_user(id: u64) -> Result<Option<User>, String> {
    Ok(Some(User { id }))
}

fn main() {}

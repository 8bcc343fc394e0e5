//! The derive is missing on the type inside.

use cached_redis::redis_cached;

struct User;

#[redis_cached(ttl = 5, key = "users")]
async fn users() -> Result<Vec<User>, String> {
    Ok(vec![User])
}

fn main() {}

use cached_redis::redis_cached;

struct DbError;

#[redis_cached(ttl = 5, timeout = 1, key = "user:<id>")]
async fn user(id: u64) -> Result<u64, DbError> {
    Ok(id)
}

fn main() {}

use cached_redis::redis_cached;

#[redis_cached(key = "user:<id>")]
async fn user(id: u64) -> String {
    id.to_string()
}

fn main() {}

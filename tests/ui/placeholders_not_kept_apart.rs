use cached_redis::redis_cached;

#[redis_cached(ttl = 5, key = "user:<id>-<team>")]
async fn user(id: u64, team: &str) -> String {
    format!("{team}{id}")
}

fn main() {}

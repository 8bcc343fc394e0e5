use cached_redis::redis_cached;

#[redis_cached(ttl = 5, key = "user:<id>")]
async fn user(id: u64, (shop, _): (u64, u64), tenant: &str) -> String {
    format!("{tenant}{shop}{id}")
}

fn main() {}

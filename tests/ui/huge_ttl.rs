use cached_redis::redis_cached;

#[redis_cached(ttl = 18446744073709552, key = "user:<id>", negative_ttl = "300000000000d")]
async fn user(id: u64) -> String {
    id.to_string()
}

fn main() {}

use cached_redis::redis_cached;

#[redis_cached(ttl = 0, jitter = 2, key = "user:<uuid>:<>", skip(db), cash = x)]
async fn user(id: u64, tenant: u64) -> &'static str {
    ""
}

fn main() {}

use cached_redis::redis_cached;

#[redis_cached(ttl = 5, key = "near:<at:?>")]
async fn near(at: (f64, f64)) -> String {
    format!("{at:?}")
}

fn main() {}

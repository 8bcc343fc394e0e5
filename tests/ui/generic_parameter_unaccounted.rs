use cached_redis::redis_cached;

#[redis_cached(ttl = 5, key = "user:<id>")]
async fn user<T: From<u64> + std::fmt::Display, const N: usize>(id: u64) -> String {
    T::from(id).to_string().repeat(N)
}

fn main() {}

use cached_redis::redis_cached;
use std::time::Duration;

struct Users;

impl Users {
    const TTL: Duration = Duration::from_secs(5);

    #[redis_cached(ttl = Self::TTL, key = "user:<id>")]
    async fn user(&self, id: u64) -> String {
        id.to_string()
    }
}

fn main() {}

use cached_redis::redis_cached;

struct Users;

impl Users {
    #[redis_cached(ttl = 5)]
    async fn user(&self, id: u64) -> String {
        id.to_string()
    }
}

fn main() {}

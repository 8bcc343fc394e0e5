use cached_redis::redis_cached;

#[allow(async_fn_in_trait)]
trait Users {
    #[redis_cached(ttl = 5, key = "user:<id>")]
    async fn user(&self, id: u64) -> String;
}

fn main() {}

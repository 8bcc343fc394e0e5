use cached_redis::redis_cached;

struct Shop;

#[async_trait::async_trait]
trait Prices {
    async fn price(&self, id: u64) -> u64;
}

#[async_trait::async_trait]
impl Prices for Shop {
    #[redis_cached(ttl = 5, early_expiry = 1.0, key = "price:<id>")]
    async fn price(&self, id: u64) -> u64 {
        id
    }
}

fn main() {}

use cached_redis::redis_cached;

struct Connection;

#[redis_cached(ttl = 5, refresh_ahead = 0.8, key = "user:<id>", skip(connection))]
async fn user(connection: &Connection, id: u64) -> u64 {
    let _ = connection;
    id
}

struct Shop;

impl Shop {
    #[redis_cached(ttl = 5, refresh_ahead = 0.8, key = "price:<id>")]
    async fn price(&self, id: u64) -> u64 {
        id
    }
}

fn main() {}

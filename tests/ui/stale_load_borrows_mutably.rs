use cached_redis::redis_cached;

struct Connection;

#[redis_cached(ttl = 5, stale_while_revalidate = 60, key = "user:<id>", skip(connection))]
async fn user(connection: &mut Connection, id: u64) -> u64 {
    let _ = connection;
    id
}

fn main() {}

use cached_redis::redis_cached;

#[derive(Debug)]
struct Id(u64);

#[redis_cached(ttl = 5, key = "user:<id>")]
async fn user(id: Id) -> String {
    format!("{id:?}")
}

fn main() {}

use cached_redis::redis_cached;

struct Db;

#[redis_cached(ttl = 5, key = "user:<id>", version = version_of, skip(db))]
async fn user(db: Db, id: u64) -> String {
    let _ = db;
    id.to_string()
}

async fn version_of(_: Db, id: u64) -> u64 {
    id
}

fn main() {}

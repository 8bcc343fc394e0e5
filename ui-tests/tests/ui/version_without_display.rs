use cached_redis::redis_cached;

struct Version;

#[redis_cached(ttl = 5, key = "user:<id>", version = version_of)]
async fn user(id: u64) -> String {
    id.to_string()
}

async fn version_of(_: u64) -> Version {
    Version
}

fn main() {}

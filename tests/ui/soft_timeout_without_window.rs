use cached_redis::redis_cached;

#[redis_cached(ttl = 5, soft_timeout = 1, key = "user:<id>")]
async fn user(id: u64) -> u64 {
    id
}

/// Inside this window nobody waits.
#[redis_cached(ttl = 5, stale_while_revalidate = 60, soft_timeout = 1, key = "team:<id>")]
async fn team(id: u64) -> u64 {
    id
}

fn main() {}

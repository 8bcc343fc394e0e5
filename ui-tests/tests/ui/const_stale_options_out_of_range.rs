use std::time::Duration;

use cached_redis::redis_cached;

const WINDOW: Duration = Duration::MAX;
const AT_ONCE: Duration = Duration::ZERO;

#[redis_cached(ttl = 5, stale_if_error = WINDOW, key = "user:<id>")]
async fn user(id: u64) -> u64 {
    id
}

#[redis_cached(ttl = 5, stale_if_error = 60, soft_timeout = AT_ONCE, key = "team:<id>")]
async fn team(id: u64) -> u64 {
    id
}

fn main() {}

use cached_redis::redis_cached;

#[redis_cached(
    ttl = 5,
    stale_while_revalidate = -1,
    stale_if_error = "soon",
    refresh_ahead = 1.0,
    early_expiry = 0,
    soft_timeout = 0,
    timeout = 0.0001,
    key = "user:<id>"
)]
async fn user(id: u64) -> Result<u64, String> {
    Ok(id)
}

#[redis_cached(ttl = 5, refresh_ahead = 0, early_expiry = -1.0, key = "team:<id>")]
async fn team(id: u64) -> u64 {
    id
}

#[redis_cached(ttl = 5, refresh_ahead = "80%", early_expiry = true, key = "shop:<id>")]
async fn shop(id: u64) -> u64 {
    id
}

fn main() {}

use cached_redis::write_through;

#[write_through(key = "user:<id>", ttl = 60, replica_lag = "2s", tll = 5, tags = [])]
async fn rename(id: u64) -> Result<u64, String> {
    Ok(id)
}

fn main() {}

use cached_redis::invalidates;

#[invalidates("user:<id>:*", replica_lag = "2s")]
async fn rename(id: u64) -> Result<u64, String> {
    Ok(id)
}

fn main() {}

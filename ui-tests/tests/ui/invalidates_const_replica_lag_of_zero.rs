use cached_redis::invalidates;

const LAG: std::time::Duration = std::time::Duration::ZERO;

#[invalidates("user:<id>", replica_lag = LAG)]
async fn rename(id: u64) -> Result<u64, String> {
    Ok(id)
}

fn main() {}

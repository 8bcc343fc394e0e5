use cached_redis::write_through;

#[write_through(ttl = 60, tags = [])]
async fn rename(id: u64) -> Result<u64, String> {
    Ok(id)
}

fn main() {}

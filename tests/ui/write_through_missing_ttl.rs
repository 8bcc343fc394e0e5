use cached_redis::write_through;

#[write_through(key = "user:<id>", tags = [])]
async fn rename(id: u64) -> Result<u64, String> {
    Ok(id)
}

fn main() {}

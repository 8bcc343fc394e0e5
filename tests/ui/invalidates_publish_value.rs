use cached_redis::invalidates;

#[invalidates("user:<id>", publish = true)]
async fn rename(id: u64) -> Result<u64, String> {
    Ok(id)
}

fn main() {}

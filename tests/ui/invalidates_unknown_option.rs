use cached_redis::invalidates;

#[invalidates("user:<id>", label = "team", whem = "ok")]
async fn rename(id: u64) -> Result<u64, String> {
    Ok(id)
}

fn main() {}

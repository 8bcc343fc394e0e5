use cached_redis::write_through;

#[write_through(key = "user:<result.0>", ttl = 60, tags = [])]
async fn create(name: String) -> Result<(u64, String), String> {
    Ok((1, name))
}

fn main() {}

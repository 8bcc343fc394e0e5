use cached_redis::write_through;

struct User {
    id: u64,
}

#[write_through(key = "user:<id>", ttl = 60, tags = [])]
async fn rename(id: u64) -> Result<User, String> {
    Ok(User { id })
}

fn main() {}

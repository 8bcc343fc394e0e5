use cached_redis::write_through;

#[write_through(key = "user:<id>", ttl = 60, tags = [])]
async fn rename(id: u64) {
    let _ = id;
}

fn main() {}

use cached_redis::write_through;

#[write_through(key = "user:<id>", ttl = 60, tags = [])]
fn rename(id: u64) -> u64 {
    id
}

fn main() {}

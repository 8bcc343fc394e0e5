use cached_redis::invalidates;

#[invalidates(tag = "users", tag = "users")]
async fn rename(id: u64) -> u64 {
    id
}

fn main() {}

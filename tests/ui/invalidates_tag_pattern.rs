use cached_redis::invalidates;

#[invalidates("user:<id>", tag = "team:*")]
async fn rename(id: u64) -> u64 {
    id
}

fn main() {}

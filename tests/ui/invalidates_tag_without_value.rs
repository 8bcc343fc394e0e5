use cached_redis::invalidates;

#[invalidates(tag)]
async fn rename(id: u64) -> u64 {
    id
}

fn main() {}

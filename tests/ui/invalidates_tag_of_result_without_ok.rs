use cached_redis::invalidates;

#[invalidates(tag = "team:<result>")]
async fn rename(id: u64) -> u64 {
    id
}

fn main() {}

use cached_redis::invalidates;

#[invalidates("user:<id>", guard = "require")]
async fn rename(id: u64) -> Option<u64> {
    Some(id)
}

fn main() {}

use cached_redis::invalidates;

#[invalidates("user:<id>", guard = "require")]
async fn rename(id: u64) {
    let _ = id;
}

fn main() {}

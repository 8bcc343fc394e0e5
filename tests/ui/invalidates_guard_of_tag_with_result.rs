use cached_redis::invalidates;

#[invalidates(tag = "team:<result>", when = "ok", guard)]
async fn rename(id: u64) -> u64 {
    id
}

fn main() {}

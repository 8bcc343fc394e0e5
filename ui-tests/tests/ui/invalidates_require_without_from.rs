use cached_redis::invalidates;

struct DbError;

#[invalidates("user:<id>", guard = "require")]
async fn rename(id: u64) -> Result<u64, DbError> {
    Ok(id)
}

fn main() {}

use cached_redis::write_behind;

struct DbError;

#[write_behind(queue = "stock", key = "{stock}:<id>", value = pieces)]
async fn save(id: u64, pieces: u64) -> Result<(), DbError> {
    let _ = (id, pieces);
    Ok(())
}

fn main() {}

use std::cell::RefCell;

use cached_redis::error::Busy;
use cached_redis::write_behind;

struct Db(RefCell<u64>);

#[write_behind(queue = "stock", key = "{stock}:<id>", value = pieces)]
async fn save(db: &Db, id: u64, pieces: u64) -> Result<(), Busy> {
    let _ = id;
    *db.0.borrow_mut() = pieces;
    Ok(())
}

fn main() {}

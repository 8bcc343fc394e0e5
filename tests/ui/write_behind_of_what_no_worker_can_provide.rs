use std::rc::Rc;

use cached_redis::error::Busy;
use cached_redis::write_behind;

struct Db(Rc<u64>);

#[write_behind(queue = "stock", key = "{stock}:<id>", value = pieces)]
async fn save(db: &Db, id: u64, pieces: u64) -> Result<(), Busy> {
    let _ = (id, pieces, &db.0);
    Ok(())
}

fn main() {}

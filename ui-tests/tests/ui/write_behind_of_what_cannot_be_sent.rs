use std::rc::Rc;

use cached_redis::error::Busy;
use cached_redis::write_behind;

#[write_behind(queue = "stock", key = "{stock}:<id>", value = pieces)]
async fn save(id: u64, pieces: u64) -> Result<(), Busy> {
    let shared = Rc::new(pieces);
    std::future::ready(id).await;
    drop(shared);
    Ok(())
}

fn main() {}

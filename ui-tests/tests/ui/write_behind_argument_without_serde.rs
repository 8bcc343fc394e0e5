use cached_redis::error::Busy;
use cached_redis::write_behind;

struct Stock {
    pieces: u64,
}

#[write_behind(queue = "stock", key = "{stock}:<id>", value = stock)]
async fn save(id: u64, stock: Stock) -> Result<(), Busy> {
    let _ = (id, stock.pieces);
    Ok(())
}

fn main() {}

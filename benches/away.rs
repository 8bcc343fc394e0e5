//! A call while the server is gone, beside the bare function; see [`rounds`]. What it loses is printed before the
//! cell: there is no server to wait for, so all of that is ours.

use std::hint::black_box;
use std::time::Duration;

use cached_redis::redis_cached;
use cached_redis::stats::BreakerState;

mod rounds;

use rounds::support::eventually;
use rounds::{Cell, breathe, compare, measure, prepare};

const ROWS: [&str; 1] = ["away"];
const KEYS: usize = 64;

#[redis_cached(ttl = 3600, key = "article:<id>")]
async fn annotated(id: usize) -> usize {
    bare(id).await
}

async fn bare(id: usize) -> usize {
    black_box(id)
}

fn main() {
    measure(&ROWS, &[1, 64], cell);
}

async fn cell(_: usize, tasks: usize) -> Cell {
    let (mut server, cache, _) = prepare(|builder| builder.deadline(Duration::from_secs(1))).await;
    annotated(0).await;
    server.kill();
    eventually("the breaker opens", async || {
        annotated(0).await;
        cache.stats().store().breaker == BreakerState::Open
    })
    .await;
    let ours = |turn: usize| async move {
        assert_eq!(annotated(turn % KEYS).await, turn % KEYS);
        breathe(turn).await;
    };
    let by_hand = |turn: usize| async move {
        assert_eq!(bare(turn % KEYS).await, turn % KEYS);
        breathe(turn).await;
    };
    let cell = compare(tasks, ours, by_hand).await;
    println!("a call loses {:.0} ns", cell.lost());
    cell
}

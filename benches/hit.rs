//! A hit of an annotated function beside `GET` and decoding by hand; see [`rounds`].

use std::sync::Arc;

use cached_redis::redis_cached;

mod rounds;

use rounds::order::{Order, by_hand, hand_key, order};
use rounds::support::eventually;
use rounds::{Cell, compare, encoded, measure, prepare};

/// How many lines an order of about so many bytes has. The last ones are kept decoded, and Redis is asked whether
/// they still stand.
const ROWS: [&str; 4] = ["100 B", "2 KB", "16 KB", "16 KB, checked"];
const LINES: [usize; 4] = [1, 32, 256, 256];
const CHECKED: usize = 3;

/// Keys per size; tasks go through them at their own pace.
const KEYS: usize = 64;

#[redis_cached(ttl = 3600, key = "order:<lines>:<id>")]
async fn annotated(lines: usize, id: usize) -> Order {
    order(lines, id)
}

#[redis_cached(ttl = 3600, checked, key = "checked:<lines>:<id>")]
async fn checked(lines: usize, id: usize) -> Arc<Order> {
    Arc::new(order(lines, id))
}

/// The id of the order that it gets.
async fn ours(row: usize, id: usize) -> usize {
    match row {
        CHECKED => checked(LINES[row], id).await.id,
        _ => annotated(LINES[row], id).await.id,
    }
}

fn main() {
    measure(&ROWS, &[1, 16, 64, 256], cell);
}

async fn cell(row: usize, tasks: usize) -> Cell {
    let lines = LINES[row];
    let (server, cache, connection) = prepare(|builder| builder).await;
    for id in 0..KEYS {
        server.plant(&hand_key(lines, id), &encoded(&order(lines, id)));
        ours(row, id).await;
    }
    eventually("the fills", async || {
        cache.stats().total().fills == KEYS as u64
    })
    .await;
    let call = move |turn: usize| async move {
        let id = turn % KEYS;
        assert_eq!(ours(row, id).await, id);
    };
    let by_hand = move |turn: usize| {
        let (connection, id) = (connection.clone(), turn % KEYS);
        async move { assert_eq!(by_hand(connection, lines, id).await.id, id) }
    };
    let cell = compare(tasks, call, by_hand).await;
    assert_eq!(cache.stats().total().loads, KEYS as u64, "all were hits");
    cell
}

//! A hit under tags beside `GET` and decoding by hand, which has none; see [`rounds`].

use cached_redis::redis_cached;
use redis::aio::MultiplexedConnection;

mod rounds;

use rounds::support::eventually;
use rounds::{Cell, compare, decoded, encoded, measure, prepare};

const ROWS: [&str; 2] = ["1 tag", "3 tags"];

/// Tasks go through them at their own pace.
const KEYS: usize = 64;

const VALUE: &str = "Ada Lovelace, 12 St James's Square";

#[redis_cached(ttl = 3600, key = "one:<team>:<id>", tags = ["team:<team>"])]
async fn one(id: usize, team: usize) -> String {
    let _ = (id, team);
    VALUE.to_owned()
}

#[redis_cached(ttl = 3600, key = "three:<team>:<id>", tags = ["team:<team>", "city:<team>", "land:<team>"])]
async fn three(id: usize, team: usize) -> String {
    let _ = (id, team);
    VALUE.to_owned()
}

async fn ours(row: usize, id: usize) {
    let value = match row {
        0 => one(id, id % 8).await,
        _ => three(id, id % 8).await,
    };
    assert_eq!(value, VALUE);
}

async fn by_hand(mut connection: MultiplexedConnection, id: usize) {
    let mut get = redis::cmd("GET");
    let answer = get
        .arg(format!("bench:hand:{id}"))
        .query_async(&mut connection)
        .await;
    let bytes: Vec<u8> = answer.expect("the server answers");
    assert_eq!(decoded::<String>(&bytes), VALUE);
}

fn main() {
    measure(&ROWS, &[1, 64], cell);
}

async fn cell(row: usize, tasks: usize) -> Cell {
    let (server, cache, connection) = prepare(|builder| builder).await;
    for id in 0..KEYS {
        server.plant(&format!("bench:hand:{id}"), &encoded(&VALUE));
        ours(row, id).await;
    }
    let filled = async || cache.stats().total().fills == KEYS as u64;
    eventually("the fills", filled).await;
    let by_hand = move |turn: usize| by_hand(connection.clone(), turn % KEYS);
    let cell = compare(tasks, move |turn| ours(row, turn % KEYS), by_hand).await;
    assert_eq!(cache.stats().total().loads, KEYS as u64, "all were hits");
    cell
}

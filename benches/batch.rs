//! A batch of hits beside `MGET` and decoding by hand; see [`rounds`].

use std::collections::HashMap;

use cached_redis::redis_cached;
use redis::aio::MultiplexedConnection;

mod rounds;

use rounds::support::eventually;
use rounds::{Cell, compare, decoded, encoded, measure, prepare};

const ROWS: [&str; 2] = ["10 ids", "100 ids"];
const IDS: [usize; 2] = [10, 100];

/// Each call begins with another one of them.
const KEYS: usize = 1000;

const VALUE: &str = "Ada Lovelace, 12 St James's Square";

type Values = HashMap<usize, String>;

#[redis_cached(ttl = 3600, batch(id in ids), key = "many:<id>")]
async fn annotated(ids: &[usize]) -> Values {
    ids.iter().map(|id| (*id, VALUE.to_owned())).collect()
}

async fn by_hand(mut connection: MultiplexedConnection, ids: &[usize]) -> Values {
    let mut mget = redis::cmd("MGET");
    for id in ids {
        mget.arg(format!("bench:hand:{id}"));
    }
    let answer = mget.query_async(&mut connection).await;
    let all: Vec<Vec<u8>> = answer.expect("the server answers");
    ids.iter()
        .zip(all)
        .map(|(id, bytes)| (*id, decoded(&bytes)))
        .collect()
}

fn ids(row: usize, turn: usize) -> Vec<usize> {
    let first = turn * 7;
    (first..first + IDS[row]).map(|id| id % KEYS).collect()
}

fn main() {
    measure(&ROWS, &[1, 16], cell);
}

async fn cell(row: usize, tasks: usize) -> Cell {
    let (server, cache, connection) = prepare(|builder| builder).await;
    for id in 0..KEYS {
        server.plant(&format!("bench:hand:{id}"), &encoded(&VALUE));
    }
    annotated(&(0..KEYS).collect::<Vec<_>>()).await;
    let filled = async || cache.stats().total().fills == KEYS as u64;
    eventually("the fills", filled).await;
    let ours = move |turn| async move {
        let ids = ids(row, turn);
        assert_eq!(annotated(&ids).await.len(), ids.len());
    };
    let by_hand = move |turn| {
        let connection = connection.clone();
        async move {
            let ids = ids(row, turn);
            assert_eq!(by_hand(connection, &ids).await.len(), ids.len());
        }
    };
    let cell = compare(tasks, ours, by_hand).await;
    assert_eq!(cache.stats().total().misses, KEYS as u64, "all were hits");
    cell
}

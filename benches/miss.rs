//! A miss and the fill of its result beside `GET` and `SET` by hand; see [`rounds`].

use std::sync::atomic::{AtomicUsize, Ordering};

use cached_redis::redis_cached;
use redis::aio::MultiplexedConnection;

mod rounds;

use rounds::{Cell, compare, encoded, measure, prepare};

const VALUE: &str = "Ada Lovelace, 12 St James's Square";

/// Nobody has asked for the next one.
static NEXT: AtomicUsize = AtomicUsize::new(0);

fn next() -> usize {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

#[redis_cached(ttl = 60, key = "miss:<id>")]
async fn annotated(id: usize) -> String {
    let _ = id;
    VALUE.to_owned()
}

async fn by_hand(mut connection: MultiplexedConnection, id: usize) -> String {
    let key = format!("bench:hand:{id}");
    let get = redis::cmd("GET")
        .arg(&key)
        .query_async(&mut connection)
        .await;
    let none: Option<Vec<u8>> = get.expect("the server answers");
    assert_eq!(none, None);
    let mut set = redis::cmd("SET");
    set.arg(&key).arg(encoded(&VALUE)).arg("PX").arg(60_000);
    let answer: redis::RedisResult<()> = set.query_async(&mut connection).await;
    answer.expect("the server answers");
    VALUE.to_owned()
}

fn main() {
    measure(&["miss and fill"], &[1, 64], cell);
}

async fn cell(_: usize, tasks: usize) -> Cell {
    let (_server, cache, connection) = prepare(|builder| builder).await;
    let ours = |_| async { assert_eq!(annotated(next()).await, VALUE) };
    let by_hand = move |_| {
        let connection = connection.clone();
        async { assert_eq!(by_hand(connection, next()).await, VALUE) }
    };
    let cell = compare(tasks, ours, by_hand).await;
    assert_eq!(cache.stats().total().hits, 0, "all were misses");
    cell
}

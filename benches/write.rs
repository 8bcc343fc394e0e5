//! Writes beside the commands of a cache that is written by hand, which keeps no promise: an invalidation
//! and a guarded write beside `DEL`, a write-through beside `SET`; see [`rounds`].

use cached_redis::{Cache, invalidates, write_through};
use redis::aio::MultiplexedConnection;

mod rounds;

use rounds::{Cell, compare, encoded, measure, prepare};

const ROWS: [&str; 4] = ["1 key", "3 keys", "guarded", "write-through"];

/// Tasks go through them at their own pace.
const KEYS: usize = 64;

const VALUE: &str = "Ada Lovelace, 12 St James's Square";

#[invalidates("one:<id>")]
async fn one(id: usize) {
    let _ = id;
}

#[invalidates("a:<id>", "b:<id>", "c:<id>")]
async fn three(id: usize) {
    let _ = id;
}

/// By hand: with an attribute for it, the whole namespace of this program would have to be guarded.
async fn guarded(cache: &Cache, id: usize) {
    let guard = cache.begin_write([format!("one:{id}")]).await;
    let ended = guard.expect("it is barred").finish().await;
    ended.expect("it never fails");
}

#[write_through(ttl = 3600, key = "through:<id>", tags = [])]
async fn through(id: usize) -> String {
    let _ = id;
    VALUE.to_owned()
}

async fn ours(cache: Cache, row: usize, id: usize) {
    match row {
        0 => one(id).await,
        1 => three(id).await,
        2 => guarded(&cache, id).await,
        _ => assert_eq!(through(id).await, VALUE),
    }
}

async fn by_hand(mut connection: MultiplexedConnection, row: usize, id: usize) {
    let mut command = redis::cmd(if row == 3 { "SET" } else { "DEL" });
    let names: &[_] = if row == 1 { &["a", "b", "c"] } else { &["one"] };
    for name in names {
        command.arg(format!("bench:{name}:{id}"));
    }
    if row == 3 {
        command.arg(encoded(&VALUE)).arg("PX").arg(3_600_000);
    }
    let answer: redis::RedisResult<()> = command.query_async(&mut connection).await;
    answer.expect("the server answers");
}

fn main() {
    measure(&ROWS, &[1, 64], cell);
}

async fn cell(row: usize, tasks: usize) -> Cell {
    let (_server, cache, connection) = prepare(|builder| builder.guarded(row == 2)).await;
    let by_hand = move |turn: usize| by_hand(connection.clone(), row, turn % KEYS);
    let given = cache.clone();
    let ours = move |turn: usize| ours(given.clone(), row, turn % KEYS);
    let cell = compare(tasks, ours, by_hand).await;
    assert_eq!(
        cache.stats().total().deferred_invalidations,
        0,
        "all were confirmed"
    );
    cell
}

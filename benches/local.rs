//! A hit in process memory, the whole attribute around it, beside a cache written by hand around `quick_cache`:
//! a table from numbers to an `Arc` and when it expires; see [`rounds`].

use std::sync::Arc;
use std::time::{Duration, Instant};

use cached_redis::redis_cached;
use quick_cache::sync::Cache as Table;

mod rounds;

use rounds::support::eventually;
use rounds::{Cell, breathe, compare, measure, prepare};

const ROWS: [&str; 1] = ["Arc"];
const KEYS: usize = 64;
const LONG: Duration = Duration::from_secs(3600);

type Value = Arc<Vec<String>>;

fn value(id: usize) -> Value {
    Arc::new(vec![format!("The {id:04}th article, bound in cloth")])
}

#[redis_cached(ttl = 3600, local = 3600, key = "article:<id>")]
async fn annotated(id: usize) -> Value {
    value(id)
}

async fn by_hand(table: &Table<u64, (Instant, Value)>, id: usize) -> Option<Value> {
    let (expires, value) = table.get(&(id as u64))?;
    (Instant::now() < expires).then_some(value)
}

fn main() {
    measure(&ROWS, &[1, 2], cell);
}

async fn cell(_: usize, tasks: usize) -> Cell {
    let (_server, cache, _) = prepare(|builder| builder).await;
    let table = Arc::new(Table::new(1000));
    for id in 0..KEYS {
        table.insert(id as u64, (Instant::now() + LONG, value(id)));
        eventually("an answer in memory", async || {
            let before = cache.stats().total().local_hits;
            annotated(id).await;
            cache.stats().total().local_hits > before
        })
        .await;
    }
    let ours = |turn: usize| async move {
        assert_eq!(annotated(turn % KEYS).await.len(), 1);
        breathe(turn).await;
    };
    let by_hand = move |turn: usize| {
        let table = Arc::clone(&table);
        async move {
            let value = by_hand(&table, turn % KEYS).await;
            assert_eq!(value.expect("it is there").len(), 1);
            breathe(turn).await;
        }
    };
    compare(tasks, ours, by_hand).await
}

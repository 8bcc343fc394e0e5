//! Write-behind to a real database: each write is in it once and in its order, however often it is tried.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cached_redis::behind::WriteId;
use cached_redis::error::Busy;
use cached_redis::{Cache, write_behind};
use cached_redis_postgres::{is_first, sql, sqlx as of_sqlx};
use sqlx::PgPool;

use crate::support::{Postgres, RedisServer, Session, in_time};

#[derive(Debug)]
struct Failed;

impl From<Busy> for Failed {
    fn from(busy: Busy) -> Self {
        panic!("it is accepted: {busy:?}")
    }
}

impl From<tokio_postgres::Error> for Failed {
    fn from(_: tokio_postgres::Error) -> Self {
        Self
    }
}

impl From<sqlx::Error> for Failed {
    fn from(_: sqlx::Error) -> Self {
        Self
    }
}

/// Every third attempt is rolled back, and every third is committed and told as failed.
#[derive(Clone, Default)]
struct Mishaps {
    attempts: Arc<AtomicU64>,
    numbers: Arc<Mutex<Vec<WriteId>>>,
}

impl Mishaps {
    fn next(&self, write: &WriteId) -> u64 {
        self.numbers.lock().unwrap().push(write.clone());
        self.attempts.fetch_add(1, Ordering::Relaxed) % 3
    }
}

const ROLLED_BACK: u64 = 0;
const UNTOLD: u64 = 1;

/// What the worker hears of a write that was committed.
fn told(mishap: u64) -> Result<(), Failed> {
    match mishap {
        UNTOLD => Err(Failed),
        _ => Ok(()),
    }
}

type Db = Arc<tokio::sync::Mutex<Session>>;

#[write_behind(queue = "items", key = "{items}:<id>", value = n)]
async fn set(db: &Db, mishaps: &Mishaps, id: i32, n: i32) -> Result<(), Failed> {
    let write = WriteId::current().expect("a worker applies it");
    let mishap = mishaps.next(&write);
    let mut client = db.lock().await;
    let transaction = client.transaction().await?;
    if is_first(&transaction, &write).await? {
        let insert = "INSERT INTO log (id, n) VALUES ($1, $2)";
        transaction.execute(insert, &[&id, &n]).await?;
    }
    if mishap == ROLLED_BACK {
        return Err(Failed);
    }
    transaction.commit().await?;
    told(mishap)
}

#[write_behind(queue = "other", key = "{other}:<id>", value = n)]
async fn set_with_sqlx(pool: &PgPool, mishaps: &Mishaps, id: i32, n: i32) -> Result<(), Failed> {
    let write = WriteId::current().expect("a worker applies it");
    let mishap = mishaps.next(&write);
    let mut transaction = pool.begin().await?;
    if of_sqlx::is_first(&mut transaction, &write).await? {
        let insert = sqlx::query("INSERT INTO log (id, n) VALUES ($1, $2)");
        let insert = insert.bind(id).bind(n);
        insert.execute(&mut *transaction).await?;
    }
    if mishap == ROLLED_BACK {
        return Err(Failed);
    }
    transaction.commit().await?;
    told(mishap)
}

struct Sink {
    postgres: Postgres,
    _server: RedisServer,
    cache: Cache,
    mishaps: Mishaps,
}

impl Sink {
    async fn open() -> Self {
        let (postgres, server) = (Postgres::start(), RedisServer::start());
        for _ in 0..2 {
            postgres.run(sql::APPLIED).await;
        }
        postgres
            .run("CREATE TABLE log (at bigserial, id int NOT NULL, n int NOT NULL)")
            .await;
        let cache = Cache::builder().url(server.url()).namespace("it");
        let cache = cache.deadline(Duration::from_secs(20)).write_behind(true);
        Self {
            postgres,
            _server: server,
            cache: cache.build().await.unwrap(),
            mishaps: Mishaps::default(),
        }
    }

    async fn work(&self, queue: &str) {
        let (db, short) = (self.postgres.connect().await, Duration::from_millis(1));
        let pool = PgPool::connect(&self.postgres.url()).await.unwrap();
        let worker = self.cache.write_behind_worker().queue(queue);
        let worker = worker.provide(Arc::new(tokio::sync::Mutex::new(db)));
        let worker = worker.provide(pool).provide(self.mishaps.clone());
        let worker = worker.pauses(short, short).attempts(1000).start().await;
        let queue = self.cache.write_behind_queue(queue).unwrap();
        in_time(queue.flush()).await.unwrap();
        worker.unwrap().stop().await;
    }

    async fn assert_logged(&self, ids: i32, writes: i32) {
        let client = self.postgres.connect().await;
        for id in 0..ids {
            let query = "SELECT n FROM log WHERE id = $1 ORDER BY at";
            let rows = client.query(query, &[&id]).await.unwrap();
            let logged: Vec<i32> = rows.iter().map(|row| row.get(0)).collect();
            assert_eq!(logged, (0..writes).collect::<Vec<_>>(), "of {id}");
        }
        let stats = self.cache.stats().total();
        assert!(stats.failed_writes > 2, "{}", stats.failed_writes);
    }
}

#[tokio::test]
async fn what_is_tried_again_is_in_the_database_once_and_in_its_order() {
    let sink = Sink::open().await;
    // What the callers have does not matter: a worker applies it with its own.
    let db = Arc::new(tokio::sync::Mutex::new(sink.postgres.connect().await));
    for n in 0..8 {
        for id in 0..4 {
            let accepted = sink.cache.scope(set(&db, &sink.mishaps, id, n)).await;
            accepted.unwrap();
        }
    }
    sink.work("items").await;
    sink.assert_logged(4, 8).await;
}

#[tokio::test]
async fn what_is_tried_again_with_sqlx_is_in_the_database_once_and_in_its_order() {
    let sink = Sink::open().await;
    let pool = PgPool::connect_lazy(&sink.postgres.url()).unwrap();
    for n in 0..8 {
        for id in 0..4 {
            let accepted = set_with_sqlx(&pool, &sink.mishaps, id, n);
            sink.cache.scope(accepted).await.unwrap();
        }
    }
    sink.work("other").await;
    sink.assert_logged(4, 8).await;
}

/// A worker that was suspended before its commit, and goes on when its successor has applied the same write and
/// the next one.
#[tokio::test]
async fn who_was_overtaken_waits_for_its_successor_and_applies_nothing() {
    let sink = Sink::open().await;
    let db = Arc::new(tokio::sync::Mutex::new(sink.postgres.connect().await));
    for n in 0..2 {
        let accepted = sink.cache.scope(set(&db, &sink.mishaps, 1, n)).await;
        accepted.unwrap();
    }
    sink.work("items").await;
    let numbers = sink.mishaps.numbers.lock().unwrap().clone();
    let (first, last) = (&numbers[0], numbers.last().unwrap());
    assert!(first.number < last.number && first.partition == last.partition);
    sink.postgres.run("DELETE FROM cached_redis_applied").await;

    let (mut one, mut two) = (sink.postgres.connect().await, sink.postgres.connect().await);
    let successor = one.transaction().await.unwrap();
    assert!(is_first(&successor, last).await.unwrap());
    let overtaken = two.transaction().await.unwrap();
    let waits = async { is_first(&overtaken, first).await.unwrap() };
    let commit = async {
        let blocked = "SELECT count(*) FROM pg_locks WHERE NOT granted";
        let watcher = sink.postgres.connect().await;
        let count = async || {
            watcher
                .query_one(blocked, &[])
                .await
                .unwrap()
                .get::<_, i64>(0)
        };
        while count().await == 0 {
            tokio::task::yield_now().await;
        }
        successor.commit().await
    };
    let (is_first_too, committed) = in_time(async { tokio::join!(waits, commit) }).await;
    committed.unwrap();
    assert!(!is_first_too);
    overtaken.commit().await.unwrap();
    // What the row says is the successor's.
    let third = two.transaction().await.unwrap();
    assert!(!is_first(&third, last).await.unwrap());
}

//! The source, and the functions that read and write it.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use cached_redis::behind::{WorkerSetup, WriteId};
use cached_redis::error::Busy;
use cached_redis::{Builder, Cache, redis_cached, write_behind};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::support::World;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stock {
    pub(crate) pieces: u64,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum DbError {
    Busy(Busy),
    Refused,
}

impl From<Busy> for DbError {
    fn from(busy: Busy) -> Self {
        Self::Busy(busy)
    }
}

/// A write as the source saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Write {
    pub(crate) id: u64,
    pub(crate) pieces: u64,
    pub(crate) number: Option<WriteId>,
}

/// The source.
#[derive(Clone)]
pub(crate) struct Db(Arc<Inner>);

struct Inner {
    rows: Mutex<BTreeMap<u64, u64>>,
    log: Mutex<Vec<Write>>,
    loads: AtomicU64,
    /// Writes wait until this says so.
    open: watch::Sender<bool>,
    /// Those that the source refuses, by their value.
    poison: Mutex<Option<u64>>,
    away: AtomicBool,
    tries: AtomicU64,
}

impl Db {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Inner {
            rows: Mutex::default(),
            log: Mutex::default(),
            loads: AtomicU64::new(0),
            open: watch::Sender::new(true),
            poison: Mutex::default(),
            away: AtomicBool::new(false),
            tries: AtomicU64::new(0),
        }))
    }

    pub(crate) fn open(&self, open: bool) {
        self.0.open.send_replace(open);
    }

    /// Refuses writes of this value; `None`: none any more.
    pub(crate) fn refuse(&self, pieces: Option<u64>) {
        *self.0.poison.lock().unwrap() = pieces;
    }

    /// Refuses everything, as long as it is so.
    pub(crate) fn away(&self, away: bool) {
        self.0.away.store(away, Ordering::Relaxed);
    }

    pub(crate) fn row(&self, id: u64) -> u64 {
        self.0.rows.lock().unwrap().get(&id).copied().unwrap_or(0)
    }

    /// A write that passes the cache by.
    pub(crate) fn set(&self, id: u64, pieces: u64) {
        self.0.rows.lock().unwrap().insert(id, pieces);
    }

    pub(crate) fn log(&self) -> Vec<Write> {
        self.0.log.lock().unwrap().clone()
    }

    /// What was written to a row, in its order.
    pub(crate) fn pieces(&self, id: u64) -> Vec<u64> {
        let log = self.log().into_iter().filter(|write| write.id == id);
        log.map(|write| write.pieces).collect()
    }

    pub(crate) fn loads(&self) -> u64 {
        self.0.loads.load(Ordering::Relaxed)
    }

    /// How many writes have begun.
    pub(crate) fn tries(&self) -> u64 {
        self.0.tries.load(Ordering::Relaxed)
    }

    async fn write(&self, id: u64, pieces: u64) -> Result<(), DbError> {
        self.0.tries.fetch_add(1, Ordering::Relaxed);
        let mut open = self.0.open.subscribe();
        open.wait_for(|open| *open)
            .await
            .expect("the source is there");
        let is_away = self.0.away.load(Ordering::Relaxed);
        if is_away || *self.0.poison.lock().unwrap() == Some(pieces) {
            return Err(DbError::Refused);
        }
        self.set(id, pieces);
        let number = WriteId::current();
        self.0
            .log
            .lock()
            .unwrap()
            .push(Write { id, pieces, number });
        Ok(())
    }
}

#[redis_cached(ttl = 300, key = "{stock}:<id>", skip(db))]
pub(crate) async fn stock(db: &Db, id: u64) -> Stock {
    db.0.loads.fetch_add(1, Ordering::Relaxed);
    let pieces = db.row(id);
    Stock { pieces }
}

#[write_behind(queue = "stock", key = "{stock}:<id>", value = stock, max_queue = 16000)]
pub(crate) async fn save(db: &Db, id: u64, stock: Stock) -> Result<(), DbError> {
    db.write(id, stock.pieces).await
}

#[redis_cached(batch(id in ids), ttl = 300, key = "{stock}:<id>", skip(db))]
pub(crate) async fn stocks(db: &Db, ids: &[u64]) -> HashMap<u64, Stock> {
    ids.iter().map(|id| (*id, db.row(*id).into())).collect()
}

/// Where entries are compressed.
#[redis_cached(ttl = 300, compress = "1 KiB", key = "{note}:<id>", skip(db))]
pub(crate) async fn note(db: &Db, id: u64) -> String {
    db.row(id).to_string()
}

#[write_behind(queue = "note", key = "{note}:<id>", value = text)]
pub(crate) async fn save_note(db: &Db, id: u64, text: String) -> Result<(), DbError> {
    db.write(id, text.len() as u64).await
}

/// One that panics when it is applied.
#[write_behind(queue = "stock", key = "{stock}:<id>", value = stock)]
pub(crate) async fn save_badly(id: u64, stock: Stock) -> Result<(), DbError> {
    panic!("asked to, for {id} and {stock:?}")
}

#[redis_cached(ttl = 300, key = "{price}:<id>", skip(db))]
pub(crate) async fn price(db: &Db, id: u64) -> u64 {
    db.row(id)
}

/// The whole state each time.
#[write_behind(queue = "price", key = "{price}:<id>", value = price, coalesce, max_queue = 32)]
pub(crate) async fn save_price(db: &Db, id: u64, price: u64) -> Result<(), DbError> {
    db.write(id, price).await
}

/// An outer entry, made of a row.
#[redis_cached(ttl = 300, key = "double:<id>", skip(db))]
pub(crate) async fn double(db: &Db, id: u64) -> u64 {
    stock(db, id).await.pieces * 2
}

pub(crate) fn builder(world: &World) -> Builder {
    world.patient().write_behind(true)
}

pub(crate) async fn cache(world: &World) -> Cache {
    builder(world)
        .build()
        .await
        .expect("the settings are right")
}

/// A worker that is not started yet, which does not wait long.
pub(crate) fn worker(cache: &Cache, db: &Db) -> WorkerSetup {
    let short = std::time::Duration::from_millis(1);
    let worker = cache.write_behind_worker().queue("stock").queue("price");
    worker.provide(db.clone()).pauses(short, 20 * short)
}

pub(crate) async fn flush(cache: &Cache, queue: &str) {
    cache
        .write_behind_queue(queue)
        .unwrap()
        .flush()
        .await
        .unwrap();
}

impl From<u64> for Stock {
    fn from(pieces: u64) -> Self {
        Self { pieces }
    }
}

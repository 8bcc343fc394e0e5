//! The source that the functions under test load from, and what reads of it may not fall behind.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::RwLock;
use tokio::time::sleep;

use crate::oracle::Returned;
use crate::value::{Failed, Part, Value};

pub(crate) const ROWS: usize = 3;

/// What a panic says that a program asked for.
pub(crate) const PLANTED: &str = "planted";

/// The versions of all rows at one moment.
pub(crate) type Versions = [u32; ROWS];

/// What becomes of the next load or write of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Mishap {
    Fails,
    Panics,
}

/// The rows of one namespace.
pub(crate) struct Truth {
    pub(crate) world: String,
    rows: Mutex<Rows>,
    ticks: AtomicU64,
    /// Taken alone by whoever stores a value that must be current, shared by those who write.
    pub(crate) writing: [RwLock<()>; ROWS],
    /// The invalidations that have returned.
    pub(crate) returned: Mutex<Vec<Returned>>,
}

#[derive(Default)]
struct Rows {
    versions: Versions,
    mishaps: [VecDeque<Mishap>; ROWS],
}

impl Truth {
    pub(crate) fn new(world: &str) -> Arc<Self> {
        let versions = [1; ROWS];
        Arc::new(Self {
            world: world.to_owned(),
            rows: Mutex::new(Rows {
                versions,
                ..Rows::default()
            }),
            ticks: AtomicU64::new(1),
            writing: std::array::from_fn(|_| RwLock::new(())),
            returned: Mutex::default(),
        })
    }

    /// The committed versions.
    pub(crate) fn versions(&self) -> Versions {
        self.rows().versions
    }

    pub(crate) fn plan(&self, row: u8, mishap: Mishap) {
        self.rows().mishaps[usize::from(row)].push_back(mishap);
    }

    /// Later than all before.
    pub(crate) fn tick(&self) -> u64 {
        self.ticks.fetch_add(1, Ordering::SeqCst)
    }

    /// Nothing goes wrong any more.
    pub(crate) fn calm(&self) {
        self.rows().mishaps = Default::default();
    }

    fn mishap(&self, row: u8) -> Option<Mishap> {
        self.rows().mishaps[usize::from(row)].pop_front()
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A transaction of the source: its rows, which nobody else sees.
pub(crate) struct Transaction {
    pub(crate) number: u32,
    rows: Mutex<BTreeSet<u8>>,
}

/// A connection to the source: what the functions under test are given.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) truth: Arc<Truth>,
    pub(crate) cache: cached_redis::Cache,
    pub(crate) open: Option<Arc<Transaction>>,
    /// What was committed last, through this very connection.
    pub(crate) wrote: Arc<Mutex<Option<Versions>>>,
    /// How many writes it has seen, committed or not.
    pub(crate) writes: Arc<AtomicU64>,
}

impl Place {
    pub(crate) fn new(truth: &Arc<Truth>, cache: &cached_redis::Cache) -> Self {
        Self {
            truth: Arc::clone(truth),
            cache: cache.clone(),
            open: None,
            wrote: Arc::default(),
            writes: Arc::default(),
        }
    }

    /// The same connection, in a transaction.
    pub(crate) fn begin(&self) -> Self {
        let number = u32::try_from(self.truth.tick()).expect("few steps");
        let rows = Mutex::default();
        Self {
            open: Some(Arc::new(Transaction { number, rows })),
            ..self.clone()
        }
    }

    /// Ends the transaction.
    pub(crate) fn commit_all(&self) {
        if let Some(open) = &self.open {
            for row in &*open.rows.lock().unwrap() {
                self.truth.rows().versions[usize::from(*row)] += 1;
            }
            self.note();
        }
    }

    /// Loads a row for the entry `key`. Where the source fails, it is asked again.
    pub(crate) async fn load(&self, key: &str, row: u8, tags: &[&str]) -> Value {
        loop {
            if let Ok(value) = self.try_load(key, row, tags).await {
                return value;
            }
        }
    }

    pub(crate) async fn try_load(
        &self,
        key: &str,
        row: u8,
        tags: &[&str],
    ) -> Result<Value, Failed> {
        pause().await;
        self.meet(row)?;
        let value = self.now(key, row, tags);
        pause().await;
        Ok(value)
    }

    /// What a load finds at this moment.
    pub(crate) fn now(&self, key: &str, row: u8, tags: &[&str]) -> Value {
        let version = self.truth.versions()[usize::from(row)];
        let own = self.open.as_ref();
        let own = own.filter(|open| open.rows.lock().unwrap().contains(&row));
        let part = Part {
            row,
            version,
            open: own.map_or(0, |open| open.number),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        };
        Value {
            key: key.to_owned(),
            world: self.truth.world.clone(),
            parts: vec![part],
        }
    }

    /// What a function under `version` is asked for.
    pub(crate) fn version(&self, row: u8) -> u32 {
        self.now("", row, &[]).version()
    }

    /// Writes a row, and commits it unless a transaction is open.
    pub(crate) async fn write(&self, row: u8) -> Result<(), Failed> {
        pause().await;
        let early = fastrand::bool();
        if early {
            self.write_now(row);
        }
        self.meet(row)?;
        if !early {
            self.write_now(row);
        }
        pause().await;
        Ok(())
    }

    /// The same for those whose invalidation has to be asked for without a pause in between.
    pub(crate) fn write_now(&self, row: u8) {
        self.writes.fetch_add(1, Ordering::SeqCst);
        if let Some(open) = &self.open {
            open.rows.lock().unwrap().insert(row);
        } else {
            self.truth.rows().versions[usize::from(row)] += 1;
            self.note();
        }
    }

    /// The same for those who invalidate nothing after a failure.
    pub(crate) async fn write_or_not(&self, row: u8) -> Result<(), Failed> {
        pause().await;
        self.meet(row)?;
        self.write_now(row);
        Ok(())
    }

    /// What is invalidated from here on is to be seen in these versions.
    pub(crate) fn note(&self) {
        *self.wrote.lock().unwrap() = Some(self.truth.versions());
    }

    fn meet(&self, row: u8) -> Result<(), Failed> {
        match self.truth.mishap(row) {
            None => Ok(()),
            Some(Mishap::Fails) => Err(Failed(self.truth.tick())),
            Some(Mishap::Panics) => std::panic::panic_any(PLANTED),
        }
    }
}

/// None, or a few milliseconds.
pub(crate) async fn pause() {
    match fastrand::u64(..6) {
        0 => {}
        1 => tokio::task::yield_now().await,
        millis => sleep(Duration::from_millis(millis - 2)).await,
    }
}

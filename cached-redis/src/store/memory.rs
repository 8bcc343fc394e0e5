//! The store inside the process.
//!
//! It keeps the protocol's promise by the plainest means: a step holds the locks of its keys' shards
//! from its look to its change, so nothing can come between. Entries expire when they are next looked
//! at, and leave for room as the bounds demand; there is no task in the background. Time is tokio's,
//! so that a test which holds the clock holds every time to live.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use tokio::time::Instant;
use xxhash_rust::xxh3::xxh3_64;

use super::bars::Bars;
use super::head::Head;
use super::report::ServerReport;
use super::sample::ServerSample;
use crate::error::Error;
use crate::util::lock::{Mutex, MutexGuard};
use crate::wire::entry::{Token, is_pending};
use crate::wire::lock::Record;
use crate::wire::tombstone::Tombstone;

mod feed;
mod queue;
mod shard;
mod steps;
#[cfg(test)]
mod tests;

use feed::Feeds;
pub(super) use feed::MemoryLog;
use queue::Queues;
pub(crate) use shard::MemoryLimits;
use shard::{Change, Shard, alive, carries, shard, shard_count, step_in};

/// See the module.
pub(crate) struct MemoryStore {
    shards: Box<[Mutex<Shard>]>,
    /// Locked after a shard.
    bars: Mutex<Bars>,
    /// Locked after a shard as well.
    queues: Mutex<Queues>,
    /// Where tokio's clock stood at `epoch_ms`.
    origin: Instant,
    epoch_ms: u64,
    feeds: Feeds,
    value_bytes: u64,
    most_bytes: Option<u64>,
}

impl MemoryStore {
    /// A store of its own.
    pub(crate) fn private(limits: MemoryLimits) -> Result<Arc<Self>, Error> {
        Self::new(limits).map(Arc::new)
    }

    /// The store that all caches of this process share under `name`; the first one's limits hold.
    pub(crate) fn shared(name: &str, limits: MemoryLimits) -> Result<Arc<Self>, Error> {
        static STORES: Mutex<Option<HashMap<String, Weak<MemoryStore>>>> = Mutex::new(None);
        let mut stores = STORES.lock();
        let stores = stores.get_or_insert_default();
        if let Some(store) = stores.get(name).and_then(Weak::upgrade) {
            return Ok(store);
        }
        stores.retain(|_, store| store.strong_count() > 0);
        let store = Self::private(limits)?;
        stores.insert(name.to_owned(), Arc::downgrade(&store));
        Ok(store)
    }

    fn new(limits: MemoryLimits) -> Result<Self, Error> {
        let problem = "must not be zero";
        Error::require(limits.entries > 0, "memory_entries", problem)?;
        Error::require(limits.bytes != Some(0), "memory_bytes", problem)?;
        let count = shard_count(limits);
        Ok(Self {
            shards: (0..count)
                .map(|_| Mutex::new(shard(limits, count)))
                .collect(),
            bars: Mutex::default(),
            queues: Mutex::default(),
            origin: Instant::now(),
            epoch_ms: unix_ms(),
            feeds: Feeds::default(),
            value_bytes: limits.value_bytes,
            most_bytes: limits.bytes,
        })
    }

    /// The count is a power of two.
    fn shard_of(&self, key: &str) -> usize {
        xxh3_64(key.as_bytes()) as usize & (self.shards.len() - 1)
    }

    fn lock(&self, key: &str) -> MutexGuard<'_, Shard> {
        self.lock_shard(self.shard_of(key))
    }

    fn lock_shard(&self, shard: usize) -> MutexGuard<'_, Shard> {
        // Nothing under the lock can panic half-way through a change.
        self.shards[shard].lock()
    }

    /// One step: `decide` sees what stands under `key` and says what becomes of it.
    fn step<R>(&self, key: &str, decide: impl FnOnce(Option<&Bytes>) -> (Change, R)) -> R {
        step_in(&mut self.lock(key), key, decide)
    }

    /// One step on all of `keys`: all shards that have one are locked, in their order.
    fn step_each<R>(
        &self,
        keys: &[String],
        decide: impl Fn(Option<&Bytes>) -> (Change, R),
    ) -> Vec<R> {
        let shards: BTreeSet<_> = keys.iter().map(|key| self.shard_of(key)).collect();
        let locked = shards.into_iter();
        let mut locked: BTreeMap<_, _> = locked.map(|at| (at, self.lock_shard(at))).collect();
        let mut one = |key: &String| {
            let shard = locked.get_mut(&self.shard_of(key));
            step_in(shard.expect("it was locked"), key, &decide)
        };
        keys.iter().map(&mut one).collect()
    }

    /// How full it is; shard by shard.
    pub(super) fn sample(&self) -> ServerSample {
        let each = self.shards.iter().map(|shard| {
            let shard = shard.lock();
            let sizes = shard.iter().map(|(key, slot)| key.len() + slot.bytes.len());
            (shard.len() as u64, sizes.sum::<usize>() as u64)
        });
        let (keys, used_memory) = each.fold((0, 0), |(keys, bytes), (more, larger)| {
            (keys + more, bytes + larger)
        });
        ServerSample {
            server: "memory".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            keys,
            used_memory,
            max_memory: self.most_bytes,
            eviction_policy: "least read".to_owned(),
            evicted_keys: 0,
            expired_keys: 0,
        }
    }

    /// How many bytes stand under each of `keys`.
    pub(super) fn lengths(&self, keys: &[String]) -> Vec<u64> {
        let length = |standing: Option<&Bytes>| (Change::Keep, standing.map_or(0, Bytes::len));
        let lengths = keys.iter().map(|key| self.step(key, length) as u64);
        lengths.collect()
    }

    /// What stands under each of `keys`.
    pub(super) fn heads(&self, keys: &[String]) -> Vec<Option<Head>> {
        let head = |key: &String| {
            let mut shard = self.lock(key);
            let bytes = alive(&mut shard, key)?.clone();
            let ttl = shard
                .peek(key.as_str())?
                .expires
                .duration_since(Instant::now());
            Some(Head {
                length: bytes.len() as u64,
                ttl: (!is_pending(&bytes)).then_some(ttl),
                bytes: Some(bytes),
            })
        };
        keys.iter().map(head).collect()
    }

    /// What there is to say of it: everybody may do everything.
    pub(super) fn report(&self, commands: usize) -> ServerReport {
        ServerReport {
            server: "memory".to_owned(),
            allowed: vec![Some(true); commands],
            clock_ahead_ms: Some(0),
            ..ServerReport::default()
        }
    }

    fn clock_ms(&self) -> u64 {
        self.epoch_ms + self.origin.elapsed().as_millis() as u64
    }

    fn clock_us(&self) -> u64 {
        self.epoch_ms * 1000 + self.origin.elapsed().as_micros() as u64
    }

    fn is_barred(&self, key: &str) -> bool {
        self.bars.lock().hold_up(key, self.clock_ms())
    }

    /// Does `change` if what stands under `key` carries `token`.
    fn step_if(&self, key: &str, token: Token, change: impl FnOnce(&Bytes) -> Change) -> bool {
        self.step(key, |standing| match standing {
            Some(bytes) if carries(bytes, token.as_bytes()) => (change(bytes), true),
            _ => (Change::Keep, false),
        })
    }

    /// Lets `change` see and change the tombstone under each key, at a time in ms; one without
    /// holders is none, and then nothing stands any more. `None` leaves the key as it was. What is
    /// pending stays, which says `pending`. Whether all changes said so.
    fn step_all(
        &self,
        keys: &[String],
        token: Token,
        pending: bool,
        change: impl Fn(&mut Tombstone, u64) -> Option<bool>,
    ) -> bool {
        // Every key has its turn, whatever became of the others.
        let done = self.step_each(keys, |standing| {
            if standing.is_some_and(|bytes| is_pending(bytes)) {
                return (Change::Keep, pending);
            }
            let now = self.clock_ms();
            let mut tombstone = Tombstone::read(standing, now);
            let Some(done) = change(&mut tombstone, now) else {
                return (Change::Keep, false);
            };
            (Change::to(&tombstone, token, now), done)
        });
        done.into_iter().all(|done| done)
    }

    /// Lets `change` see and change the record of a lock, at a time in µs. `None`: foreign bytes
    /// stand there.
    fn step_lock<R>(&self, key: &str, change: impl FnOnce(&mut Record, u64) -> R) -> Option<R> {
        self.step(key, |standing| {
            let now = self.clock_us();
            let Some(before) = Record::read(standing) else {
                return (Change::Keep, None);
            };
            let mut record = before.clone();
            let result = Some(change(&mut record, now));
            if record == before {
                return (Change::Keep, result);
            }
            let (text, life) = record.entry(now);
            (Change::Set(text, life), result)
        })
    }
}

impl fmt::Debug for MemoryStore {
    /// Says nothing of the keys and values inside.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_millis() as u64
}

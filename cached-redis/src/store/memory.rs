//! The store inside the process.
//!
//! It keeps the protocol's promise by the plainest means: a step holds the locks of its keys' shards
//! from its look to its change, so nothing can come between. Entries expire when they are next looked
//! at, and leave for room as the bounds demand; there is no task in the background. Time is tokio's,
//! so that a test which holds the clock holds every time to live.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use quick_cache::unsync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};
use tokio::time::Instant;
use xxhash_rust::xxh3::xxh3_64;

use super::bars::Bars;
use super::{Answer, Outlet, Put, Store, bounded, envelope_token, millis};
use crate::error::{Error, StoreError};
use crate::policy::defaults;
use crate::store::size;
use crate::util::lock::{Mutex, MutexGuard};
use crate::wire::entry::Token;
use crate::wire::lock::{Grant, Record};
use crate::wire::tag::Generation;
use crate::wire::tombstone::Tombstone;

mod feed;

use feed::Feeds;
pub(super) use feed::MemoryLog;

/// How much a memory store may hold; beyond it, entries that are read least leave.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MemoryLimits {
    /// Number of entries.
    pub(crate) entries: u64,
    /// Bytes of keys and entries together.
    pub(crate) bytes: Option<u64>,
    /// Bytes of one entry.
    pub(crate) value_bytes: u64,
}

impl Default for MemoryLimits {
    fn default() -> Self {
        Self {
            entries: defaults::MEMORY_ENTRIES,
            bytes: None,
            value_bytes: defaults::MAX_VALUE_BYTES,
        }
    }
}

/// See the module.
pub(crate) struct MemoryStore {
    shards: Box<[Mutex<Shard>]>,
    /// Locked after a shard.
    bars: Mutex<Bars>,
    /// Where tokio's clock stood at `epoch_ms`.
    origin: Instant,
    epoch_ms: u64,
    feeds: Feeds,
    value_bytes: u64,
}

type Shard = Cache<Box<str>, Slot, Cost>;

struct Slot {
    bytes: Bytes,
    expires: Instant,
}

/// What a step does to its key once it has looked.
enum Change {
    Keep,
    Set(Bytes, Duration),
    /// Leaves what stands there at least so much time.
    Prolong(Duration),
    Remove,
}

impl Change {
    /// Puts `tombstone` there; one without holders is none.
    fn to(tombstone: &Tombstone, token: Token, now: u64) -> Self {
        match tombstone.entry(token, now) {
            Some((bytes, life)) => Self::Set(bytes, life),
            None => Self::Remove,
        }
    }
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
            origin: Instant::now(),
            epoch_ms: unix_ms(),
            feeds: Feeds::default(),
            value_bytes: limits.value_bytes,
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

    fn is_barred(&self, key: &str) -> bool {
        self.bars.lock().hold_up(key, self.now_ms())
    }

    /// Does `change` if what stands under `key` carries `token`.
    fn step_if(&self, key: &str, token: Token, change: impl FnOnce(&Bytes) -> Change) -> bool {
        self.step(key, |standing| match standing {
            Some(bytes) if carries(bytes, token.as_bytes()) => (change(bytes), true),
            _ => (Change::Keep, false),
        })
    }

    /// Lets `change` see and change the tombstone under each key, at a time in ms; one without
    /// holders is none, and then nothing stands any more. `None` leaves the key as it was. Whether
    /// all changes said so.
    fn step_all(
        &self,
        keys: &[String],
        token: Token,
        change: impl Fn(&mut Tombstone, u64) -> Option<bool>,
    ) -> bool {
        // Every key has its turn, whatever became of the others.
        let done = self.step_each(keys, |standing| {
            let now = self.now_ms();
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
            let now = self.epoch_ms * 1000 + self.origin.elapsed().as_micros() as u64;
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

impl Store for MemoryStore {
    async fn get(&self, key: &str) -> Answer<Option<Bytes>> {
        Ok(alive(&mut self.lock(key), key).cloned())
    }

    async fn get_all(&self, keys: &[&str]) -> Answer<Vec<Option<Bytes>>> {
        let get = |key: &&str| alive(&mut self.lock(key), key).cloned();
        Ok(keys.iter().map(get).collect())
    }

    async fn stamp(
        &self,
        tags: &[(String, Generation)],
        ttl: Duration,
    ) -> Answer<Vec<Option<Generation>>> {
        let stamp = |(tag, new): &(String, Generation)| {
            self.step(tag, |standing| match standing {
                None => (
                    Change::Set(Bytes::copy_from_slice(new.bytes()), ttl),
                    Some(*new),
                ),
                Some(bytes) => match Generation::read(bytes) {
                    None => (Change::Keep, None),
                    some => (Change::Prolong(ttl), some),
                },
            })
        };
        Ok(tags.iter().map(stamp).collect())
    }

    async fn acquire(&self, key: &str, lease: Bytes, ttl: Duration) -> Answer<Option<Bytes>> {
        Ok(self.step(key, |standing| match standing {
            Some(bytes) => (Change::Keep, Some(bytes.clone())),
            None => (Change::Set(lease, ttl), None),
        }))
    }

    async fn acquire_over(
        &self,
        key: &str,
        seen: Bytes,
        lease: Bytes,
        ttl: Duration,
    ) -> Answer<bool> {
        Ok(self.step(key, |standing| match standing {
            Some(bytes) if same(bytes, &seen) => (Change::Set(lease, ttl), true),
            Some(bytes) => (Change::Keep, same(bytes, &lease)),
            None => (Change::Keep, false),
        }))
    }

    async fn seize(&self, key: &str, lease: Bytes, ttl: Duration) -> Answer<bool> {
        Ok(self.step(key, |standing| match standing {
            Some(bytes) if Tombstone::stands(bytes) => (Change::Keep, false),
            _ => (Change::Set(lease, ttl), true),
        }))
    }

    async fn extend(&self, key: &str, token: Token, ttl: Duration) -> Answer<bool> {
        Ok(self.step_if(key, token, |bytes| Change::Set(bytes.clone(), ttl)))
    }

    async fn fill(&self, key: &str, token: Token, entry: Bytes, ttl: Duration) -> Answer<bool> {
        size::check(entry.len(), self.value_bytes)?;
        self.step(key, |standing| match standing {
            Some(bytes) if carries(bytes, token.as_bytes()) => match self.is_barred(key) {
                true => (Change::Keep, Err(StoreError::barred())),
                false => (Change::Set(entry, ttl), Ok(true)),
            },
            Some(bytes) => (Change::Keep, Ok(same(bytes, &entry))),
            None => (Change::Keep, Ok(false)),
        })
    }

    async fn release(&self, key: &str, token: Token) -> Answer<bool> {
        Ok(self.step_if(key, token, |_| Change::Remove))
    }

    async fn invalidate(&self, keys: &[String]) -> Answer<()> {
        match keys {
            [key] => self.step(key, |_| (Change::Remove, ())),
            keys => drop(self.step_each(keys, |_| (Change::Remove, ()))),
        }
        Ok(())
    }

    async fn bar(&self, id: Token, life: Option<Duration>, prefixes: &[String]) -> Answer<bool> {
        let now = self.now_ms();
        let deadline = life.map(|life| now + millis(life));
        Ok(self.bars.lock().set(id, deadline, prefixes, now))
    }

    /// One shard at a time.
    async fn scan(&self, prefix: &str, cursor: u64) -> Answer<(Vec<String>, u64)> {
        let Some(shard) = self.shards.get(cursor as usize) else {
            return Ok((Vec::new(), 0));
        };
        let shard = shard.lock();
        let keys = shard.iter().map(|(key, _)| key.to_string());
        let keys = keys.filter(|key| key.starts_with(prefix)).collect();
        let next = (cursor + 1) % self.shards.len() as u64;
        Ok((keys, next))
    }

    async fn begin(&self, keys: &[String], token: Token, hold: Duration) -> Answer<()> {
        let begun = self.step_all(keys, token, |tombstone, now| {
            tombstone.begin(token, now + millis(hold)).then_some(true)
        });
        let code = "FULL".to_owned();
        begun.then_some(()).ok_or(StoreError::Server { code })
    }

    async fn hold(&self, keys: &[String], token: Token, hold: Duration) -> Answer<bool> {
        Ok(self.step_all(keys, token, |tombstone, now| {
            tombstone.hold(token, now + millis(hold)).then_some(true)
        }))
    }

    async fn end(&self, keys: &[String], token: Token, hold_off: Option<Duration>) -> Answer<bool> {
        Ok(self.step_all(keys, token, |tombstone, now| {
            Some(tombstone.end(token, hold_off.map(|time| now + millis(time))))
        }))
    }

    async fn put(&self, key: &str, token: Token, entry: Bytes, ttl: Duration) -> Answer<Put> {
        size::check(entry.len(), self.value_bytes)?;
        Ok(self.step(key, |standing| {
            if standing.is_some_and(|bytes| same(bytes, &entry)) {
                return (Change::Keep, Put::Stored);
            }
            let now = self.now_ms();
            let mut tombstone = Tombstone::read(standing, now);
            if tombstone.is_only(token) && !self.is_barred(key) {
                return (Change::Set(entry, ttl), Put::Stored);
            }
            let ended = match tombstone.end(token, None) {
                true => Put::Ended,
                false => Put::Lapsed,
            };
            (Change::to(&tombstone, token, now), ended)
        }))
    }

    async fn invalidate_guarded(&self, keys: &[String], hold_off: Option<Duration>) -> Answer<()> {
        self.step_all(keys, Token::next(), |tombstone, now| {
            tombstone.interfere(hold_off.map(|time| now + millis(time)));
            Some(true)
        });
        Ok(())
    }

    async fn lock(&self, key: &str, holder: Token, life: Duration) -> Answer<Grant> {
        let granted = self.step_lock(key, |record, now| record.grant(holder, now, bounded(life)));
        granted.ok_or(StoreError::WrongType)
    }

    async fn extend_lock(&self, key: &str, holder: Token, life: Duration) -> Answer<bool> {
        let extended = self.step_lock(key, |record, now| record.extend(holder, now, bounded(life)));
        Ok(extended.unwrap_or(false))
    }

    async fn unlock(&self, key: &str, holder: Token) -> Answer<bool> {
        let freed = self.step_lock(key, |record, now| record.end(holder, now));
        Ok(freed.unwrap_or(false))
    }

    async fn publish(&self, outlet: &Outlet, message: Bytes) -> Answer<()> {
        self.send(outlet, &message);
        Ok(())
    }

    fn now_ms(&self) -> u64 {
        self.epoch_ms + self.origin.elapsed().as_millis() as u64
    }
}

impl fmt::Debug for MemoryStore {
    /// Says nothing of the keys and values inside.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

fn step_in<R>(
    shard: &mut Shard,
    key: &str,
    decide: impl FnOnce(Option<&Bytes>) -> (Change, R),
) -> R {
    let (change, result) = decide(alive(shard, key));
    match change {
        Change::Keep => {}
        Change::Remove => drop(shard.remove(key)),
        Change::Set(bytes, ttl) => {
            let expires = Instant::now() + bounded(ttl);
            shard.insert(key.into(), Slot { bytes, expires });
        }
        Change::Prolong(ttl) => {
            if let Some(mut slot) = shard.peek_mut(key) {
                slot.expires = slot.expires.max(Instant::now() + bounded(ttl));
            }
        }
    }
    result
}

/// What stands under `key`; an entry whose time is over leaves at this look.
fn alive<'shard>(shard: &'shard mut Shard, key: &str) -> Option<&'shard Bytes> {
    let now = Instant::now();
    if shard.peek(key).is_some_and(|slot| slot.expires <= now) {
        shard.remove(key);
    }
    shard.get(key).map(|slot| &slot.bytes)
}

fn carries(bytes: &[u8], token: &[u8]) -> bool {
    bytes.get(8..24) == Some(token)
}

fn same(standing: &[u8], seen: &[u8]) -> bool {
    match envelope_token(seen) {
        Some(token) => carries(standing, token),
        None => standing == seen,
    }
}

/// One weight for both bounds: a share of the bytes is put aside for every entry, so that the bytes
/// cannot be used up before the entries are, nor the reverse.
#[derive(Clone)]
struct Cost {
    least: u64,
    by_size: bool,
}

impl Weighter<Box<str>, Slot> for Cost {
    fn weight(&self, key: &Box<str>, slot: &Slot) -> u64 {
        if self.by_size {
            self.least.max((key.len() + slot.bytes.len()) as u64)
        } else {
            self.least
        }
    }
}

fn shard(limits: MemoryLimits, count: usize) -> Shard {
    let entries = limits.entries.div_ceil(count as u64);
    let (capacity, cost) = match limits.bytes {
        Some(bytes) => {
            let least = (bytes / limits.entries).max(1);
            let by_size = true;
            (bytes.div_ceil(count as u64), Cost { least, by_size })
        }
        None => {
            let (least, by_size) = (1, false);
            (entries, Cost { least, by_size })
        }
    };
    let options = OptionsBuilder::new()
        // Only what it tracks besides the entries is sized by this.
        .estimated_items_capacity(entries.min(1 << 20) as usize)
        .weight_capacity(capacity)
        // What is heavier than the hot part is never kept, so in a small store all of it is hot.
        .hot_allocation(if entries < 128 { 1.0 } else { 0.97 })
        .build()
        .expect("both capacities are set");
    let hasher = DefaultHashBuilder::default();
    Shard::with_options(options, cost, hasher, DefaultLifecycle::default())
}

/// A power of two; few enough that a shard still has room for a large entry.
fn shard_count(limits: MemoryLimits) -> usize {
    let by_entries = limits.entries / 1024;
    let by_bytes = limits.bytes.unwrap_or(u64::MAX) / (8 << 20);
    let most = by_entries.min(by_bytes).clamp(1, 32);
    1 << most.ilog2()
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_millis() as u64
}

#[cfg(test)]
impl MemoryStore {
    pub(super) fn ttl(&self, key: &str) -> Option<Duration> {
        let shard = self.lock(key);
        shard.peek(key).map(|slot| slot.expires - Instant::now())
    }

    pub(super) fn plant(&self, key: &str, bytes: &[u8]) {
        let bytes = Bytes::copy_from_slice(bytes);
        self.step(key, |_| (Change::Set(bytes, Duration::from_secs(60)), ()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    async fn put(store: &MemoryStore, key: &str, size: usize) {
        let bytes = Bytes::from(vec![1; size]);
        store.seize(key, bytes, HOUR).await.unwrap();
    }

    async fn kept(store: &MemoryStore, count: usize) -> usize {
        let mut kept = 0;
        for i in 0..count {
            kept += usize::from(store.get(&i.to_string()).await.unwrap().is_some());
        }
        kept
    }

    fn limits(entries: u64, bytes: Option<u64>) -> MemoryLimits {
        MemoryLimits {
            entries,
            bytes,
            ..MemoryLimits::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn entries_expire_by_the_clock_of_the_test() {
        let store = MemoryStore::private(MemoryLimits::default()).unwrap();
        let started = store.now_ms();
        put(&store, "k", 1).await;
        tokio::time::advance(HOUR - Duration::from_millis(1)).await;
        assert!(store.get("k").await.unwrap().is_some());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(store.get("k").await, Ok(None));
        assert_eq!(store.now_ms() - started, 3_600_000);
    }

    #[tokio::test]
    async fn the_number_of_entries_is_bounded() {
        for entries in [1, 2, 10, 1000, 5000] {
            let bytes = None;
            let store = MemoryStore::private(limits(entries, bytes)).unwrap();
            for i in 0..3 * entries {
                put(&store, &i.to_string(), 10).await;
            }
            let kept = kept(&store, 3 * entries as usize).await as u64;
            assert!(
                (entries / 2 + 1..=entries + 4).contains(&kept),
                "{kept} of {entries}"
            );
        }
    }

    #[tokio::test]
    async fn bytes_are_bounded_as_well_as_entries() {
        let limits = limits(1000, Some(100_000));
        let large = MemoryStore::private(limits).unwrap();
        let small = MemoryStore::private(limits).unwrap();
        for i in 0..2000 {
            put(&large, &i.to_string(), 1000).await;
            put(&small, &i.to_string(), 1).await;
        }
        assert!((50..=100).contains(&kept(&large, 2000).await));
        assert!((500..=1000).contains(&kept(&small, 2000).await));
    }

    #[tokio::test]
    async fn an_entry_too_large_for_the_store_displaces_what_stood_under_its_key() {
        let limits = limits(10, Some(1000));
        let store = MemoryStore::private(limits).unwrap();
        put(&store, "k", 10).await;
        put(&store, "k", 2000).await;
        assert_eq!(store.get("k").await, Ok(None));
    }

    #[tokio::test]
    async fn caches_that_name_the_same_store_share_it_while_one_lives() {
        let limits = MemoryLimits::default();
        let one = MemoryStore::shared("shared-while-one-lives", limits).unwrap();
        let other = MemoryStore::shared("shared-while-one-lives", limits).unwrap();
        put(&one, "k", 1).await;
        assert!(other.get("k").await.unwrap().is_some());
        drop((one, other));
        let fresh = MemoryStore::shared("shared-while-one-lives", limits).unwrap();
        assert_eq!(fresh.get("k").await, Ok(None));
    }

    #[tokio::test]
    async fn times_that_overflow_are_cut() {
        let store = MemoryStore::private(MemoryLimits::default()).unwrap();
        store
            .seize("k", Bytes::from_static(b"x"), Duration::MAX)
            .await
            .unwrap();
        assert!(store.get("k").await.unwrap().is_some());
    }

    #[test]
    fn limits_of_zero_are_refused() {
        for (entries, bytes) in [(0, None), (1, Some(0))] {
            let refused = MemoryStore::private(limits(entries, bytes));
            assert!(matches!(refused, Err(Error::Setting { .. })));
        }
    }
}

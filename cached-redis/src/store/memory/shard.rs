//! A part of a store in memory, under one lock: what a step sees and changes, and what leaves for room.

use std::time::Duration;

use bytes::Bytes;
use quick_cache::unsync::Cache;
use quick_cache::{DefaultHashBuilder, Lifecycle, OptionsBuilder, Weighter};
use tokio::time::Instant;

use crate::policy::defaults;
use crate::store::{bounded, envelope_token};
use crate::wire::entry::{Token, is_pending};
use crate::wire::tombstone::Tombstone;

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

pub(super) type Shard = Cache<Box<str>, Slot, Cost, DefaultHashBuilder, Pinned>;

pub(super) struct Slot {
    pub(super) bytes: Bytes,
    pub(super) expires: Instant,
}

/// What a step does to its key once it has looked.
pub(super) enum Change {
    Keep,
    Set(Bytes, Duration),
    /// Puts something there that has no time to live.
    Stay(Bytes),
    /// Leaves what stands there at least so much time.
    Prolong(Duration),
    Remove,
}

impl Change {
    /// Puts `tombstone` there; one without holders is none.
    pub(super) fn to(tombstone: &Tombstone, token: Token, now: u64) -> Self {
        match tombstone.entry(token, now) {
            Some((bytes, life)) => Self::Set(bytes, life),
            None => Self::Remove,
        }
    }
}

pub(super) fn step_in<R>(
    shard: &mut Shard,
    key: &str,
    decide: impl FnOnce(Option<&Bytes>) -> (Change, R),
) -> R {
    let (change, result) = decide(alive(shard, key));
    match change {
        Change::Keep => {}
        Change::Remove => drop(shard.remove(key)),
        Change::Set(bytes, ttl) => put(shard, key, bytes, ttl),
        Change::Stay(bytes) => put(shard, key, bytes, Duration::MAX),
        Change::Prolong(ttl) => {
            if let Some(mut slot) = shard.peek_mut(key) {
                slot.expires = slot.expires.max(Instant::now() + bounded(ttl));
            }
        }
    }
    result
}

fn put(shard: &mut Shard, key: &str, bytes: Bytes, ttl: Duration) {
    let expires = Instant::now() + bounded(ttl);
    shard.insert(key.into(), Slot { bytes, expires });
}

/// What stands under `key`; an entry whose time is over leaves at this look.
pub(super) fn alive<'shard>(shard: &'shard mut Shard, key: &str) -> Option<&'shard Bytes> {
    let now = Instant::now();
    if shard.peek(key).is_some_and(|slot| slot.expires <= now) {
        shard.remove(key);
    }
    shard.get(key).map(|slot| &slot.bytes)
}

/// Whether `bytes` are of this token, and may be replaced by who has it.
pub(super) fn carries(bytes: &[u8], token: &[u8]) -> bool {
    bytes.get(8..24) == Some(token) && !is_pending(bytes)
}

pub(super) fn same(standing: &[u8], seen: &[u8]) -> bool {
    match envelope_token(seen) {
        Some(token) => carries(standing, token),
        None => standing == seen,
    }
}

/// What is still to be written to its source does not leave for room.
#[derive(Clone)]
pub(super) struct Pinned;

impl Lifecycle<Box<str>, Slot> for Pinned {
    type RequestState = ();

    fn is_pinned(&self, _key: &Box<str>, slot: &Slot) -> bool {
        is_pending(&slot.bytes)
    }

    fn begin_request(&self) {}
}

/// One weight for both bounds: a share of the bytes is put aside for every entry, so that the bytes
/// cannot be used up before the entries are, nor the reverse.
#[derive(Clone)]
pub(super) struct Cost {
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

pub(super) fn shard(limits: MemoryLimits, count: usize) -> Shard {
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
    Shard::with_options(options, cost, hasher, Pinned)
}

/// A power of two; few enough that a shard still has room for a large entry.
pub(super) fn shard_count(limits: MemoryLimits) -> usize {
    let by_entries = limits.entries / 1024;
    let by_bytes = limits.bytes.unwrap_or(u64::MAX) / (8 << 20);
    let most = by_entries.min(by_bytes).clamp(1, 32);
    1 << most.ilog2()
}

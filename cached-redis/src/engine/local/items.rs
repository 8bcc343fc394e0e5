//! What is kept, and how much room it takes.

use std::ptr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use bytes::Bytes;
use quick_cache::sync::Cache;
use quick_cache::{DefaultHashBuilder, Lifecycle, OptionsBuilder, Weighter};

use crate::protocol::local::Life;
use crate::store::tracked::Lane;
use crate::store::{AnyStore, Store as _};
use crate::util::moment::Moment;
use crate::wire::entry::{Header, Kind, Live};
use crate::wire::tag::Generation;

/// By full keys. A hit counts the item alone as in use, and not the connection that all of them have in common.
pub(super) type Items = Cache<Box<str>, Arc<Item>, Weight, DefaultHashBuilder, Evicted>;

pub(crate) struct Item {
    pub(super) key: Box<str>,
    pub(super) kept: Kept,
    /// Over which connection it was read, and for how long it may be served by that; `None`: only if the store is
    /// asked.
    pub(super) life: Option<(Arc<Lane>, Life<Moment>)>,
    /// When it was last found where it is counted as in use.
    pub(super) used: AtomicU64,
}

impl Item {
    pub(super) fn new(key: &str, kept: Kept, life: Option<(Arc<Lane>, Life<Moment>)>) -> Self {
        Self {
            key: key.into(),
            kept,
            life,
            used: AtomicU64::new(0),
        }
    }

    /// Whether it is an entry that is served without asking the store.
    pub(super) fn is_served(&self) -> bool {
        self.life.is_some() && self.live().is_some()
    }

    /// The entry that it is.
    #[inline]
    pub(super) fn live(&self) -> Option<&Arc<Live>> {
        match &self.kept {
            Kept::Entry(live) => Some(live),
            Kept::Generation(_) => None,
        }
    }

    pub(super) fn is_of(&self, lane: &Lane) -> bool {
        let own = self.life.as_ref().map(|(own, _)| Arc::as_ptr(own));
        own.is_some_and(|own| ptr::eq(own, lane))
    }
}

/// What stands under a key and may be kept: nothing, a lease and a tombstone may not.
#[derive(Clone)]
pub(crate) enum Kept {
    Entry(Arc<Live>),
    Generation(Generation),
}

impl Kept {
    /// What was read, and how long it has to live in the store; `else_` where it does not tell.
    pub(crate) fn of(
        store: &AnyStore,
        key: &str,
        else_: Duration,
        entry: &Bytes,
    ) -> Option<(Self, Duration)> {
        if let Some(generation) = Generation::read(entry) {
            let generation = generation.in_epoch(store.epoch(key));
            return Some((Self::Generation(generation), Duration::MAX));
        }
        let (header, _) = Header::parse(entry)?;
        let has_value = matches!(header.kind, Kind::Value | Kind::Negative);
        let rest = rest(&header, store.now_ms(key)).unwrap_or(else_);
        let is_kept = has_value && store.is_current(key, header.epoch) && !rest.is_zero();
        is_kept.then(|| {
            let mut live = Live::new(header, entry.clone());
            (Self::entry(&mut live), rest)
        })
    }

    /// An entry that shares its decoded value, whoever decodes it, with `live`. Its bytes are its own: those of
    /// a reply may be a part of many more.
    pub(super) fn entry(live: &mut Live) -> Self {
        live.decoded = Some(Arc::default());
        Self::Entry(Arc::new(Live {
            entry: Bytes::copy_from_slice(&live.entry),
            ..live.clone()
        }))
    }

    fn bytes(&self) -> usize {
        match self {
            // Its value takes about as much room as its encoded form.
            Self::Entry(live) => live.entry.len() + live.value_bytes(),
            Self::Generation(generation) => generation.bytes().len(),
        }
    }
}

/// How long an entry is fresh, where it says so: past that, the store is asked.
fn rest(header: &Header, now_ms: u64) -> Option<Duration> {
    let end = header.filled_at.saturating_add(header.soft_ttl.into());
    let rest = Duration::from_millis(end.saturating_sub(now_ms));
    // By a clock that is behind it would be longer.
    let whole = Duration::from_millis(header.soft_ttl.into());
    (header.soft_ttl > 0).then_some(rest.min(whole))
}

/// What had to go, for those who let it go when no lock is held.
#[derive(Clone)]
pub(super) struct Evicted;

impl Lifecycle<Box<str>, Arc<Item>> for Evicted {
    type RequestState = Vec<(Box<str>, Arc<Item>)>;

    fn begin_request(&self) -> Self::RequestState {
        Vec::new()
    }

    fn on_evict(&self, gone: &mut Self::RequestState, key: Box<str>, item: Arc<Item>) {
        gone.push((key, item));
    }
}

#[derive(Clone)]
pub(super) struct Weight;

impl Weighter<Box<str>, Arc<Item>> for Weight {
    fn weight(&self, key: &Box<str>, item: &Arc<Item>) -> u64 {
        /// Of what surrounds each.
        const AROUND: usize = 100;
        (2 * key.len() + item.kept.bytes() + AROUND) as u64
    }
}

/// With room for so many `bytes`, in shards that have room for large values.
pub(super) fn new(bytes: u64) -> Items {
    const SHARD: u64 = 8 << 20;
    const USUAL: u64 = 512;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let shards = (bytes / SHARD).clamp(1, 4 * cores as u64);
    let options = OptionsBuilder::new()
        .shards(1 << shards.ilog2())
        .estimated_items_capacity((bytes / USUAL).clamp(1, 1 << 17) as usize)
        .weight_capacity(bytes)
        .build()
        .expect("both capacities are set");
    let hasher = DefaultHashBuilder::default();
    Items::with_options(options, Weight, hasher, Evicted)
}

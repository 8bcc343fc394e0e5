//! Either store, behind one type.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::error::{Error, StoreError};
use crate::store::address::Address;
use crate::store::health::State;
use crate::store::memory::{MemoryLimits, MemoryStore};
use crate::store::redis::{RedisSettings, RedisStore};
use crate::store::stats::StoreStats;
use crate::store::{Outlet, Put, Store, Watch};
use crate::util::home::Home;
use crate::util::sync::carried;
use crate::wire::entry::Token;
use crate::wire::lock::Grant;
use crate::wire::tag::Generation;

#[cfg(feature = "testing")]
use crate::store::faults::Faults;
#[cfg(feature = "testing")]
use crate::store::faulty::FaultyStore;

/// Either store, dispatched by a match so that a hit costs no boxed future.
#[derive(Debug)]
pub(crate) enum AnyStore {
    /// In this process; shared by the caches that name the same store.
    Memory(Arc<MemoryStore>),
    /// One Redis server.
    Redis(RedisStore),
    /// Either of them, behind a bad network.
    #[cfg(feature = "testing")]
    Faulty(FaultyStore<AnyStore>),
}

/// A store without the faults before it.
pub(crate) enum Bare<'a> {
    Memory(&'a Arc<MemoryStore>),
    Redis(&'a RedisStore),
}

impl AnyStore {
    /// Opens the store at `address`. A Redis server that does not answer is an error only if a
    /// connection is required; one that cannot be used is always one.
    pub(crate) async fn open(
        address: Address,
        redis: RedisSettings,
        memory: MemoryLimits,
        require_connection: bool,
        watch: Arc<dyn Watch>,
    ) -> Result<Self, Error> {
        let address = match address {
            Address::Memory { name: None } => {
                return MemoryStore::private(memory).map(Self::Memory);
            }
            Address::Memory { name: Some(name) } => {
                return MemoryStore::shared(&name, memory).map(Self::Memory);
            }
            Address::Redis(address) => address,
        };
        let store = RedisStore::connect(address, redis, watch).await?;
        match store.first_try() {
            Err(problem) if require_connection || problem.is_lasting() => Err(Error::Connect {
                address: store.address().to_string(),
                problem,
            }),
            _ => Ok(Self::Redis(store)),
        }
    }

    /// Where the tasks live that it has, and its cache with it; in memory there are none.
    pub(crate) fn home(&self) -> Arc<Home> {
        match self.bare() {
            Bare::Memory(_) => Home::here(),
            Bare::Redis(store) => Arc::clone(store.home()),
        }
    }

    /// How its connection gets on; `None`: it needs none.
    pub(crate) fn condition(&self) -> Option<State> {
        match self.bare() {
            Bare::Memory(_) => None,
            Bare::Redis(store) => Some(store.condition()),
        }
    }

    pub(crate) fn stats(&self) -> StoreStats {
        match self {
            Self::Memory(_) => StoreStats {
                connected: true,
                ..StoreStats::default()
            },
            Self::Redis(store) => store.stats(),
            #[cfg(feature = "testing")]
            Self::Faulty(faulty) => faulty.store().stats(),
        }
    }

    /// What all that is not a step goes to: faults stand before steps alone.
    pub(crate) fn bare(&self) -> Bare<'_> {
        match self {
            Self::Memory(store) => Bare::Memory(store),
            Self::Redis(store) => Bare::Redis(store),
            #[cfg(feature = "testing")]
            Self::Faulty(faulty) => faulty.store().bare(),
        }
    }

    /// This store with faults before it, if there are any.
    #[cfg(feature = "testing")]
    pub(crate) fn behind(
        self,
        faults: Option<Faults>,
        deadline: Duration,
        runtime: &Arc<Home>,
    ) -> Self {
        match faults {
            Some(faults) => Self::Faulty(FaultyStore::new(self, faults, deadline, runtime.clone())),
            None => self,
        }
    }
}

macro_rules! dispatch {
    ($store:expr, $method:ident($($argument:expr),*)) => {
        match $store {
            AnyStore::Memory(store) => carried(store.$method($($argument),*)).await,
            AnyStore::Redis(store) => store.$method($($argument),*).await,
            #[cfg(feature = "testing")]
            AnyStore::Faulty(store) => store.$method($($argument),*).await,
        }
    };
}

impl Store for AnyStore {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        dispatch!(self, get(key))
    }

    async fn get_all(&self, keys: &[&str]) -> Result<Vec<Option<Bytes>>, StoreError> {
        dispatch!(self, get_all(keys))
    }

    async fn stamp(
        &self,
        tags: &[(String, Generation)],
        ttl: Duration,
    ) -> Result<Vec<Option<Generation>>, StoreError> {
        dispatch!(self, stamp(tags, ttl))
    }

    async fn acquire(
        &self,
        key: &str,
        lease: Bytes,
        ttl: Duration,
    ) -> Result<Option<Bytes>, StoreError> {
        dispatch!(self, acquire(key, lease, ttl))
    }

    async fn acquire_over(
        &self,
        key: &str,
        seen: Bytes,
        lease: Bytes,
        ttl: Duration,
    ) -> Result<bool, StoreError> {
        dispatch!(self, acquire_over(key, seen, lease, ttl))
    }

    async fn seize(&self, key: &str, lease: Bytes, ttl: Duration) -> Result<bool, StoreError> {
        dispatch!(self, seize(key, lease, ttl))
    }

    async fn extend(&self, key: &str, token: Token, ttl: Duration) -> Result<bool, StoreError> {
        dispatch!(self, extend(key, token, ttl))
    }

    async fn fill(
        &self,
        key: &str,
        token: Token,
        entry: Bytes,
        ttl: Duration,
    ) -> Result<bool, StoreError> {
        dispatch!(self, fill(key, token, entry, ttl))
    }

    async fn release(&self, key: &str, token: Token) -> Result<bool, StoreError> {
        dispatch!(self, release(key, token))
    }

    async fn invalidate(&self, keys: &[String]) -> Result<(), StoreError> {
        dispatch!(self, invalidate(keys))
    }

    async fn bar(
        &self,
        id: Token,
        life: Option<Duration>,
        prefixes: &[String],
    ) -> Result<bool, StoreError> {
        dispatch!(self, bar(id, life, prefixes))
    }

    async fn scan(&self, prefix: &str, cursor: u64) -> Result<(Vec<String>, u64), StoreError> {
        dispatch!(self, scan(prefix, cursor))
    }

    async fn begin(&self, keys: &[String], token: Token, hold: Duration) -> Result<(), StoreError> {
        dispatch!(self, begin(keys, token, hold))
    }

    async fn hold(
        &self,
        keys: &[String],
        token: Token,
        hold: Duration,
    ) -> Result<bool, StoreError> {
        dispatch!(self, hold(keys, token, hold))
    }

    async fn end(
        &self,
        keys: &[String],
        token: Token,
        hold_off: Option<Duration>,
    ) -> Result<bool, StoreError> {
        dispatch!(self, end(keys, token, hold_off))
    }

    async fn put(
        &self,
        key: &str,
        token: Token,
        entry: Bytes,
        ttl: Duration,
    ) -> Result<Put, StoreError> {
        dispatch!(self, put(key, token, entry, ttl))
    }

    async fn invalidate_guarded(
        &self,
        keys: &[String],
        hold_off: Option<Duration>,
    ) -> Result<(), StoreError> {
        dispatch!(self, invalidate_guarded(keys, hold_off))
    }

    async fn lock(&self, key: &str, holder: Token, life: Duration) -> Result<Grant, StoreError> {
        dispatch!(self, lock(key, holder, life))
    }

    async fn extend_lock(
        &self,
        key: &str,
        holder: Token,
        life: Duration,
    ) -> Result<bool, StoreError> {
        dispatch!(self, extend_lock(key, holder, life))
    }

    async fn unlock(&self, key: &str, holder: Token) -> Result<bool, StoreError> {
        dispatch!(self, unlock(key, holder))
    }

    async fn publish(&self, outlet: &Outlet, message: Bytes) -> Result<(), StoreError> {
        dispatch!(self, publish(outlet, message))
    }

    fn now_ms(&self) -> u64 {
        match self {
            Self::Memory(store) => store.now_ms(),
            Self::Redis(store) => store.now_ms(),
            #[cfg(feature = "testing")]
            Self::Faulty(store) => store.now_ms(),
        }
    }

    fn epoch(&self) -> u32 {
        match self {
            Self::Memory(store) => store.epoch(),
            Self::Redis(store) => store.epoch(),
            #[cfg(feature = "testing")]
            Self::Faulty(store) => store.epoch(),
        }
    }

    fn is_current(&self, epoch: u32) -> bool {
        match self {
            Self::Memory(store) => store.is_current(epoch),
            Self::Redis(store) => store.is_current(epoch),
            #[cfg(feature = "testing")]
            Self::Faulty(store) => store.is_current(epoch),
        }
    }
}

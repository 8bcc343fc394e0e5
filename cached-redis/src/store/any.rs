//! Either store, behind one type.

use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;

use crate::error::Error;
use crate::store::address::Address;
use crate::store::head::Head;
use crate::store::health::State;
use crate::store::many::{Asked, Filling, Granted, many};
use crate::store::memory::{MemoryLimits, MemoryStore};
use crate::store::redis::{RedisSettings, RedisStore, Waiting};
use crate::store::report::ServerReport;
use crate::store::sample::ServerSample;
use crate::store::stats::StoreStats;
use crate::store::steps::steps;
use crate::store::tracked::{Keeper, Shown};
use crate::store::{Answer, Errand, Outlet, Put, Store, Told, Watch};
use crate::util::sync::carried;
use crate::util::tasks::Tasks;
use crate::wire::entry::Token;
use crate::wire::lock::Grant;
use crate::wire::tag::Generation;

#[cfg(feature = "testing")]
use crate::store::faults::Faults;
#[cfg(feature = "testing")]
use crate::store::faulty::FaultyStore;
#[cfg(feature = "testing")]
use crate::store::trace::Trace;
#[cfg(feature = "testing")]
use crate::store::traced::TracedStore;

/// Either store, dispatched by a match so that a hit costs no boxed future.
#[derive(Debug)]
pub(crate) enum AnyStore {
    /// In this process; shared by the caches that name the same store.
    Memory(Arc<MemoryStore>),
    /// One Redis server, or those of a cluster.
    Redis(RedisStore),
    /// Either of them, behind a bad network.
    #[cfg(feature = "testing")]
    Faulty(FaultyStore),
    /// Any of them, its steps written down.
    #[cfg(feature = "testing")]
    Traced(TracedStore),
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
        let store = match address {
            Address::Memory { name: None } => {
                return MemoryStore::private(memory).map(Self::Memory);
            }
            Address::Memory { name: Some(name) } => {
                return MemoryStore::shared(&name, memory).map(Self::Memory);
            }
            Address::Redis(address) => RedisStore::connect(address, redis, watch).await?,
            Address::Cluster(address) => RedisStore::connect_cluster(address, redis, watch).await?,
        };
        match store.first_try() {
            Err(problem) if require_connection || problem.is_lasting() => Err(Error::Connect {
                address: store.address(),
                problem,
            }),
            _ => Ok(Self::Redis(store)),
        }
    }

    /// Where the tasks live that it has, and its cache with it; in memory there are none.
    pub(crate) fn tasks(&self) -> Arc<Tasks> {
        match self.bare() {
            Bare::Memory(_) => Tasks::here(),
            Bare::Redis(store) => Arc::clone(store.tasks()),
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
            #[cfg(feature = "testing")]
            Self::Traced(traced) => traced.store().stats(),
        }
    }

    /// What all that is not a step goes to: faults stand before steps alone.
    pub(crate) fn bare(&self) -> Bare<'_> {
        match self {
            Self::Memory(store) => Bare::Memory(store),
            Self::Redis(store) => Bare::Redis(store),
            #[cfg(feature = "testing")]
            Self::Faulty(faulty) => faulty.store().bare(),
            #[cfg(feature = "testing")]
            Self::Traced(traced) => traced.store().bare(),
        }
    }

    /// Whether a look waits for nothing.
    pub(crate) fn is_at_once(&self) -> bool {
        matches!(self, Self::Memory(_))
    }

    /// Whether [`tell`](Self::tell) can be called now: there is a connection, the server answers, and the step is
    /// one command, which holds up no other.
    pub(crate) fn takes(&self, errand: Errand<'_>) -> bool {
        match self {
            Self::Memory(_) => false,
            Self::Redis(store) => store.takes(errand),
            // It would pass the faults by.
            #[cfg(feature = "testing")]
            Self::Faulty(_) => false,
            #[cfg(feature = "testing")]
            Self::Traced(traced) => traced.takes(errand),
        }
    }

    /// Takes a step, however the caller goes on: `told` is told how that ended. `None`: it is not done, as there
    /// is no connection any more.
    pub(crate) fn tell(&self, errand: Errand<'_>, told: Arc<dyn Told>) -> Option<Waiting> {
        match self.bare() {
            Bare::Memory(_) => None,
            Bare::Redis(store) => store.tell(errand, told),
        }
    }

    /// To be called whenever a caller is polled who waits until that is told. Whether there is nothing left to
    /// wait for.
    pub(crate) fn attend(&self, waiting: &mut Waiting, context: &Context<'_>) -> bool {
        match self.bare() {
            Bare::Memory(_) => true,
            Bare::Redis(store) => store.attend(waiting, context),
        }
    }

    /// To be called when it is told, where nobody waits.
    pub(crate) fn measured(&self, waiting: Waiting) {
        if let Bare::Redis(store) = self.bare() {
            store.measured(waiting);
        }
    }

    /// Who keeps what [`read_tracked`](Self::read_tracked) shows, from the first one on.
    pub(crate) fn track(&self, keeper: Arc<dyn Keeper>) {
        if let Bare::Redis(store) = self.bare() {
            store.track(keeper);
        }
    }

    /// For how long after an invalidation others may serve what is older, as was agreed on by now; never less
    /// than is asked for here, since what was agreed on may be lost. `None`: there are no others.
    pub(crate) async fn staleness(&self) -> Answer<Option<Duration>> {
        match self.bare() {
            Bare::Memory(_) => Ok(None),
            Bare::Redis(store) => store.staleness().await.map(Some),
        }
    }

    /// Another one for each move of keys between its servers: keys that move may pass by a scan.
    pub(crate) async fn layout(&self) -> Answer<u64> {
        match self.bare() {
            Bare::Memory(_) => Ok(0),
            Bare::Redis(store) => store.layout().await,
        }
    }

    /// Whether the servers are there that all of `keys` belong to; of one alone that is found out by asking it.
    pub(crate) fn reaches(&self, keys: &[String]) -> bool {
        match self.bare() {
            Bare::Memory(_) => true,
            Bare::Redis(store) => store.reaches(keys),
        }
    }

    /// How full it is.
    pub(crate) async fn sample(&self) -> Answer<Vec<ServerSample>> {
        match self.bare() {
            Bare::Memory(store) => Ok(vec![store.sample()]),
            Bare::Redis(store) => store.sample().await,
        }
    }

    /// The servers that have said that their memory has no limit.
    pub(crate) fn unbounded(&self) -> Vec<String> {
        match self.bare() {
            Bare::Memory(_) => Vec::new(),
            Bare::Redis(store) => store.unbounded(),
        }
    }

    /// How many bytes each of `keys` has as its value.
    pub(crate) async fn lengths(&self, keys: &[String]) -> Answer<Vec<u64>> {
        match self.bare() {
            Bare::Memory(store) => Ok(store.lengths(keys)),
            Bare::Redis(store) => store.lengths(keys).await,
        }
    }

    /// The beginning of what stands under each of `keys`, of so many bytes if a number is given, else all of it;
    /// its length and its life.
    pub(crate) async fn heads(
        &self,
        keys: &[String],
        most: Option<usize>,
    ) -> Answer<Vec<Option<Head>>> {
        match self.bare() {
            Bare::Memory(store) => Ok(store.heads(keys)),
            Bare::Redis(store) => store.heads(keys, most).await,
        }
    }

    /// What each server says of itself, and whether the login may run `commands` there.
    pub(crate) async fn reports(&self, commands: &[Vec<String>]) -> Answer<Vec<ServerReport>> {
        match self.bare() {
            Bare::Memory(store) => Ok(vec![store.report(commands.len())]),
            Bare::Redis(store) => store.reports(commands).await,
        }
    }

    /// This store with faults before it, if there are any.
    #[cfg(feature = "testing")]
    pub(crate) fn with_faults(
        self,
        faults: Option<Faults>,
        deadline: Duration,
        runtime: &Arc<Tasks>,
    ) -> Self {
        match faults {
            Some(faults) => Self::Faulty(FaultyStore::new(self, faults, deadline, runtime.clone())),
            None => self,
        }
    }

    /// This store with its steps written down, if they are to be.
    #[cfg(feature = "testing")]
    pub(crate) fn with_trace(self, trace: Option<Trace>) -> Self {
        match trace {
            Some(trace) => Self::Traced(TracedStore::new(self, trace)),
            None => self,
        }
    }
}

/// What `$answer` says of the store that is there.
macro_rules! dispatch {
    ($any:expr, $store:ident => $answer:expr) => {
        dispatch!($any, $store => $answer, $answer)
    };
    ($any:expr, $store:ident => $answer:expr, $in_memory:expr) => {
        match $any {
            AnyStore::Memory($store) => $in_memory,
            AnyStore::Redis($store) => $answer,
            #[cfg(feature = "testing")]
            AnyStore::Faulty($store) => $answer,
            #[cfg(feature = "testing")]
            AnyStore::Traced($store) => $answer,
        }
    };
}

/// What a step of the store that is there answers. Boxed behind faults, which hits are not to be larger for.
macro_rules! step {
    ($any:expr, $store:ident => $step:expr) => {
        match $any {
            AnyStore::Memory($store) => carried($step).await,
            AnyStore::Redis($store) => $step.await,
            #[cfg(feature = "testing")]
            AnyStore::Faulty($store) => Box::pin($step).await,
            #[cfg(feature = "testing")]
            AnyStore::Traced($store) => Box::pin($step).await,
        }
    };
}

macro_rules! delegate {
    ($($(#[$doc:meta])* $step:ident($($name:ident: $type:ty),*) -> $answer:ty;)+) => {
        impl Store for AnyStore {
            $(async fn $step(&self, $($name: $type),*) -> Answer<$answer> {
                step!(self, store => store.$step($($name),*))
            })+

            async fn get_all(&self, keys: &[&str]) -> Answer<Vec<Option<Bytes>>> {
                step!(self, store => store.get_all(keys))
            }

            fn now_ms(&self, key: &str) -> u64 {
                dispatch!(self, store => store.now_ms(key))
            }

            fn epoch(&self, key: &str) -> u32 {
                dispatch!(self, store => store.epoch(key))
            }

            fn is_shared_out(&self) -> bool {
                dispatch!(self, store => store.is_shared_out())
            }

            fn is_current(&self, key: &str, epoch: u32) -> bool {
                dispatch!(self, store => store.is_current(key, epoch))
            }
        }
    };
}
steps!(delegate);

impl AnyStore {
    /// What stands under each of `keys`, as [`get_all`](Store::get_all) tells it; over the tracked connection
    /// where there is one. In memory nothing is announced, and nothing may be kept.
    #[allow(
        clippy::manual_async_fn,
        reason = "a store contains a store, and it has to be `Send`"
    )]
    pub(crate) fn read_tracked(&self, keys: &[&str]) -> impl Future<Output = Answer<Shown>> + Send {
        async move {
            dispatch!(self, store => store.read_tracked(keys).await, {
                let entries = carried(store.get_all(keys)).await?;
                Ok(Shown::all(entries, None))
            })
        }
    }

    /// The same as [`get_all`](Store::get_all), where a server that is away costs its own keys alone.
    pub(crate) async fn get_each(&self, keys: &[&str]) -> Vec<Answer<Option<Bytes>>> {
        match self.get_all(keys).await {
            Ok(all) => all.into_iter().map(Ok).collect(),
            Err(_) if self.is_shared_out() => join_all(keys.iter().map(|key| self.get(key))).await,
            Err(error) => vec![Err(error); keys.len()],
        }
    }

    /// The beginning of what stands under each of `keys`, of so many bytes if a length is given, else all of it;
    /// none where nothing stands. In one round trip, but not at one moment.
    #[allow(
        clippy::manual_async_fn,
        reason = "a store contains a store, and it has to be `Send`"
    )]
    pub(crate) fn read_parts(
        &self,
        keys: &[(&str, Option<usize>)],
    ) -> impl Future<Output = Answer<Vec<Option<Bytes>>>> + Send {
        async move {
            dispatch!(self, store => store.read_parts(keys).await, {
                let keys: Vec<_> = keys.iter().map(|(key, _)| *key).collect();
                carried(store.get_all(&keys)).await
            })
        }
    }
}

macro_rules! delegate_many {
    ($($(#[$doc:meta])* $step:ident($each:ident: $item:ty $(, $name:ident: $type:ty)*) -> $answer:ty {
        $any:ident => $single:expr
    })+) => {
        impl AnyStore {
            $($(#[$doc])*
            pub(crate) fn $step(
                &self,
                each: &[$item]
                $(, $name: $type)*
            ) -> impl Future<Output = Vec<Answer<$answer>>> + Send {
                async move {
                    dispatch!(self, store => store.$step(each $(, $name)*).await, {
                        let ($any, _) = (self, store);
                        let mut answers = Vec::with_capacity(each.len());
                        for $each in each {
                            answers.push($single);
                        }
                        answers
                    })
                }
            })+
        }
    };
}
many!(delegate_many);

#![doc = include_str!("docs/front.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod after_commit;
mod attempt;
mod audit;
mod background;
mod backoff;
mod batch;
mod batched;
mod behind;
mod budget;
mod builder;
mod bypass;
mod cache;
mod call;
mod catalog;
mod claim;
mod codec;
mod control;
mod digest;
mod direct;
pub mod docs;
mod entry;
mod error;
mod event;
mod extension;
mod failover;
mod feed;
mod fence;
mod fencing;
mod fingerprint;
mod flight;
mod form;
mod freshness;
mod guard;
mod handle;
mod health;
mod home;
mod instance;
mod join;
mod journal;
mod key;
mod label;
mod late;
mod lease;
mod lent;
mod loading;
mod lock;
mod made_of;
mod matching;
mod meet;
mod outcome;
mod oversize;
mod pack;
mod pending;
mod policy;
mod publish;
mod read;
mod refusal;
mod registry;
mod removal;
mod renewal;
mod replay;
mod rollout;
mod schema;
mod seek;
mod sent;
mod settings;
mod shape;
mod start;
mod stats;
mod status;
mod store;
mod sweep;
mod sync;
mod tag;
mod tagged;
mod tags;
mod template;
#[cfg(feature = "testing")]
pub mod testing;
mod thread;
mod through;
mod tombstone;
mod transaction;
mod unheard;
mod update;
mod verdict;
mod version;
mod versioned;
mod warm;
mod warnings;
mod work;
mod write;
mod writer;
mod writing;

pub use cached_redis_macros::{invalidates, redis_cached, write_through};

pub use after_commit::{AfterCommit, after_commit};
pub use batched::Batched;
pub use builder::Builder;
pub use catalog::{Catalog, Problem};
#[cfg(feature = "bincode")]
pub use codec::Bincode;
pub use codec::{Codec, CodecError, Format, Json, Msgpack};
pub use control::{CacheInfo, CachedExt};
pub use error::{
    AddressProblem, ConnectProblem, Error, StoreError, Timeout, TlsProblem, Unguarded,
};
pub use failover::OnFailover;
pub use feed::{
    Consumer, DurableEvents, Events, Invalidated, InvalidationListener, Notice, Publishing,
};
pub use guard::WriteGuard;
pub use handle::Cache;
pub use health::{ConnectionError, Health};
pub use key::{Key, KeyName};
pub use loading::{Current, Previous, current};
pub use lock::Lock;
pub use pending::Pending;
pub use policy::{Jitter, Policy};
pub use removal::Invalidation;
pub use rollout::Mode;
pub use schema::Schema;
pub use stats::{FunctionStats, Stats};
pub use status::Status;
pub use store::stats::{BreakerState, StoreStats};
pub use tagged::Tagged;
pub use warm::{Progress, Warm, WarmUp};

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

/// The README's examples are tests as well.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

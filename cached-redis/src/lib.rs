#![doc = include_str!("docs/front.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod after_commit;
mod audit;
mod background;
mod backoff;
mod batch;
mod behind;
mod budget;
mod builder;
mod bypass;
mod cache;
mod call;
mod catalog;
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
mod journal;
mod key;
mod label;
mod late;
mod lease;
mod loading;
mod lock;
mod matching;
mod outcome;
mod oversize;
mod pack;
mod policy;
mod read;
mod refusal;
mod registry;
mod renewal;
mod rollout;
mod schema;
mod seek;
mod sent;
mod settings;
mod shape;
mod stats;
mod store;
mod sweep;
mod sync;
mod tag;
mod tagged;
mod template;
#[cfg(feature = "testing")]
pub mod testing;
mod thread;
mod through;
mod tombstone;
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
pub use batch::Batched;
pub use builder::Builder;
pub use catalog::{Catalog, Problem};
#[cfg(feature = "bincode")]
pub use codec::Bincode;
pub use codec::{Codec, CodecError, Format, Json, Msgpack};
pub use control::{CacheInfo, CachedExt, Status};
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
pub use policy::{Jitter, Policy};
pub use rollout::Mode;
pub use schema::Schema;
pub use stats::{FunctionStats, Pending, Stats};
pub use store::stats::{BreakerState, StoreStats};
pub use tagged::Tagged;
pub use warm::{Progress, Warm, WarmUp};
pub use write::Invalidation;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

/// The README's examples are tests as well.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

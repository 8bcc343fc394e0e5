#![doc = include_str!("docs/front.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod api;
#[doc(hidden)]
pub mod __private {
    pub use crate::private::*;
}
pub mod docs;
mod engine;
mod error;
mod observe;
mod policy;
mod private;
mod protocol;
mod read;
mod store;
#[cfg(feature = "testing")]
pub mod testing;
mod util;
mod wire;
mod write;

pub use cached_redis_macros::{invalidates, redis_cached, write_through};

pub use api::builder::Builder;
pub use api::catalog::{Catalog, Problem};
pub use api::events::{Consumer, DurableEvents, Events, Invalidated, InvalidationListener, Notice};
pub use api::tagged::Tagged;
pub use api::warm::{Progress, Warm, WarmUp};
pub use engine::batched::Batched;
pub use engine::context::{Current, Previous, current};
pub use engine::handle::Cache;
pub use engine::mode::Mode;
pub use error::pending::Pending;
pub use error::{
    AddressProblem, ConnectProblem, Error, StoreError, Timeout, TlsProblem, Unguarded,
};
pub use observe::stats::{FunctionStats, Stats};
pub use observe::status::Status;
pub use policy::failover::OnFailover;
pub use policy::schema::Schema;
pub use policy::{Jitter, Policy};
pub use read::control::{CacheInfo, CachedExt};
pub use store::health::{ConnectionError, Health};
pub use store::stats::{BreakerState, StoreStats};
#[cfg(feature = "bincode")]
pub use wire::codec::Bincode;
pub use wire::codec::{Codec, CodecError, Format, Json, Msgpack};
pub use wire::key::{Key, KeyName};
pub use write::after_commit::{AfterCommit, Collected, after_commit};
pub use write::guard::WriteGuard;
pub use write::invalidation::Invalidation;
pub use write::lock::Lock;
pub use write::request::InvalidationRequest;

/// The README's examples are tests as well.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

#![doc = include_str!("docs/front.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod api;
#[doc(hidden)]
pub mod __private {
    pub use crate::private::*;
}
pub mod docs;
mod engine;
pub mod error;
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

pub use cached_redis_macros::{invalidates, redis_cached, write_behind, write_through};

pub use api::builder::Builder;
pub use engine::context::{Current, Previous, current};
pub use engine::handle::Cache;
pub use engine::id_map::IdMap;
pub use engine::mode::Mode;
pub use error::Error;
pub use observe::status::Status;
pub use policy::failover::OnFailover;
pub use policy::schema::Schema;
pub use policy::{Jitter, Policy};
pub use read::control::CachedExt;
pub use read::info::CacheInfo;
pub use read::reads::Reads;
pub use wire::codec::Format;
pub use wire::key::{Key, KeyName};
pub use write::after_commit::{AfterCommit, after_commit};
pub use write::guard::WriteGuard;
pub use write::invalidation::Invalidation;
pub use write::lock::Lock;

/// Every annotated function of the program, and the checks over them.
pub mod catalog {
    pub use crate::api::catalog::{
        Advice, Catalog, ExplainError, Exported, ExportedAdvice, ExportedFunction, ExportedProblem,
        ExportedWriter, Problem,
    };
}

/// From values to bytes and back.
pub mod codec {
    #[cfg(feature = "bincode")]
    pub use crate::wire::codec::Bincode;
    pub use crate::wire::codec::{Codec, CodecError, Json, Msgpack};
}

/// What others are told of invalidations, and what they tell. See [the page](crate::docs::events).
pub mod events {
    pub use crate::api::events::{
        Consumer, DurableEvents, Events, Invalidated, InvalidationConsumer, InvalidationListener,
        Notice,
    };
}

/// Writes that are accepted now and applied later. See [the page](crate::docs::write_behind).
pub mod behind {
    pub use crate::api::behind::{
        DeadLetter, QueueDepth, WorkerSetup, WriteBehindQueue, WriteBehindWorker,
    };
    pub use crate::store::queue::Durability;
    pub use crate::write::behind::id::WriteId;
}

/// For people who operate a cache: what stands in the store, and switches that every process follows. See
/// [the command line](crate::docs::command_line), which is made of it.
pub mod operator {
    pub use crate::api::operator::{
        Entry, Inspection, Life, Listed, Listing, ModeOrder, Operator, Standing, TagFacts, TagState,
    };
    pub use crate::store::report::ServerReport;
}

/// Calls on a cache that take options, and what they give.
pub mod request {
    pub use crate::api::entries::EntriesRequest;
    pub use crate::api::entry::{Detached, EntryRequest, InPlace, Optional, Present};
    pub use crate::api::warm::{Progress, Warm, WarmUp};
    pub use crate::write::after_commit::Collected;
    pub use crate::write::request::InvalidationRequest;
}

/// How a cache and its store get on.
pub mod stats {
    #[cfg(feature = "metrics")]
    pub use crate::api::report::Reporting;
    pub use crate::api::sample::{EntryCounts, FunctionEntries};
    pub use crate::error::pending::Pending;
    pub use crate::observe::local::LocalStats;
    pub use crate::observe::openmetrics::openmetrics;
    pub use crate::observe::stats::{FunctionStats, Stats};
    pub use crate::store::health::{ConnectionError, Health};
    pub use crate::store::sample::{ServerSample, StoreSample};
    pub use crate::store::stats::{BreakerState, RoundTrips, StoreStats};
    pub use crate::util::histogram::Histogram;
}

/// The README's examples are tests as well.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

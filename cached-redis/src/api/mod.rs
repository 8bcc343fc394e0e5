//! What users hold: the cache and its builder, the catalogue, events.

pub(crate) mod behind;
pub(crate) mod builder;
pub(crate) mod cache;
pub(crate) mod catalog;
pub(crate) mod entries;
pub(crate) mod entry;
pub(crate) mod events;
pub(crate) mod invalidation;
pub(crate) mod operator;
pub(crate) mod read;
#[cfg(feature = "metrics")]
pub(crate) mod report;
pub(crate) mod sample;
pub(crate) mod warm;
pub(crate) mod write;

//! What users hold: the cache and its builder, the catalogue, events.

pub(crate) mod builder;
pub(crate) mod cache;
pub(crate) mod catalog;
pub(crate) mod events;
pub(crate) mod get_or_fill;
pub(crate) mod invalidation;
pub(crate) mod tagged;
pub(crate) mod warm;
pub(crate) mod write;

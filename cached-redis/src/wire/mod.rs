//! Bytes as they stand in the store: keys, entries, tombstones, tags, codecs and what guards them.
//!
//! No store, clock or task. What is here has to be read for ever, by older and newer processes.

pub(crate) mod codec;
pub(crate) mod digest;
pub(crate) mod entry;
pub(crate) mod extension;
pub(crate) mod fingerprint;
pub(crate) mod form;
pub(crate) mod key;
pub(crate) mod lock;
pub(crate) mod message;
pub(crate) mod packing;
pub(crate) mod resp;
pub(crate) mod stored;
pub(crate) mod tag;
pub(crate) mod targets;
pub(crate) mod template;
pub(crate) mod tombstone;
pub(crate) mod version;

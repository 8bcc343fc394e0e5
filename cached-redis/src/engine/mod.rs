//! What a cache is made of, and the steps that reads and writes share: lease, load, encoding, fill, tags,
//! removal.

pub(crate) mod claim;
pub(crate) mod context;
pub(crate) mod copies;
pub(crate) mod encode;
pub(crate) mod fill;
pub(crate) mod filling;
pub(crate) mod handle;
pub(crate) mod id_map;
pub(crate) mod instance;
pub(crate) mod join;
pub(crate) mod label;
pub(crate) mod lease;
pub(crate) mod local;
pub(crate) mod mode;
pub(crate) mod orders;
pub(crate) mod oversize;
pub(crate) mod plan;
pub(crate) mod remove;
pub(crate) mod settings;
pub(crate) mod shape;
pub(crate) mod source;
pub(crate) mod tags;
pub(crate) mod transaction;
pub(crate) mod verdict;

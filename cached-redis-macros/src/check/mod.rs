//! Arguments and function → values that cannot be wrong. The messages that need both stand here.

pub(crate) mod batch;
pub(crate) mod behind;
pub(crate) mod content;
pub(crate) mod coverage;
pub(crate) mod duration;
pub(crate) mod factor;
pub(crate) mod foreign;
pub(crate) mod guard;
pub(crate) mod jitter;
pub(crate) mod key;
pub(crate) mod outer_names;
pub(crate) mod ownership;
pub(crate) mod policy;
pub(crate) mod receiver;
pub(crate) mod schema;
pub(crate) mod size;
pub(crate) mod tag;
pub(crate) mod validate;
pub(crate) mod when;

//! The flows of readers: one key or many, a hit, a load, a refresh behind an entry that is served.

pub(crate) mod audit;
pub(crate) mod background;
pub(crate) mod batch;
pub(crate) mod call;
pub(crate) mod callee;
pub(crate) mod control;
pub(crate) mod driver;
pub(crate) mod flow;
pub(crate) mod info;
pub(crate) mod load;
pub(crate) mod local;
pub(crate) mod pause;
pub(crate) mod peek;
pub(crate) mod reader;
pub(crate) mod reads;
pub(crate) mod renew;
pub(crate) mod right;
pub(crate) mod search;
pub(crate) mod timeout;
mod trace;

//! The flows of readers: one key or many, a hit, a load, a refresh behind an entry that is served.

pub(crate) mod audit;
pub(crate) mod batch;
pub(crate) mod call;
pub(crate) mod control;
pub(crate) mod flow;
pub(crate) mod renew;
pub(crate) mod search;
pub(crate) mod timeout;
mod trace;

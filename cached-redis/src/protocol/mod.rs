//! Decisions and tables of the protocol. Nothing here awaits the store.

pub(crate) mod budget;
pub(crate) mod bypass;
pub(crate) mod flight;
pub(crate) mod freshness;
pub(crate) mod journal;
pub(crate) mod outbox;
pub(crate) mod read;
pub(crate) mod renewal;

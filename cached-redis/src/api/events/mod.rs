//! What others should know of invalidations: events that a cache sends, and that it listens to.
//!
//! A writer that publishes sends an event once the store has confirmed its invalidation, and never
//! before: whoever reads on hearing of it must not get the old value. Those that the store has not
//! confirmed wait in the [`outbox`], beside the journal's keys.
//!
//! Not to be confused with [`event`](crate::observe::event), which is what a process says of itself.

mod durable;
mod ingest;
mod listen;
mod live;

pub use crate::wire::message::Invalidated;
pub use durable::{Consumer, DurableEvents};
pub use ingest::InvalidationListener;
pub use live::{Events, Notice};

use crate::store::{Outlet, Retention};

/// Where the events of a namespace go; into a stream as well, if it is to keep some.
pub(crate) fn outlet(namespace: &str, keep: Option<u64>) -> Outlet {
    let log = stream_key(namespace);
    Outlet {
        channel: format!("{namespace}:#events"),
        retention: keep.map(|most| Retention { log, most }),
    }
}

/// The key of the stream, which is no entry.
pub(crate) fn stream_key(namespace: &str) -> String {
    format!("{namespace}:#stream")
}

//! What others should know of invalidations: events that a cache sends, and that it listens to.
//!
//! A writer that publishes sends an event once the store has confirmed its invalidation, and never
//! before: whoever reads on hearing of it must not get the old value. Those that the store has not
//! confirmed wait in the [`outbox`], beside the journal's keys.
//!
//! Not to be confused with [`event`](crate::observe::event), which is what a process says of itself.

mod consume;
mod durable;
mod gather;
mod ingest;
mod listen;
mod live;

pub use crate::wire::message::Invalidated;
pub use consume::InvalidationConsumer;
pub use durable::{Consumer, DurableEvents};
pub use ingest::InvalidationListener;
pub use live::{Events, Notice};

#[cfg(feature = "testing")]
pub(crate) use consume::FIELD as MESSAGE;

use crate::store::{Outlet, Retention};

/// The field of the stream's entries that holds an event.
const FIELD: &str = "event";

/// Where the events of a namespace go; into a stream as well, if it is to keep some.
pub(crate) fn outlet(namespace: &str, keep: Option<u64>) -> Outlet {
    let log = stream_key(namespace);
    Outlet {
        channel: format!("{namespace}:#events"),
        retention: keep.map(|most| Retention {
            log,
            most,
            field: FIELD,
        }),
    }
}

/// The key of the stream, which is no entry.
pub(crate) fn stream_key(namespace: &str) -> String {
    format!("{namespace}:#stream")
}

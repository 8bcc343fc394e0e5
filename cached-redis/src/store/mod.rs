//! The atomic steps of the protocol, on one store.
//!
//! Everything that makes the cache correct rests on one rule: a fill lands only while the very lease
//! it was loaded under still stands. So each step below looks at a key and changes it in one
//! indivisible move, in memory under a lock, on Redis in one command or script. Each may be repeated
//! when its answer was lost: `fill` and `acquire_over` report the win again, `acquire` answers the own
//! lease, `put` the value it has put, `end` that its writer is gone, and the others do nothing the
//! second time.

use std::time::Duration;

use tokio::time::Instant;

use crate::error::StoreError;
use crate::util::moment::Moment;

pub(crate) mod address;
mod any;
pub(crate) mod bars;
#[cfg(test)]
mod conformance;
mod errand;
#[cfg(feature = "testing")]
pub(crate) mod faults;
#[cfg(feature = "testing")]
pub(crate) mod faulty;
pub(crate) mod head;
pub(crate) mod health;
mod listen;
pub(crate) mod log;
pub(crate) mod mailbox;
pub(crate) mod many;
pub(crate) mod memory;
pub(crate) mod queue;
mod queues;
pub(crate) mod redis;
pub(crate) mod report;
pub(crate) mod sample;
pub(crate) mod size;
pub(crate) mod slot;
pub(crate) mod stats;
mod steps;
#[cfg(feature = "testing")]
pub(crate) mod trace;
#[cfg(feature = "testing")]
mod traced;
pub(crate) mod tracked;

pub(crate) use any::{AnyStore, Bare};
pub(crate) use errand::{Errand, Told};
pub(crate) use memory::MemoryLimits;
pub(crate) use redis::{AddressMap, Identity, PendingSettings, RedisSettings, Waiting};
pub(crate) use steps::Store;

/// What a store answers.
pub(crate) type Answer<T> = Result<T, StoreError>;

/// How a write ended that brought a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    /// The value stands.
    Stored,
    /// Others have written too: the key was invalidated.
    Ended,
    /// The same, and the writer was no longer there.
    Lapsed,
}

/// Where a message goes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outlet {
    /// To those who listen at this moment.
    pub(crate) channel: String,
    /// To those who come later as well.
    pub(crate) retention: Option<Retention>,
}

/// A log that keeps the last messages.
#[derive(Clone, Debug)]
pub(crate) struct Retention {
    /// Where it stands.
    pub(crate) log: String,
    /// How many it keeps: about as many on Redis, exactly as many in memory.
    pub(crate) most: u64,
    /// The name of the field of an entry that holds the message.
    pub(crate) field: &'static str,
}

/// Who must know of connections. A store in memory has none to tell of.
pub(crate) trait Watch: Send + Sync + 'static {
    /// To which server a connection leads that is about to be handed out, and to which database.
    fn recognised(&self, _server: &Identity, _database: u32) {}

    /// A connection is about to be handed out; `changed`: to another server (or another life of it)
    /// than the last one.
    fn connected(&self, changed: bool);

    /// The connection is lost, or given up; its last sign of life was at `seen`.
    fn lost(&self, seen: Instant);

    /// For how long the server may be left unasked.
    fn period(&self) -> Duration {
        Duration::MAX
    }

    /// The key of a number that says whether the connection is of use.
    fn agreement(&self) -> Option<&str> {
        None
    }

    /// This number stands there; 0: none. `false`: the connection is of no use any more.
    fn agrees(&self, _number: u64) -> bool {
        true
    }

    /// What was asked at `sent` is answered, by the same server as before, which has heard of so many elections of
    /// its cluster. `false`: the connection is of no use any more.
    fn answered(&self, _sent: Moment, _epoch: Option<u64>) -> bool {
        true
    }
}

/// Redis refuses a time to live of 0 and one that overflows; both are a caller's arithmetic, not a
/// reason to lose an entry.
pub(crate) fn bounded(ttl: Duration) -> Duration {
    const SHORTEST: Duration = Duration::from_millis(1);
    const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    ttl.clamp(SHORTEST, LONGEST)
}

pub(crate) fn millis(ttl: Duration) -> u64 {
    bounded(ttl).as_millis() as u64
}

/// The token of an envelope: what two envelopes are told apart by. `None`: foreign bytes.
pub(crate) fn envelope_token(bytes: &[u8]) -> Option<&[u8]> {
    const MAGIC: u8 = 0xCA;
    const HEADER: usize = 48;
    (bytes.len() >= HEADER && bytes[0] == MAGIC).then(|| &bytes[8..24])
}

//! Decisions and tables of the protocol. Nothing here awaits the store.

pub(crate) mod budget;
pub(crate) mod bypass;
pub(crate) mod flight;
pub(crate) mod freshness;
pub(crate) mod journal;
#[allow(dead_code, unused_imports, reason = "the model uses the rest")]
pub(crate) mod local;
pub(crate) mod outbox;
pub(crate) mod outlook;
pub(crate) mod progress;
pub(crate) mod read;
pub(crate) mod renewal;
mod rules;

use crate::util::moment::Moment;

impl local::Time for Moment {
    /// In ns.
    type Span = u64;

    #[inline]
    fn since(self, earlier: Self) -> u64 {
        self.ns_since(earlier)
    }
}

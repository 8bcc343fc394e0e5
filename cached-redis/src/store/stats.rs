//! What a store tells about itself, beside the counters of the functions.

use std::sync::LazyLock;
use std::time::Instant;

use serde::Serialize;

use crate::util::histogram::{Buckets, Histogram, ROUND_TRIPS};

/// How a cache and its store get on. [`Stats::store`](crate::stats::Stats::store) has it.
///
/// A `memory://` store is always connected, and what is counted here stays 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StoreStats {
    /// Whether there is a connection at the moment.
    pub connected: bool,
    /// Whether operations are attempted at the moment.
    pub breaker: BreakerState,
    /// Operations that were sent. One that carries many keys counts once.
    pub attempted: u64,
    /// Operations that failed at once and cost nothing: there was no connection, or the breaker was
    /// open.
    pub rejected: u64,
    /// Operations that were attempted and not answered within the deadline.
    pub timeouts: u64,
    /// Operations that were attempted and lost their connection before the answer.
    pub lost: u64,
    /// Connections made after the first one.
    pub reconnects: u64,
    /// Entries that were met and not served, since they are of another epoch; see
    /// [`OnFailover::Epoch`](crate::OnFailover::Epoch).
    pub outdated: u64,
    /// How long operations took.
    pub round_trips: RoundTrips,
}

/// The state of the circuit breaker before the store; see
/// [`Builder::breaker_failures`](crate::Builder::breaker_failures).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BreakerState {
    /// Operations are attempted.
    #[default]
    Closed,
    /// Operations fail at once: the store has stopped answering, or there is no connection.
    Open,
    /// As [`Open`](Self::Open), with a probe on its way to find out whether the store answers.
    HalfOpen,
}

/// One read in so many is measured: to look at a clock twice costs more than to count.
const READS: u32 = 16;

/// From one table: the kinds of operations, and how long they took.
macro_rules! round_trips {
    ($($(#[$doc:meta])+ $kind:ident => $field:ident,)+) => {
        /// How long operations took that were attempted, in seconds: from when they were about to be sent, by
        /// themselves or with others, until they were answered, or given up.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
        #[non_exhaustive]
        pub struct RoundTrips {
            $($(#[$doc])+ pub $field: Histogram,)+
        }

        /// What kind of operation.
        #[derive(Clone, Copy, Debug)]
        pub(crate) enum Operation {
            $($kind,)+
        }

        impl Default for RoundTrips {
            fn default() -> Self {
                Self { $($field: Histogram::empty(&ROUND_TRIPS),)+ }
            }
        }

        impl RoundTrips {
            /// All kinds together.
            pub fn total(&self) -> Histogram {
                let none = Histogram::empty(&ROUND_TRIPS);
                [$(self.$field),+].into_iter().fold(none, |all, one| all + one)
            }

            /// Each kind, under its name.
            pub(crate) fn kinds(&self) -> impl Iterator<Item = (&'static str, Histogram)> {
                [$((stringify!($field), self.$field)),+].into_iter()
            }
        }

        /// The same while they are measured.
        pub(crate) struct Measured {
            $($field: Buckets,)+
        }

        impl Default for Measured {
            fn default() -> Self {
                Self { $($field: Buckets::of(&ROUND_TRIPS),)+ }
            }
        }

        impl Measured {
            fn of(&self, operation: Operation) -> &Buckets {
                match operation {
                    $(Operation::$kind => &self.$field,)+
                }
            }

            pub(crate) fn snapshot(&self) -> RoundTrips {
                RoundTrips { $($field: self.$field.snapshot(),)+ }
            }
        }
    };
}

round_trips! {
    /// Reads of one key, alone or together with those of others. One in sixteen is measured, chosen at random.
    Get => get,
    /// Reads of several keys by one call, measured as often.
    Mget => mget,
    /// Scripts: a fill, an invalidation in a guarded namespace.
    Script => script,
    /// Other commands: a lease, an invalidation; and many commands in one write.
    Command => command,
}

/// An operation under way. Small, since it is a part of every call's future.
#[derive(Clone, Copy)]
pub(crate) struct Measuring {
    operation: Operation,
    /// In µs, by a clock that comes round in an hour; 0: it is not measured.
    began: u32,
}

impl Measuring {
    pub(crate) fn begin(operation: Operation) -> Self {
        let is_read = matches!(operation, Operation::Get | Operation::Mget);
        let is_measured = !is_read || fastrand::u32(..READS) == 0;
        let began = if is_measured { now_us() } else { 0 };
        Self { operation, began }
    }
}

impl Measured {
    /// It has ended.
    pub(crate) fn end(&self, measuring: Measuring) {
        let Measuring { operation, began } = measuring;
        if began > 0 {
            let took = now_us().wrapping_sub(began);
            self.of(operation).record(took.into());
        }
    }
}

/// Never 0.
fn now_us() -> u32 {
    static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    (ORIGIN.elapsed().as_micros() as u32).max(1)
}

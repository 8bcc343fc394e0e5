//! What a level in process memory tells about itself.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;

use crate::error::pending::as_seconds_if_any;

/// From one table: what is counted, and how it is shown.
macro_rules! drops {
    ($($(#[$doc:meta])+ $field:ident,)+) => {
        /// What the [level in process memory](crate::docs::two_levels) of a cache keeps, and what it has dropped
        /// since the cache was built; of which each reason is counted. [`Stats::local`](crate::stats::Stats::local)
        /// has it; its hits are counted with those of their functions.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
        #[non_exhaustive]
        pub struct LocalStats {
            /// Entries, and generations of tags, that are kept at the moment. Some of them may be too old to be
            /// served.
            pub entries: u64,
            /// How many bytes they take, about: twice that of an encoded value, its key, and 100.
            pub bytes: u64,
            /// For how long nothing has shown that changes are still announced, by that server of a cluster of which it
            /// is longest; `None` while that is not known.
            #[serde(rename = "horizon_seconds", serialize_with = "as_seconds_if_any")]
            pub horizon: Option<Duration>,
            $($(#[$doc])+ pub $field: u64,)+
        }

        #[derive(Default)]
        pub(crate) struct Drops {
            $($field: AtomicU64,)+
        }

        impl Drops {
            $(pub(crate) fn $field(&self, n: u64) {
                self.$field.fetch_add(n, Ordering::Relaxed);
            })+

            pub(crate) fn snapshot(&self) -> LocalStats {
                LocalStats {
                    $($field: self.$field.load(Ordering::Relaxed),)+
                    ..LocalStats::default()
                }
            }
        }
    };
}

drops! {
    /// Dropped since Redis has announced a change: an invalidation of another process, a fill, the end of a
    /// TTL, an eviction.
    changed,
    /// Dropped since this process has invalidated, replaced or barred them.
    replaced,
    /// Dropped since Redis was emptied by somebody.
    flushed,
    /// Dropped since the connection was lost.
    lost,
    /// Dropped since another server has taken the place of the one they were read from; in a cluster also since that
    /// has lost a slot, or has heard of an election.
    moved,
    /// Dropped for room: what was read least.
    evicted,
    /// Not kept, since they are too large for a part of the level.
    refused,
}

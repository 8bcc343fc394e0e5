//! Counters per annotated function.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;

use crate::error::pending::{Pending, as_seconds};
use crate::observe::local::LocalStats;
use crate::store::sample::StoreSample;
use crate::store::stats::StoreStats;
use crate::util::histogram::{self, Buckets, Histogram};
use crate::util::thread;

/// From one table: what is counted, the public row of a function, how it is read and added up.
macro_rules! counters {
    ($($(#[$doc:meta])+ $count:ident => $field:ident: $type:ty,)+) => {
        /// What is counted; the order of [`Counters`].
        #[derive(Clone, Copy)]
        pub(crate) enum Count {
            $($count,)+
        }

        pub(crate) const COUNTS: usize = [$(Count::$count),+].len();

        impl Count {
            #[cfg(test)]
            pub(crate) const ALL: &[Self] = &[$(Self::$count),+];
        }

        /// What one function did with the cache since the cache was built.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
        #[non_exhaustive]
        pub struct FunctionStats {
            /// `module::function`; `(direct)` for calls without an attribute.
            pub function: &'static str,
            $($(#[$doc])+ pub $field: $type,)+
            /// The times of those loads, in seconds.
            pub load_times: Histogram,
            /// The sizes of the entries that were stored, in bytes: encoded values, each with some 50 bytes of
            /// header.
            pub value_bytes: Histogram,
        }

        impl Default for FunctionStats {
            fn default() -> Self {
                Self::none("")
            }
        }

        impl Counters {
            pub(crate) fn snapshot(&self, function: &'static str) -> FunctionStats {
                FunctionStats {
                    function,
                    $($field: <$type>::counted(self.get(Count::$count)),)+
                    load_times: self.load_times.snapshot(),
                    value_bytes: self.value_bytes.snapshot(),
                }
            }
        }

        impl FunctionStats {
            /// Of a function that did nothing.
            pub(crate) fn none(function: &'static str) -> Self {
                Self {
                    function,
                    $($field: <$type>::counted(0),)+
                    load_times: Histogram::empty(&histogram::LOADS),
                    value_bytes: Histogram::empty(&histogram::BYTES),
                }
            }

            /// The same of another function.
            pub(crate) fn of(self, function: &'static str) -> Self {
                Self { function, ..self }
            }

            pub(crate) fn add(&mut self, other: &Self) {
                $(self.$field += other.$field;)+
                self.load_times += &other.load_times;
                self.value_bytes += &other.value_bytes;
            }
        }
    };
}

/// What a counter is shown as.
trait Counted {
    fn counted(count: u64) -> Self;
}

impl Counted for u64 {
    fn counted(count: u64) -> Self {
        count
    }
}

/// Of one in microseconds.
impl Counted for Duration {
    fn counted(count: u64) -> Self {
        Self::from_micros(count)
    }
}

counters! {
    /// Reads answered by the store.
    Hits => hits: u64,
    /// Reads answered by the [level in process memory](crate::docs::two_levels).
    LocalHits => local_hits: u64,
    /// Reads answered by an entry past its TTL, inside a stale window.
    Stale => stale: u64,
    /// Loads of entries that could be served meanwhile: behind a read, or in a stale window.
    Renewals => renewals: u64,
    /// Reads in [`Mode::Shadow`](crate::Mode::Shadow) that the cache would have answered.
    ShadowHits => shadow_hits: u64,
    /// Values of the cache that were compared with the source: by the option `audit`, or in
    /// [`Mode::Shadow`](crate::Mode::Shadow).
    Audits => audits: u64,
    /// Those that differed from the source and still stood a moment later.
    StaleAudits => stale_audits: u64,
    /// Reads answered by a load that another caller had begun.
    Joined => joined: u64,
    /// Reads that got the lease and loaded.
    Misses => misses: u64,
    /// Times that a read waited for another caller's load.
    Waits => waits: u64,
    /// Loads without a lease: the store was away, the wait budget was spent, or a writer barred the
    /// key.
    Bypasses => bypasses: u64,
    /// Calls that were given up after their `timeout`.
    Timeouts => timeouts: u64,
    /// Times that the function ran to its end on behalf of the cache.
    Loads => loads: u64,
    /// Those of them that gave an error.
    LoadErrors => load_errors: u64,
    /// The time of those loads together.
    #[serde(rename = "load_time_seconds", serialize_with = "as_seconds")]
    LoadMicros => load_time: Duration,
    /// Results that were stored.
    Fills => fills: u64,
    /// Results that were not stored because the key was invalidated during the load; of a
    /// write-through, because another writer had interfered; and attempts of updates that others
    /// overtook.
    RefusedFills => refused_fills: u64,
    /// Results that were not stored because the lease had run out: it was not renewed in time, since the
    /// runtime was blocked or the store away.
    LapsedFills => lapsed_fills: u64,
    /// Entries that could not be read as this function's type and were replaced.
    Undecodable => undecodable: u64,
    /// Entries that were found dead and replaced: one of their tags had been invalidated, or the
    /// store had evicted its generation.
    Outdated => outdated: u64,
    /// Values that no codec could keep.
    Unstorable => unstorable: u64,
    /// Values that were not stored because they are larger than
    /// [`max_value_bytes`](crate::Builder::max_value_bytes), or than the server takes.
    TooLarge => too_large: u64,
    /// Operations that failed: no connection, no answer in time, an error of the server. Not those of reads
    /// that found the store away and went on without it: these are bypasses.
    Errors => errors: u64,
    /// Keys invalidated; of a pattern those that were found.
    Invalidations => invalidations: u64,
    /// Keys whose invalidation the store did not confirm, so that it is replayed later. Here and
    /// below a pattern counts as one.
    DeferredInvalidations => deferred_invalidations: u64,
    /// Deferred keys that a replay has removed since, each counted once however often it was deferred;
    /// not those that a later invalidation of the same key has settled. All under `(direct)`.
    ReplayedInvalidations => replayed_invalidations: u64,
    /// Keys whose invalidation a server had confirmed, and which were removed again from the one that
    /// has taken its place: see [`OnFailover::Replay`](crate::OnFailover::Replay). All under `(direct)`.
    RepeatedInvalidations => repeated_invalidations: u64,
    /// Keys whose invalidation will not reach the store, since they could not be rendered.
    LostInvalidations => lost_invalidations: u64,
    /// Writes that did not have the `guard` or `replica_lag` they ask for, from their beginning to
    /// their end; and write-throughs that could only invalidate, because the store was away.
    UnguardedWrites => unguarded_writes: u64,
    /// Locks that were lost before they were released.
    LostLocks => lost_locks: u64,
    /// Writes that were accepted into their queue.
    AcceptedWrites => accepted_writes: u64,
    /// Writes that were not, so that their callers were told so.
    RefusedWrites => refused_writes: u64,
    /// Writes of the queue that were applied by this process.
    AppliedWrites => applied_writes: u64,
    /// Writes of the queue that it left out, as a later one of the same key waited too.
    CoalescedWrites => coalesced_writes: u64,
    /// Times that a write of the queue failed in this process; it is tried again.
    FailedWrites => failed_writes: u64,
    /// Writes that this process has made dead letters, those behind them included.
    DeadLetters => dead_letters: u64,
    /// Events of invalidations that the store has confirmed.
    Published => published_events: u64,
    /// Events that the store did not confirm at once, or whose invalidation it did not, so that they
    /// are sent later.
    DeferredEvents => deferred_events: u64,
    /// Events that will not be sent, because there was no room to keep them.
    LostEvents => lost_events: u64,
    /// Messages of others that led to an invalidation; counted under `(direct)`, as are the next two.
    Ingested => ingested_messages: u64,
    /// Messages of others that, in whole or in part, could not be understood or served.
    Malformed => malformed_messages: u64,
    /// Times that messages of others may have been missed: a connection was lost, they came too fast, or a
    /// stream was cut before it was read, or had no group, as at the first start.
    IngestionGaps => ingestion_gaps: u64,
}

/// The counters of one function. Every hit writes to them, so the first threads have stripes of their own.
pub(crate) struct Counters {
    own: [Stripe; STRIPES],
    /// Those of all other threads.
    shared: [Stripe; STRIPES],
    /// Loads and fills are too rare to need stripes.
    pub(crate) load_times: Buckets,
    pub(crate) value_bytes: Buckets,
}

const STRIPES: usize = 8;

/// On cache lines of its own.
#[repr(align(128))]
struct Stripe([AtomicU64; COUNTS]);

impl Default for Stripe {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::default()))
    }
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            own: Default::default(),
            shared: Default::default(),
            load_times: Buckets::of(&histogram::LOADS),
            value_bytes: Buckets::of(&histogram::BYTES),
        }
    }
}

impl Counters {
    #[inline]
    pub(crate) fn add(&self, count: Count, n: u64) {
        let thread = thread::number();
        if let Some(Stripe(counts)) = self.own.get(thread) {
            // Nobody else writes there, which saves a hit what it costs to add at once.
            let count = &counts[count as usize];
            return count.store(count.load(Ordering::Relaxed) + n, Ordering::Relaxed);
        }
        let Stripe(counts) = &self.shared[thread % STRIPES];
        counts[count as usize].fetch_add(n, Ordering::Relaxed);
    }

    fn get(&self, count: Count) -> u64 {
        let count = count as usize;
        let stripes = self.own.iter().chain(&self.shared);
        stripes
            .map(|Stripe(counts)| counts[count].load(Ordering::Relaxed))
            .sum()
    }

    /// The mean time of a load, once there was one.
    pub(crate) fn mean_load(&self) -> Option<Duration> {
        let micros = self
            .get(Count::LoadMicros)
            .checked_div(self.get(Count::Loads))?;
        Some(Duration::from_micros(micros))
    }
}

impl FunctionStats {
    /// The time that loads would have taken in the place of the answers from the cache, by the mean of those
    /// that ran; zero while none has run.
    #[must_use]
    pub fn time_saved(&self) -> Duration {
        let mean = self.load_times.mean().unwrap_or_default();
        Duration::try_from_secs_f64(self.answered() as f64 * mean).unwrap_or(Duration::MAX)
    }

    fn answered(&self) -> u64 {
        self.hits + self.local_hits + self.stale + self.joined + self.shadow_hits
    }

    /// Values of the cache that were as fresh as the source, as a share of those that were compared;
    /// `None` when none was. Less than 1 means that something changes the source without invalidating.
    #[must_use]
    pub fn fresh_ratio(&self) -> Option<f64> {
        let stale = self.stale_audits as f64;
        (self.audits > 0).then(|| 1.0 - stale / self.audits as f64)
    }

    /// Reads that the cache answered, or would have in [`Mode::Shadow`](crate::Mode::Shadow), as a share of
    /// all reads; 0 when there were none.
    #[must_use]
    pub fn hit_rate(&self) -> f64 {
        let answered = self.answered();
        let reads = answered + self.misses + self.bypasses;
        if reads == 0 {
            0.0
        } else {
            answered as f64 / reads as f64
        }
    }
}

/// What a cache did since it was built, per function.
///
/// Its `Display` is a table. It serializes as an object with `namespace`, `functions`, `store`, `local`,
/// `pending` and `sample`; times are in seconds there, under names that say so.
#[derive(Clone, Debug, Default, Serialize)]
#[must_use]
pub struct Stats {
    pub(crate) namespace: String,
    pub(crate) functions: Vec<FunctionStats>,
    pub(crate) store: StoreStats,
    pub(crate) local: LocalStats,
    pub(crate) pending: Pending,
    pub(crate) sample: Option<StoreSample>,
}

impl Stats {
    /// The first part of all keys of the cache.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// What the store had when [`Cache::store_sample`](crate::Cache::store_sample) was called last; `None` before
    /// that.
    #[must_use]
    pub fn sample(&self) -> Option<&StoreSample> {
        self.sample.as_ref()
    }

    /// One row for each annotated function and writer, and one, `(direct)`, for the rest.
    #[must_use]
    pub fn functions(&self) -> &[FunctionStats] {
        &self.functions
    }

    /// The row of a function, by its name alone or with its module.
    #[must_use]
    pub fn function(&self, name: &str) -> Option<&FunctionStats> {
        let named = |row: &&FunctionStats| {
            row.function
                .strip_suffix(name)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with("::"))
        };
        self.functions.iter().find(named)
    }

    /// How the cache and its store get on.
    #[must_use]
    pub fn store(&self) -> StoreStats {
        self.store
    }

    /// How its level in process memory gets on.
    #[must_use]
    pub fn local(&self) -> LocalStats {
        self.local
    }

    /// All rows added up, under the name `total`.
    #[must_use]
    pub fn total(&self) -> FunctionStats {
        let mut total = FunctionStats::none("total");
        self.busy().for_each(|row| total.add(row));
        total
    }

    /// The rows of functions that did something: of a large program most did not.
    fn busy(&self) -> impl Iterator<Item = &FunctionStats> {
        let none = FunctionStats::none("");
        let functions = self.functions.iter();
        functions.filter(move |row| **row != none.of(row.function))
    }

    /// The invalidations that wait for their replay at this moment.
    #[must_use]
    pub fn pending_invalidations(&self) -> Pending {
        self.pending
    }
}

impl fmt::Display for Stats {
    /// One line for each function that did something.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<_> = self.busy().collect();
        let names = rows.iter().map(|row| row.function.len());
        let width = names.chain(["function".len()]).max().unwrap_or_default();
        write!(f, "{:width$}", "function")?;
        for (name, _) in COLUMNS {
            write!(f, "  {name:>11}")?;
        }
        for row in rows {
            write!(f, "\n{:width$}", row.function)?;
            for (_, value) in COLUMNS {
                write!(f, "  {:>11}", value(row))?;
            }
        }
        writeln!(f)
    }
}

type Column = (&'static str, fn(&FunctionStats) -> u64);

/// What the table shows; the fields have the rest.
const COLUMNS: [Column; 12] = [
    ("hits", |row| row.hits),
    ("local", |row| row.local_hits),
    ("stale", |row| row.stale),
    ("joined", |row| row.joined),
    ("misses", |row| row.misses),
    ("bypasses", |row| row.bypasses),
    ("fills", |row| row.fills),
    ("refused", |row| row.refused_fills),
    ("errors", |row| row.errors),
    ("invalidated", |row| row.invalidations),
    ("deferred", |row| row.deferred_invalidations),
    ("lost", |row| row.lost_invalidations),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_shows_functions_that_did_something() {
        let busy = FunctionStats {
            function: "shop::rename_user",
            lost_invalidations: 3,
            ..FunctionStats::default()
        };
        let idle = FunctionStats {
            function: "shop::get_user",
            ..FunctionStats::default()
        };
        let table = Stats {
            functions: vec![busy, idle],
            ..Stats::default()
        }
        .to_string();
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines.len(), 2, "{table}");
        assert!(
            lines[0].ends_with("lost") && lines[1].ends_with(" 3"),
            "{table}"
        );
        assert!(lines[1].starts_with("shop::rename_user "), "{table}");
    }
}

//! Everything that a cache did, in order.
//!
//! It is derived from the one enum of events, as the counters and the `tracing` events are, and
//! says as little as they do: never a key or a value.

use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;

use crate::observe::event::Event;

/// Records what caches do: give it to [`Builder::recorder`](crate::Builder::recorder).
///
/// Cheap to clone; all clones are the same record. Several caches may share one.
///
/// ```
/// use cached_redis::testing::{Recorded, Recorder};
/// use cached_redis::{Cache, redis_cached};
///
/// #[redis_cached(key = "greeting:<name>", ttl = "5m")]
/// async fn greeting(name: &str) -> String {
///     format!("Hello, {name}!")
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cached_redis::Error> {
/// let recorder = Recorder::new();
/// let cache = Cache::builder().url("memory://").recorder(recorder.clone()).build().await?;
/// cache.scope(greeting("Ada")).await;
/// recorder.wait_for(Recorded::Fill, 1).await; // a result is stored after the caller has it
/// cache.scope(greeting("Ada")).await;
///
/// use Recorded::{Fill, Hit, Load, Miss};
/// assert_eq!(recorder.of("greeting"), [Miss, Load, Fill, Hit]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Recorder(Arc<watch::Sender<Vec<Record>>>);

/// One thing that a cache did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record {
    /// `module::function`, as in [`Stats`](crate::stats::Stats); `(direct)` for calls without an attribute.
    pub function: &'static str,
    /// What it was.
    pub event: Recorded,
}

/// From one table: what is recorded, and of which event.
macro_rules! recorded {
    ($(#[$doc:meta])* pub enum Recorded { $($(#[$kind_doc:meta])* $kind:ident = $event:pat,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Recorded {
            $($(#[$kind_doc])* $kind,)+
        }

        impl From<&Event<'_>> for Recorded {
            fn from(event: &Event<'_>) -> Self {
                match event {
                    $($event => Self::$kind,)+
                }
            }
        }
    };
}

recorded! {
    /// What a cache does. The counters of [`FunctionStats`](crate::stats::FunctionStats) say more about each.
    pub enum Recorded {
        /// The store had the entry.
        Hit = Event::Hit,
        /// The level in process memory had the entry.
        LocalHit = Event::LocalHit,
        /// The store had the entry, past its TTL and inside a stale window.
        Stale = Event::Stale,
        /// An entry that can be served is loaded anew.
        Renewing = Event::Renewing,
        /// In shadow mode, the store had what would have been served.
        ShadowHit = Event::ShadowHit,
        /// A value of the cache was compared with the source and was as fresh.
        AuditedFresh = Event::Audited { fresh: true },
        /// A value of the cache was compared with the source and was stale.
        AuditedStale = Event::Audited { fresh: false },
        /// Another caller's load answered this one.
        Joined = Event::Joined,
        /// Nothing usable was there, and this caller got the lease.
        Miss = Event::Miss,
        /// A read waits for another caller's load.
        Wait = Event::Wait,
        /// The function runs without a lease.
        Bypass = Event::Bypass,
        /// A load called a function for the key that it loads itself; that call bypasses the cache.
        Nested = Event::Nested(_),
        /// A call took longer than its `timeout` and was given up.
        TimedOut = Event::TimedOut,
        /// The function returned.
        Load = Event::Loaded { .. },
        /// The load took longer than its result is kept.
        Outlasted = Event::Outlasted(_),
        /// The result was stored.
        Fill = Event::Fill(_),
        /// The result has a tag that was not known before; the tag was stored for the next load.
        Marked = Event::Marked,
        /// The result was not stored, because the key was invalidated during the load.
        RefusedFill = Event::Refused,
        /// The result was not stored, because its lease had not been renewed in time.
        LapsedFill = Event::Lapsed,
        /// What stood under the key is no entry of this function's type.
        Undecodable = Event::Undecodable,
        /// It is compressed, which this build cannot read.
        Packed = Event::Packed,
        /// A tag of the entry that stood under the key has been invalidated, or its generation was lost.
        Outdated = Event::Outdated,
        /// The codec cannot read values of this type back; MessagePack keeps them from now on.
        FellBack = Event::FellBack { .. },
        /// A policy asks for additive changes of a codec that cannot tell them: see
        /// [`Schema`](crate::Schema).
        NotAdditive = Event::NotAdditive(_),
        /// No codec can keep this value.
        Unstorable = Event::Unstorable(..),
        /// The value was too large for the store.
        TooLarge = Event::TooLarge(_),
        /// A part of a read's key could not be rendered.
        KeyFailed = Event::KeyFailed,
        /// A function has one key in several types, and runs uncached from now on.
        SharedKey = Event::SharedKey,
        /// The source did not tell its version.
        NoVersion = Event::NoVersion,
        /// A read was given more tags than an entry can have.
        TooManyTags = Event::TooManyTags,
        /// A value was written without the tags, or the version, that a reader of its key has; the key was
        /// invalidated instead.
        Unlabelled = Event::Unlabelled { .. },
        /// A validator is too long to be kept beside its value, which is kept without it.
        LongValidator = Event::LongValidator,
        /// The policy does not exist, gives no TTL, or is out of range.
        NoPolicy = Event::NoPolicy(_),
        /// The store did not answer, or not as it should.
        Failed = Event::Failed(_) | Event::Away(_),
        /// The store confirmed an invalidation.
        Invalidated = Event::Invalidated(_),
        /// All keys that match a pattern were looked for and removed, or the store failed before the end.
        Swept = Event::Swept { .. },
        /// The store did not confirm an invalidation; it is kept for a replay.
        Deferred = Event::Deferred(..),
        /// The store confirmed deferred invalidations.
        Replayed = Event::Replayed(_),
        /// Invalidations that a server before had confirmed were repeated.
        Repeated = Event::Repeated(_),
        /// More keys are deferred than can be kept one by one.
        JournalOverflow = Event::JournalOverflow,
        /// An invalidation did not reach the store and will not.
        Lost = Event::LostKey,
        /// A write goes on without the guard or the hold-off that it asks for.
        Unguarded = Event::Unguarded(_),
        /// The tombstone of a running write was gone for a while.
        GuardLapsed = Event::GuardLapsed,
        /// A lock was lost before it was released.
        LockLost = Event::LockLost,
        /// A write that must be guarded could not be, and its function did not run.
        WriteRefused = Event::WriteRefused(_),
        /// A write was accepted into its queue.
        Accepted = Event::Accepted,
        /// A write was not accepted into its queue.
        NotAccepted = Event::NotAccepted(_),
        /// A write of the queue was applied.
        Applied = Event::Applied,
        /// A write of the queue was left out, as a later one of its key waits too.
        Coalesced = Event::Coalesced,
        /// A write of the queue has failed.
        NotApplied = Event::NotApplied,
        /// A write of the queue has become a dead letter.
        Buried = Event::Buried { .. },
        /// There are as many dead letters as there may be.
        GraveFull = Event::GraveFull,
        /// An event of an invalidation was published.
        Published = Event::Published,
        /// An event is sent later: the store did not confirm it, or not yet its invalidation.
        PublishDeferred = Event::PublishDeferred(_),
        /// An event will not be sent: there was no room to keep it.
        PublishLost = Event::PublishLost,
        /// A message of another service led to an invalidation.
        Ingested = Event::Ingested,
        /// A message of another service was none that can be served.
        Malformed = Event::Malformed(..),
        /// Messages of other services may have been missed.
        IngestionGap = Event::IngestionGap,
        /// Entries of a stream of invalidations were gone before they were read.
        ConsumptionGap = Event::ConsumptionGap,
    }
}

impl Recorder {
    /// An empty record.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Vec::new())))
    }

    /// Everything since the beginning, or since [`clear`](Self::clear).
    #[must_use]
    pub fn events(&self) -> Vec<Record> {
        self.0.borrow().clone()
    }

    /// What one function did: its name, or as much of the end of its path as tells it from others.
    #[must_use]
    pub fn of(&self, function: &str) -> Vec<Recorded> {
        let records = self.0.borrow();
        let its = records.iter().filter(|record| record.is_of(function));
        its.map(|record| record.event).collect()
    }

    /// How often it happened, in all functions.
    #[must_use]
    pub fn count(&self, event: Recorded) -> usize {
        count(&self.0.borrow(), event)
    }

    /// Waits until it has happened so many times; not at all if it has already. It waits for ever
    /// if it never does: put a `tokio::time::timeout` around it.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn wait_for(&self, event: Recorded, times: usize) {
        let mut records = self.0.subscribe();
        // It cannot fail: the sender is here.
        let _ = records
            .wait_for(|records| count(records, event) >= times)
            .await;
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.0.send_modify(Vec::clear);
    }

    pub(crate) fn record(&self, function: &'static str, event: &Event<'_>) {
        let event = Recorded::from(event);
        let record = Record { function, event };
        self.0.send_modify(|records| records.push(record));
    }
}

impl Default for Recorder {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.borrow().iter()).finish()
    }
}

fn count(records: &[Record], event: Recorded) -> usize {
    let such = records.iter().filter(|record| record.event == event);
    such.count()
}

impl Record {
    fn is_of(&self, function: &str) -> bool {
        let before = self.function.strip_suffix(function);
        before.is_some_and(|before| before.is_empty() || before.ends_with("::"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_found_by_the_end_of_its_path_and_by_no_part_of_a_name() {
        let recorder = Recorder::new();
        recorder.record("shop::stock::read", &Event::Hit);
        recorder.record("shop::stock::misread", &Event::Miss);
        for name in ["read", "stock::read", "shop::stock::read"] {
            assert_eq!(recorder.of(name), [Recorded::Hit], "{name}");
        }
        assert_eq!(recorder.of("stock"), []);
        recorder.clear();
        assert_eq!(recorder.events(), []);
    }

    #[tokio::test]
    async fn waiting_ends_with_the_last_of_so_many() {
        let recorder = Recorder::new();
        let waiting = tokio::spawn({
            let recorder = recorder.clone();
            async move { recorder.wait_for(Recorded::Fill, 2).await }
        });
        recorder.record("read", &Event::Fill(64));
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        recorder.record("read", &Event::Fill(64));
        waiting.await.unwrap();
        recorder.wait_for(Recorded::Fill, 2).await;
    }
}

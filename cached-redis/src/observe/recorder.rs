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

/// What a cache does. The counters of [`FunctionStats`](crate::stats::FunctionStats) say more about each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Recorded {
    /// The store had the entry.
    Hit,
    /// The store had the entry, past its TTL and inside a stale window.
    Stale,
    /// An entry that can be served is loaded anew.
    Renewing,
    /// In shadow mode, the store had what would have been served.
    ShadowHit,
    /// A value of the cache was compared with the source and was as fresh.
    AuditedFresh,
    /// A value of the cache was compared with the source and was stale.
    AuditedStale,
    /// Another caller's load answered this one.
    Joined,
    /// Nothing usable was there, and this caller got the lease.
    Miss,
    /// A read waits for another caller's load.
    Wait,
    /// The function runs without a lease.
    Bypass,
    /// A load called a function for the key that it loads itself; that call bypasses the cache.
    Nested,
    /// A call took longer than its `timeout` and was given up.
    TimedOut,
    /// The function returned.
    Load,
    /// The result was stored.
    Fill,
    /// The result has a tag that was not known before; the tag was stored for the next load.
    Marked,
    /// The result was not stored, because the key was invalidated during the load.
    RefusedFill,
    /// The result was not stored, because its lease had not been renewed in time.
    LapsedFill,
    /// What stood under the key is no entry of this function's type.
    Undecodable,
    /// A tag of the entry that stood under the key has been invalidated, or its generation was lost.
    Outdated,
    /// The codec cannot read values of this type back; MessagePack keeps them from now on.
    FellBack,
    /// A policy asks for additive changes of a codec that cannot tell them: see
    /// [`Schema`](crate::Schema).
    NotAdditive,
    /// No codec can keep this value.
    Unstorable,
    /// The value was too large for the store.
    TooLarge,
    /// A part of a read's key could not be rendered.
    KeyFailed,
    /// A function has one key in several types, and runs uncached from now on.
    SharedKey,
    /// The source did not tell its version.
    NoVersion,
    /// A read was given more tags than an entry can have.
    TooManyTags,
    /// A value was written without the tags, or the version, that a reader of its key has; the key was
    /// invalidated instead.
    Unlabelled,
    /// A validator is too long to be kept beside its value, which is kept without it.
    LongValidator,
    /// The policy does not exist, gives no TTL, or is out of range.
    NoPolicy,
    /// The store did not answer, or not as it should.
    Failed,
    /// The store confirmed an invalidation.
    Invalidated,
    /// All keys that match a pattern were looked for and removed, or the store failed before the end.
    Swept,
    /// The store did not confirm an invalidation; it is kept for a replay.
    Deferred,
    /// The store confirmed deferred invalidations.
    Replayed,
    /// Invalidations that a server before had confirmed were repeated.
    Repeated,
    /// More keys are deferred than can be kept one by one.
    JournalOverflow,
    /// An invalidation did not reach the store and will not.
    Lost,
    /// A write goes on without the guard or the hold-off that it asks for.
    Unguarded,
    /// The tombstone of a running write was gone for a while.
    GuardLapsed,
    /// A lock was lost before it was released.
    LockLost,
    /// A write that must be guarded could not be, and its function did not run.
    WriteRefused,
    /// An event of an invalidation was published.
    Published,
    /// An event is sent later: the store did not confirm it, or not yet its invalidation.
    PublishDeferred,
    /// An event will not be sent: there was no room to keep it.
    PublishLost,
    /// A message of another service led to an invalidation.
    Ingested,
    /// A message of another service was none that can be served.
    Malformed,
    /// Messages of other services may have been missed.
    IngestionGap,
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

impl From<&Event<'_>> for Recorded {
    fn from(event: &Event<'_>) -> Self {
        match event {
            Event::Hit => Self::Hit,
            Event::Stale => Self::Stale,
            Event::Renewing => Self::Renewing,
            Event::ShadowHit => Self::ShadowHit,
            Event::Audited { fresh: true } => Self::AuditedFresh,
            Event::Audited { fresh: false } => Self::AuditedStale,
            Event::Joined => Self::Joined,
            Event::Miss => Self::Miss,
            Event::Wait => Self::Wait,
            Event::Bypass => Self::Bypass,
            Event::Nested(_) => Self::Nested,
            Event::TimedOut => Self::TimedOut,
            Event::Loaded(_) => Self::Load,
            Event::Fill => Self::Fill,
            Event::Marked => Self::Marked,
            Event::Refused => Self::RefusedFill,
            Event::Lapsed => Self::LapsedFill,
            Event::Undecodable => Self::Undecodable,
            Event::Outdated => Self::Outdated,
            Event::FellBack { .. } => Self::FellBack,
            Event::NotAdditive(_) => Self::NotAdditive,
            Event::Unstorable(..) => Self::Unstorable,
            Event::TooLarge(_) => Self::TooLarge,
            Event::KeyFailed => Self::KeyFailed,
            Event::SharedKey => Self::SharedKey,
            Event::NoVersion => Self::NoVersion,
            Event::TooManyTags => Self::TooManyTags,
            Event::Unlabelled { .. } => Self::Unlabelled,
            Event::LongValidator => Self::LongValidator,
            Event::NoPolicy(_) => Self::NoPolicy,
            Event::Failed(_) | Event::Away(_) => Self::Failed,
            Event::Invalidated(_) => Self::Invalidated,
            Event::Swept { .. } => Self::Swept,
            Event::Deferred(..) => Self::Deferred,
            Event::Replayed(_) => Self::Replayed,
            Event::Repeated(_) => Self::Repeated,
            Event::JournalOverflow => Self::JournalOverflow,
            Event::LostKey => Self::Lost,
            Event::Unguarded(_) => Self::Unguarded,
            Event::GuardLapsed => Self::GuardLapsed,
            Event::LockLost => Self::LockLost,
            Event::WriteRefused(_) => Self::WriteRefused,
            Event::Published => Self::Published,
            Event::PublishDeferred(_) => Self::PublishDeferred,
            Event::PublishLost => Self::PublishLost,
            Event::Ingested => Self::Ingested,
            Event::Malformed(..) => Self::Malformed,
            Event::IngestionGap => Self::IngestionGap,
        }
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
        recorder.record("read", &Event::Fill);
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        recorder.record("read", &Event::Fill);
        waiting.await.unwrap();
        recorder.wait_for(Recorded::Fill, 2).await;
    }
}

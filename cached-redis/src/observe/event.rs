//! What happens in a cache, as one enum. Every signal, the counters of [`Stats`](crate::Stats) and
//! the `tracing` events, is derived from it here and nowhere else.
//!
//! Events name the function and never a key, a value or an address: those may hold user data.

use std::time::Duration;

use tracing::{debug, info, trace};

use crate::error::pending::Pending;
use crate::error::{StoreError, Unguarded};
use crate::observe::registry::Site;
use crate::observe::stats::{Count, Counters};
use crate::observe::status::{Filled, Status};
use crate::observe::warnings::Warnings;
use crate::util::warning::{error, warn};
use crate::wire::codec::CodecError;
use std::fmt;

/// One thing that happened.
#[derive(Debug)]
pub(crate) enum Event<'a> {
    /// The store had the entry.
    Hit,
    /// The store had the entry, past its TTL and inside a stale window.
    Stale,
    /// An entry that can be served is loaded anew.
    Renewing,
    /// In shadow mode, the cache has what it would have served.
    ShadowHit,
    /// What the cache serves was compared with the source.
    Audited { fresh: bool },
    /// Another caller's load answered this one.
    Joined,
    /// Nothing usable was there and this caller got the lease.
    Miss,
    /// This caller waits for another one's load.
    Wait,
    /// The function runs without a lease.
    Bypass,
    /// A load calls a function for the key that it loads itself.
    /// Whether it is the first one of its function.
    Nested(bool),
    /// A call took longer than its `timeout` and was given up.
    TimedOut,
    /// The function returned.
    Loaded(Duration),
    /// The result was stored.
    Fill,
    /// The result has a tag that was not known before; the tag was stored for the next load.
    Marked,
    /// The lease was gone when the result came: something invalidated the key during the load. Or
    /// another writer has interfered with a write-through.
    Refused,
    /// The lease was gone when the result came, and had not been renewed for as long as it lives: the
    /// runtime was blocked, or the store away.
    Lapsed,
    /// What stood under the key is no entry of this function's type.
    Undecodable,
    /// A tag of the entry that was found has been invalidated since, or its generation was lost.
    Outdated,
    /// The codec cannot read this value back; MessagePack keeps this function's values from now on.
    /// Whether all of them come back was not `compared` where they are not `PartialEq`.
    FellBack {
        error: &'a CodecError,
        compared: bool,
    },
    /// The policy asks for additive changes of a codec that cannot tell them. It says whether it is the
    /// first one of its function.
    NotAdditive(bool),
    /// No codec can keep this value.
    /// The second part says whether it is the first one of its function.
    Unstorable(&'a CodecError, bool),
    /// The value is too large for the store; the key takes no lease for a while.
    /// Whether it is the first one of its function.
    TooLarge(bool),
    /// A part of the key could not be rendered.
    KeyFailed,
    /// The function has one key in several types, and runs uncached from now on.
    SharedKey,
    /// The source did not tell its version.
    NoVersion,
    /// There are more tags than an entry can name.
    TooManyTags,
    /// A value was written without the tags, or the version, that a reader of its key has.
    Unlabelled { reader: &'static str, first: bool },
    /// A validator is too long to be kept beside its value, which is kept without it.
    LongValidator,
    /// The policy does not exist, gives no TTL, or is out of range.
    NoPolicy(bool),
    /// The store did not answer, or not as it should.
    Failed(&'a StoreError),
    /// The same to a read, which goes on without the store.
    Away(&'a StoreError),
    /// Keys were invalidated.
    Invalidated(usize),
    /// All keys that match a pattern were looked for, and so many removed. Not `done`: the store
    /// failed before the end.
    Swept { keys: usize, done: bool },
    /// The store did not confirm an invalidation; its keys are kept for a replay.
    Deferred(usize, &'a StoreError),
    /// Deferred keys were confirmed.
    Replayed(usize),
    /// Keys that a server before had confirmed were removed from this one too.
    Repeated(usize),
    /// More keys are deferred than can be kept one by one.
    JournalOverflow,
    /// A write goes on without the guard or the hold-off that it asks for.
    Unguarded(&'a Unguarded),
    /// The tombstone of a running write was gone for a while.
    GuardLapsed,
    /// A write that must be guarded could not be, and its function did not run.
    WriteRefused(&'a Unguarded),
    /// A lock was lost while its holder still worked under it.
    LockLost,
    /// An invalidation could not even be attempted, since its key could not be rendered.
    LostKey,
    /// An event of an invalidation was published.
    Published,
    /// An event is sent later: the store did not confirm it, or not yet its invalidation.
    PublishDeferred(Option<&'a StoreError>),
    /// An event cannot be sent, and there is no room to keep it.
    PublishLost,
    /// A message of another service led to an invalidation.
    Ingested,
    /// A message of another service was, in whole or in part, none that can be served.
    /// The second part says whether it is the first one of its kind.
    Malformed(Malformed, bool),
    /// Messages of other services may have been missed.
    IngestionGap,
}

impl Event<'_> {
    /// A read was answered, or its load begins.
    pub(crate) fn of(status: Status) -> Self {
        match status {
            Status::Hit => Self::Hit,
            Status::Stale => Self::Stale,
            Status::Joined => Self::Joined,
            Status::Miss => Self::Miss,
            Status::Bypass => Self::Bypass,
        }
    }

    /// A fill was answered.
    pub(crate) fn filled(filled: Filled) -> Self {
        match filled {
            Filled::Stored => Self::Fill,
            Filled::Overtaken => Self::Refused,
            Filled::Lapsed => Self::Lapsed,
        }
    }
}

/// Counts `event` and tells `tracing`.
pub(crate) fn emit(counters: &Counters, warnings: &Warnings, site: &Site, event: &Event<'_>) {
    count(counters, event);
    if let Event::Hit | Event::Fill | Event::Miss | Event::Invalidated(_) | Event::Replayed(_) =
        event
    {
        warnings.answered();
    }
    match warnings.is_told(site.name, event) {
        true => tell(site.name, event),
        false => debug!(function = site.name, ?event, "as was told before"),
    }
}

/// Tells that a cache ended with invalidations that the store has not confirmed.
pub(crate) fn abandoned(pending: Pending) {
    if pending.keys == 0 && !pending.namespace {
        return warn!(%pending, "a cache was dropped before its events were published");
    }
    warn!(
        %pending,
        "a cache was dropped before its deferred invalidations were replayed: \
         readers may see old values until their TTL"
    );
}

fn count(counters: &Counters, event: &Event<'_>) {
    match event {
        Event::Hit => counters.add(Count::Hits, 1),
        Event::Stale => counters.add(Count::Stale, 1),
        Event::Renewing => counters.add(Count::Renewals, 1),
        Event::ShadowHit => counters.add(Count::ShadowHits, 1),
        Event::Audited { fresh } => {
            counters.add(Count::Audits, 1);
            counters.add(Count::StaleAudits, u64::from(!fresh));
        }
        Event::Joined => counters.add(Count::Joined, 1),
        Event::Miss => counters.add(Count::Misses, 1),
        Event::Wait => counters.add(Count::Waits, 1),
        Event::TimedOut => counters.add(Count::Timeouts, 1),
        Event::Bypass => counters.add(Count::Bypasses, 1),
        Event::Loaded(took) => {
            counters.add(Count::Loads, 1);
            counters.add(Count::LoadMicros, took.as_micros() as u64);
        }
        Event::Fill => counters.add(Count::Fills, 1),
        Event::Refused => counters.add(Count::RefusedFills, 1),
        Event::Lapsed => counters.add(Count::LapsedFills, 1),
        Event::Undecodable => counters.add(Count::Undecodable, 1),
        Event::Outdated => counters.add(Count::Outdated, 1),
        Event::FellBack { .. }
        | Event::NotAdditive(_)
        | Event::Marked
        | Event::Nested(_)
        | Event::LongValidator => {}
        Event::Unstorable(..) => counters.add(Count::Unstorable, 1),
        Event::TooLarge(_) => counters.add(Count::TooLarge, 1),
        // It is counted as what the read then does: it bypasses the store, or joins one that does.
        Event::Away(error) if error.is_away() => {}
        Event::KeyFailed
        | Event::SharedKey
        | Event::NoVersion
        | Event::TooManyTags
        | Event::Unlabelled { .. }
        | Event::NoPolicy(_)
        | Event::Failed(_)
        | Event::Away(_) => counters.add(Count::Errors, 1),
        Event::Invalidated(keys) | Event::Swept { keys, .. } => {
            counters.add(Count::Invalidations, *keys as u64);
        }
        Event::Deferred(keys, _) => counters.add(Count::DeferredInvalidations, *keys as u64),
        Event::Replayed(keys) => counters.add(Count::ReplayedInvalidations, *keys as u64),
        Event::Repeated(keys) => counters.add(Count::RepeatedInvalidations, *keys as u64),
        Event::JournalOverflow => {}
        Event::LostKey => counters.add(Count::LostInvalidations, 1),
        Event::Unguarded(_) | Event::GuardLapsed => counters.add(Count::UnguardedWrites, 1),
        Event::LockLost => counters.add(Count::LostLocks, 1),
        Event::WriteRefused(_) => counters.add(Count::Errors, 1),
        Event::Published => counters.add(Count::Published, 1),
        Event::PublishDeferred(_) => counters.add(Count::DeferredEvents, 1),
        Event::PublishLost => counters.add(Count::LostEvents, 1),
        Event::Ingested => counters.add(Count::Ingested, 1),
        Event::Malformed(..) => counters.add(Count::Malformed, 1),
        Event::IngestionGap => counters.add(Count::IngestionGaps, 1),
    }
}

fn tell(function: &str, event: &Event<'_>) {
    match event {
        Event::Audited { fresh: false } => warn!(
            function,
            "the cache holds a value that the source no longer has: does every writer invalidate its key?"
        ),
        Event::Audited { fresh: true } => trace!(function, ?event, "cache"),
        Event::Hit | Event::Stale | Event::Renewing | Event::ShadowHit | Event::Joined => {
            trace!(function, ?event, "cache");
        }
        Event::Miss
        | Event::Wait
        | Event::Bypass
        | Event::Loaded(_)
        | Event::Fill
        | Event::Marked
        | Event::Outdated => {
            trace!(function, ?event, "cache");
        }
        Event::Refused | Event::TimedOut | Event::Invalidated(_) => {
            debug!(function, ?event, "cache");
        }
        Event::Lapsed => debug!(
            function,
            "a lease was not renewed in time and its result is not stored: is the runtime blocked?"
        ),
        Event::Swept { keys, done } => debug!(function, keys, done, "a sweep has ended"),
        Event::Undecodable => debug!(function, "an entry could not be read and is replaced"),
        Event::FellBack {
            error,
            compared: true,
        } => warn!(
            function, %error,
            "the codec cannot read this type back, MessagePack is used from now on; \
             write `codec = msgpack` to choose it yourself"
        ),
        Event::FellBack {
            error,
            compared: false,
        } => warn!(
            function, %error,
            "the codec cannot read this type back, MessagePack is used from now on; what `Serialize` \
             leaves out or alters is lost in it, which is only seen of a type that is `PartialEq`"
        ),
        Event::NotAdditive(true) => error!(
            function,
            "`schema = \"additive\"` needs a codec that describes itself, such as `msgpack` or `json`: \
             entries of another shape are misses"
        ),
        Event::Nested(true) => warn!(
            function,
            "a load calls this function for the very key that it loads: the inner call runs without the cache"
        ),
        Event::Unstorable(error, true) => {
            warn!(function, %error, "a value cannot be kept and is loaded each time");
        }
        Event::TooLarge(true) => warn!(
            function,
            "a value is larger than `max_value_bytes`, or than the server takes, and is loaded each time"
        ),
        Event::NoVersion => warn!(
            function,
            "the source's version is not known, the call is not cached"
        ),
        Event::KeyFailed => error!(
            function,
            "a key could not be rendered, the call is not cached"
        ),
        Event::SharedKey => error!(
            function,
            "the function has one key in several types and runs uncached: write `<Self>`, or the type \
             parameter as `<T>`, in its `key`, and implement `KeyName`"
        ),
        Event::TooManyTags => error!(
            function,
            "more tags than an entry can have, the call is not cached"
        ),
        Event::Unlabelled {
            reader,
            first: true,
        } => warn!(
            function,
            reader,
            "a value was written without the tags or the version that the reader of its key has: it is \
             not stored, and the key is invalidated"
        ),
        Event::LongValidator => warn!(
            function,
            "a validator is longer than an entry can have, its value is kept without it"
        ),
        Event::Unstorable(_, false)
        | Event::TooLarge(false)
        | Event::Nested(false)
        | Event::NoPolicy(false)
        | Event::NotAdditive(false)
        | Event::Unlabelled { first: false, .. } => {
            debug!(function, "not kept, for the reason told before");
        }
        Event::NoPolicy(true) => error!(
            function,
            "the policy is unknown, gives no TTL, or is out of range: the call is not cached"
        ),
        Event::Failed(error) | Event::Away(error) => {
            warn!(function, %error, "the store failed, the function runs without it");
        }
        Event::Deferred(keys, error) => warn!(
            function, keys, %error,
            "an invalidation was not confirmed: it is replayed as soon as the store answers, \
             until then other processes may see the old value and this one bypasses the cache"
        ),
        Event::Replayed(keys) => info!(keys, "deferred invalidations were replayed"),
        Event::Repeated(keys) => {
            info!(
                keys,
                "invalidations that the server before had confirmed were repeated"
            );
        }
        Event::JournalOverflow => warn!(
            "more invalidations are deferred than can be kept one by one: this process bypasses \
             the whole namespace until all of it is invalidated"
        ),
        Event::Unguarded(Unguarded::NotEnabled) => error!(
            function,
            "`guard` and `replica_lag` need `guarded(true)` on the builder: the write goes on without"
        ),
        Event::Unguarded(reason) => {
            warn!(function, %reason, "a write could not be guarded and goes on in one phase");
        }
        Event::GuardLapsed => warn!(
            function,
            "the tombstone of a guarded write was gone before its end: was its hold too short, or Redis full?"
        ),
        Event::WriteRefused(reason) => {
            warn!(function, %reason, "a write that must be guarded could not be, and is refused");
        }
        Event::LockLost => warn!(
            function,
            "a lock was lost before it was released: others may hold it now"
        ),
        Event::LostKey => error!(
            function,
            "the key of an invalidation could not be rendered: readers may see the old value until its TTL"
        ),
        Event::Published | Event::Ingested => trace!(function, ?event, "events"),
        Event::PublishDeferred(None) => debug!(function, "an event waits for its invalidation"),
        Event::PublishDeferred(Some(error)) => {
            warn!(function, %error, "an event could not be published yet and is sent later");
        }
        Event::PublishLost => error!(
            function,
            "an event is not published: too many wait for the store already"
        ),
        Event::Malformed(kind, true) => {
            warn!(%kind, "a message that should invalidate something was refused");
        }
        Event::Malformed(kind, false) => debug!(%kind, "a message was refused, as told before"),
        Event::IngestionGap => warn!(
            "messages that should invalidate something may have been missed: readers may see old values \
             until their TTL"
        ),
    }
}

/// Why a message, or a part of it, is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    TooLong,
    NotText,
    NotJson,
    Nothing,
    Reserved,
    Everything,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "it is longer than a mebibyte",
            Self::NotText => "it is no UTF-8",
            Self::NotJson => "it begins with `{` and is not the JSON of keys, tags and patterns",
            Self::Nothing => "it names nothing",
            Self::Reserved => "it names a key that begins with `#`, which are the library's own",
            Self::Everything => "it names a pattern that matches every key there is",
        })
    }
}

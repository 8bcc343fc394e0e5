//! What happens in a cache, as one enum. All that is counted and told is derived from it, by the table of
//! [`signal`](crate::observe::signal).
//!
//! Events name the function and never a key, a value or an address: those may hold user data.

use std::fmt;
use std::time::Duration;

use crate::error::{Busy, StoreError, Unguarded};
use crate::observe::status::{Filled, Status};
use crate::wire::codec::CodecError;

/// One thing that happened.
#[derive(Debug)]
pub(crate) enum Event<'a> {
    /// The store had the entry.
    Hit,
    /// The level in process memory had it.
    LocalHit,
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
    /// The function returned, after so long.
    Loaded { took: Duration, failed: bool },
    /// It took longer than its result is kept.
    /// Whether it is the first one of its function.
    Outlasted(bool),
    /// The result was stored, as an entry of so many bytes.
    Fill(usize),
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
    /// It is compressed, which this build cannot read.
    Packed,
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
    /// A write was accepted into its queue.
    Accepted,
    /// A write was not accepted.
    NotAccepted(&'a Busy),
    /// A write that had waited was applied.
    Applied,
    /// A write that had waited was left out, as a later one of its key waits too.
    Coalesced,
    /// The function of a write that had waited has failed, or panicked.
    NotApplied,
    /// A write has become a dead letter, and those of its key that waited behind it with it.
    Buried { why: &'static str, writes: u64 },
    /// There are as many dead letters as there may be: the write holds up its partition.
    GraveFull,
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
    /// Entries of a stream of invalidations were gone before they were read, so everything goes.
    ConsumptionGap,
}

impl Event<'_> {
    /// A read was answered, or its load begins.
    pub(crate) fn of(status: Status) -> Self {
        match status {
            Status::Hit => Self::Hit,
            Status::Local => Self::LocalHit,
            Status::Stale => Self::Stale,
            Status::Joined => Self::Joined,
            Status::Miss => Self::Miss,
            Status::Bypass => Self::Bypass,
        }
    }

    /// The fill of an entry of so many bytes was answered.
    pub(crate) fn filled(filled: Filled, size: usize) -> Self {
        match filled {
            Filled::Stored => Self::Fill(size),
            Filled::Overtaken => Self::Refused,
            Filled::Lapsed => Self::Lapsed,
        }
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

//! Queues of writes: what a store does for write-behind.
//!
//! A write is accepted in one step: its value stands under its key as a pending entry, and its arguments at the
//! end of the **partition** of that key, whose keys all share a slot. It leaves the partition when it was applied, so
//! whoever works on it next finds all that is left, in its order. One that fails for good becomes a **dead
//! letter**, together with those of its key that are behind it, and later ones queue up there.

use std::time::Duration;

use bytes::Bytes;

use crate::wire::entry::Token;

/// How many partitions a queue has: fixed, since a key must not change its partition while writes of it wait.
pub(crate) const PARTITIONS: u32 = 16;

/// What has to have happened to a write before its call returns; see
/// [`Builder::durability`](crate::Builder::durability).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// The server has it. Whether it has it on its disk is a matter of its `appendfsync`.
    #[default]
    Server,
    /// So many replicas have it too, in their memory: `WAIT`.
    Replicated {
        /// How many; one at least.
        replicas: u32,
    },
    /// It is on the disk of the server, and of so many replicas: `WAITAOF`, which Redis has since 7.2, and Valkey.
    Synced {
        /// How many; 0 for the server alone.
        replicas: u32,
    },
}

/// The names of a partition's keys.
#[derive(Clone, Debug)]
pub(crate) struct Partition {
    pub(crate) number: u32,
    /// The writes that wait.
    pub(crate) queue: String,
    /// The dead letters.
    pub(crate) dead: String,
    /// How many dead letters the keys have that have some.
    pub(crate) held: String,
    /// How often the writes were taken that are not applied yet.
    pub(crate) tries: String,
    /// The lock of its worker.
    pub(crate) owner: String,
    /// Where it is told of new writes, and of those of the whole queue.
    pub(crate) channel: String,
}

impl Partition {
    pub(crate) fn new(namespace: &str, queue: &str, number: u32) -> Self {
        let name = |what: &str| format!("{namespace}:#queue:{{{queue}}}:{number}{what}");
        Self {
            number,
            queue: name(""),
            dead: name(":dead"),
            held: name(":held"),
            tries: name(":tries"),
            owner: name(":owner"),
            channel: format!("{namespace}:#queue:{{{queue}}}"),
        }
    }
}

/// A write to be accepted.
#[derive(Clone, Debug)]
pub(crate) struct Offer<'a> {
    pub(crate) key: &'a str,
    /// What stands under the key from then on.
    pub(crate) entry: Bytes,
    /// Who applies it, and to what.
    pub(crate) function: &'a str,
    pub(crate) arguments: Bytes,
    /// How many writes may wait, and how many dead letters one key may have.
    pub(crate) most: u64,
    pub(crate) most_dead: u64,
    /// How old the oldest write may be that waits.
    pub(crate) most_lag: Option<Duration>,
}

/// What became of an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accepted {
    Yes,
    /// Too many wait already.
    Full,
    /// The oldest waits for too long.
    Late,
    /// Too many of its key are dead letters.
    Blocked,
    /// A writer in two phases bars the key, or many keys are being removed at once.
    Barred,
}

/// A write that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Queued {
    /// Rises in each partition.
    pub(crate) number: u64,
    pub(crate) key: String,
    /// That of its pending entry.
    pub(crate) token: Token,
    pub(crate) function: String,
    pub(crate) arguments: Bytes,
}

/// What a worker is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It is not the owner of the partition.
    NotOwner,
    Nothing,
    /// The oldest that waits, and how often it was taken, this time included.
    Write(Queued, u64),
}

/// A write that has failed for good, or waits behind one of its key that has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dead {
    pub(crate) write: Queued,
    pub(crate) why: String,
}

/// How much a partition holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Depth {
    pub(crate) queued: u64,
    pub(crate) dead: u64,
    /// When the oldest write that waits was accepted, in ms since the Unix epoch; not in memory.
    pub(crate) oldest_ms: Option<u64>,
}

/// What stands as the reason of one that waits behind a dead letter.
pub(crate) const BEHIND: &str = "behind";

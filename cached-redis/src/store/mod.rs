//! The atomic steps of the protocol, on one store.
//!
//! Everything that makes the cache correct rests on one rule: a fill lands only while the very lease
//! it was loaded under still stands. So each step below looks at a key and changes it in one
//! indivisible move, in memory under a lock, on Redis in one command or script. Each may be repeated
//! when its answer was lost: `fill` and `acquire_over` report the win again, `acquire` answers the own
//! lease, `put` the value it has put, `end` that its writer is gone, and the others do nothing the
//! second time.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::error::StoreError;
use crate::wire::entry::Token;
use crate::wire::tag::Generation;

pub(crate) mod address;
mod any;
mod any_many;
pub(crate) mod bars;
#[cfg(test)]
mod conformance;
#[cfg(feature = "testing")]
pub(crate) mod faults;
#[cfg(feature = "testing")]
pub(crate) mod faulty;
pub(crate) mod health;
mod listen;
pub(crate) mod log;
pub(crate) mod mailbox;
pub(crate) mod many;
pub(crate) mod memory;
pub(crate) mod redis;
pub(crate) mod size;
pub(crate) mod stats;

pub(crate) use any::AnyStore;
pub(crate) use memory::MemoryLimits;
pub(crate) use redis::{Identity, RedisSettings};

use crate::wire::lock::Grant;

/// The steps a store offers. Times to live are cut to 1 ms … 100 years.
pub(crate) trait Store: Send + Sync + 'static {
    /// What stands under `key`.
    fn get(&self, key: &str) -> impl Future<Output = Result<Option<Bytes>, StoreError>> + Send;

    /// What stands under each of `keys`, in their order and in one round trip.
    fn get_all(
        &self,
        keys: &[&str],
    ) -> impl Future<Output = Result<Vec<Option<Bytes>>, StoreError>> + Send;

    /// Gives each of `tags` that has none the generation beside it, and all of them a life of at least
    /// `ttl`. Their generations then; `None` where something else stands.
    fn stamp(
        &self,
        tags: &[(String, Generation)],
        ttl: Duration,
    ) -> impl Future<Output = Result<Vec<Option<Generation>>, StoreError>> + Send;

    /// Puts `lease` where nothing stands. `None`: it is ours now; else what stands there.
    fn acquire(
        &self,
        key: &str,
        lease: Bytes,
        ttl: Duration,
    ) -> impl Future<Output = Result<Option<Bytes>, StoreError>> + Send;

    /// Puts `lease` over a dead entry, provided that `seen` still stands. `true`: it is ours now.
    ///
    /// Envelopes are compared by their tokens, which are never used twice; any other bytes whole.
    fn acquire_over(
        &self,
        key: &str,
        seen: Bytes,
        lease: Bytes,
        ttl: Duration,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Puts `lease` over whatever stands there but a tombstone. `false`: a tombstone stands.
    fn seize(
        &self,
        key: &str,
        lease: Bytes,
        ttl: Duration,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Gives what carries `token` a new time to live. `false`: it no longer stands.
    fn extend(
        &self,
        key: &str,
        token: Token,
        ttl: Duration,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Replaces what carries `token` by `entry`. `true`: won, or `entry` stands already. One that is
    /// larger than the store's limit is refused before anything is sent; so it is by
    /// [`put`](Self::put). An error that [is a bar's](StoreError::is_barred): what carries it still
    /// stands.
    fn fill(
        &self,
        key: &str,
        token: Token,
        entry: Bytes,
        ttl: Duration,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Removes what carries `token`. `false`: it no longer stood.
    fn release(
        &self,
        key: &str,
        token: Token,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Removes all of `keys`, whatever they hold, at once.
    fn invalidate(&self, keys: &[String]) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Puts a bar there that holds up the fills of keys which begin with one of `prefixes`, gives it
    /// that life anew, or takes it away without one. `false`: it did not stand before.
    fn bar(
        &self,
        id: Token,
        life: Option<Duration>,
        prefixes: &[String],
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Some of the keys that begin with `prefix`, and the cursor for the next ones: 0 at first, and
    /// again when there are no more. Keys that stand all the time are given, maybe more than once.
    fn scan(
        &self,
        prefix: &str,
        cursor: u64,
    ) -> impl Future<Output = Result<(Vec<String>, u64), StoreError>> + Send;

    /// Adds a writer to the tombstones under `keys`, which replace whatever string stands there. An
    /// error: at least one is missing.
    fn begin(
        &self,
        keys: &[String],
        token: Token,
        hold: Duration,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Gives a writer a later deadline. `false`: under at least one key it is no longer there.
    fn hold(
        &self,
        keys: &[String],
        token: Token,
        hold: Duration,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Takes a writer out of its tombstones, with a hold-off if one is given; where none stands,
    /// removes what does. `false`: under at least one key the writer was no longer there.
    fn end(
        &self,
        keys: &[String],
        token: Token,
        hold_off: Option<Duration>,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Ends a writer of one key with the value it wrote: `entry` takes the place of its tombstone, if
    /// it is the only one there, nobody has interfered and no bar holds it up. Else as
    /// [`end`](Self::end).
    fn put(
        &self,
        key: &str,
        token: Token,
        entry: Bytes,
        ttl: Duration,
    ) -> impl Future<Output = Result<Put, StoreError>> + Send;

    /// Removes all of `keys` at once but the tombstones that others still need, and leaves a hold-off
    /// if one is given.
    fn invalidate_guarded(
        &self,
        keys: &[String],
        hold_off: Option<Duration>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Grants the lock under `key`, unless somebody else holds it. A repetition is granted the same
    /// number, for as long as from now on.
    fn lock(
        &self,
        key: &str,
        holder: Token,
        life: Duration,
    ) -> impl Future<Output = Result<Grant, StoreError>> + Send;

    /// Gives a lock a later deadline. `false`: `holder` holds it no longer.
    fn extend_lock(
        &self,
        key: &str,
        holder: Token,
        life: Duration,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Frees a lock. `false`: `holder` held it no longer.
    fn unlock(
        &self,
        key: &str,
        holder: Token,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Sends `message` to whoever listens at this moment, and appends it to a log if there is one.
    fn publish(
        &self,
        outlet: &Outlet,
        message: Bytes,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The store's clock in ms since the Unix epoch, estimated without asking it.
    fn now_ms(&self) -> u64;

    /// The epoch that entries written now carry; 0 where there are none. It never goes back, and an
    /// answer is never ahead of it: what an answer shows is judged by the epoch read after it.
    fn epoch(&self) -> u32 {
        0
    }

    /// Whether an entry of `epoch`, shown by an answer that has come, may be trusted.
    fn is_current(&self, epoch: u32) -> bool {
        epoch == self.epoch()
    }
}

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
#[derive(Clone, Debug)]
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
}

/// The name of the field of a log's entry that holds the message.
pub(crate) const FIELD: &str = "event";

/// Who must know of connections. A store in memory has none to tell of.
pub(crate) trait Watch: Send + Sync + 'static {
    /// To which server a connection leads that is about to be handed out, and to which database.
    fn recognised(&self, _server: &Identity, _database: u32) {}

    /// A connection is about to be handed out; `changed`: to another server (or another life of it)
    /// than the last one.
    fn connected(&self, changed: bool);

    /// The connection is lost, or given up; its last sign of life was at `seen`.
    fn lost(&self, seen: Instant);
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

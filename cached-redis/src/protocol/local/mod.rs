//! The level in process memory ("L1"): what it keeps, what it serves, what empties it; without a store, a
//! clock, a lock or a task.
//!
//! What it keeps was read over one connection, the [`Link`], on which the server announces what has changed
//! since. An item is a key, or the generation of a tag. An answer may wake its reader long after it has
//! arrived, and a change that was announced meanwhile has found nothing to drop: so a read takes a
//! [`Ticket`] before it sends its command, and what it was told is kept only if the ticket is still good.
//! A connection may die in silence: so nothing is served for longer than `delta` after the newest command
//! was sent that is known to have been answered.
//!
//! The race that is left is that of the store's driver: to compare a ticket and to keep are one step, and so
//! are to void and to drop (a lock of the shard, which hits do not take).

mod link;
mod settling;
mod stamp;
#[cfg(test)]
mod tests;

pub(crate) use link::{Life, Link, Notice, Origin, Shard, Ticket, Voids};
pub(crate) use settling::{Settled, Settling};
pub(crate) use stamp::{Stamp, is_current};

pub(crate) use super::rules::{AllRules, Rules};

/// What keeps the level coherent. A broken twin of the model leaves one out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// What was read is kept only if its item was not dropped since before the command was sent.
    ComparesDrops,
    /// And only if the connection has not been lost since.
    ComparesEra,
    /// Only what the server has shown over this connection is kept: nothing that was loaded.
    KeepsWhatIsRead,
    /// An entry is served only beside the generations that it was stamped with.
    ComparesStamps,
    /// An entry that is checked is served only while its token stands.
    ComparesTokens,
    /// And only if it is of the epoch of the server.
    ComparesEpochs,
    /// Nothing is served beyond `delta` after the horizon.
    HeedsHorizon,
    /// The horizon is the time at which a command was sent, not that of its answer.
    HorizonBySending,
    /// Answers of other connections do not move it.
    HorizonByLink,
    /// An item lives no longer than it does in the store; its own test shows that.
    LivesAsInStore,
    /// A process drops what it invalidates itself before it sends that: the model holds without it.
    DropsBefore,
    /// And when that is confirmed: needed.
    DropsAfter,
    /// Everything is dropped when the server says that everything has changed.
    VoidsAtFlush,
    /// When the connection is lost.
    VoidsAtLoss,
    /// And when another server, or owner of the slot, is heard of.
    VoidsAtMove,
    /// What waits for its confirmation here is not served.
    HeedsJournal,
    /// A writer waits out `delta` from the confirmation, not from the sending.
    SettlesFromConfirmation,
    /// And tells whether its invalidation was deferred.
    TellsDeferral,
}

/// A moment by a clock that never goes back, and runs on while the machine sleeps. A later one is greater.
pub(crate) trait Time: Copy + Ord {
    /// A length of time.
    type Span: Copy + Ord;

    /// How long ago `earlier` was.
    fn since(self, earlier: Self) -> Self::Span;
}

/// Whether `delta` is over. Of those who serve and those who wait it out both ask this, so that no moment
/// belongs to both.
fn is_over<T: Time>(since: T, now: T, delta: T::Span) -> bool {
    now.since(since) > delta
}

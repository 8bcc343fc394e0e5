//! How far readers and writers can be.

use crate::state::{Epoch, Key, Token, Version};

/// One call of a cached function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reader {
    /// How far it is.
    pub phase: Phase,
    /// What it must not fall below; 0 once it has returned.
    pub floor: Version,
}

/// What a look at the key has shown, if it was neither a value nor a tombstone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Seen {
    /// Nothing.
    Absent,
    /// An entry of another epoch: to be replaced if it still stands.
    Dead(Token),
    /// Somebody's lease.
    Leased,
}

/// What a load has given, on its way to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Loaded {
    /// What must still stand.
    pub token: Token,
    /// What was loaded.
    pub version: Version,
    /// To be stored with it.
    pub epoch: Epoch,
}

impl Loaded {
    /// As an entry with a token of its own.
    pub fn entry(self, token: Token) -> Key {
        Key::Value {
            token,
            version: self.version,
            epoch: self.epoch,
            stale: false,
        }
    }
}

/// How far a reader is. `epoch` is a server its process was connected to before the step at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the fields are those of Key and Flight")]
pub enum Phase {
    /// Has not been called.
    Idle,
    /// About to search once more.
    Again,
    /// Its GET is under way.
    Look { epoch: Epoch },
    /// Its GET has shown no value; it does not lead yet.
    Looked { seen: Seen, epoch: Epoch },
    /// Asks for the lease, or watches somebody else's.
    Contend { seen: Seen, epoch: Epoch },
    /// Holds the lease; its load has begun.
    Load { token: Token, epoch: Epoch },
    /// The source has answered.
    HasLoaded(Loaded),
    /// Has returned; its fill is under way.
    Filling(Loaded),
    /// The fill has run; its answer is under way, and somebody may be waiting for it.
    Filled {
        version: Version,
        epoch: Epoch,
        won: bool,
    },
    /// The fill is under way, and nobody waits for its answer any more.
    Late(Loaded),
    /// Waits for the end of a flight.
    Seated { leader: u8, shares: bool },
    /// Must load without a lease.
    Bypass,
    /// Will run the next load without a lease.
    Pending,
    /// The source has answered its load without a lease.
    Answered { version: Version },
    /// Waits for somebody's load without a lease.
    Waiting { leader: u8 },
    /// `.refreshed()`: its GET is under way.
    Fence,
    /// `.refreshed()`: takes the lease whatever stands there.
    Seize { epoch: Epoch },
    /// `put`: takes the lease whatever stands there, for a value it was given.
    Put { version: Version },
    /// Loads, to replace the value with this token.
    Refresh { token: Token, epoch: Epoch },
    /// The compare-and-set of a refresh is under way.
    Refreshing(Loaded),
    /// Over.
    Done,
}

impl Phase {
    /// What it remembers of the key.
    pub fn token(self) -> Option<Token> {
        match self {
            Self::Looked {
                seen: Seen::Dead(token),
                ..
            }
            | Self::Contend {
                seen: Seen::Dead(token),
                ..
            }
            | Self::Load { token, .. }
            | Self::Refresh { token, .. }
            | Self::HasLoaded(Loaded { token, .. })
            | Self::Filling(Loaded { token, .. })
            | Self::Late(Loaded { token, .. })
            | Self::Refreshing(Loaded { token, .. }) => Some(token),
            _ => None,
        }
    }

    /// Whether nothing happens here until somebody acts anew.
    pub fn is_quiet(self) -> bool {
        matches!(self, Self::Idle | Self::Done)
    }
}

/// One call of a function that writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Writer {
    /// How far it is.
    pub stage: Stage,
    /// What it has committed.
    pub version: Version,
}

/// How far a writer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Has not been called.
    Idle,
    /// What it does before its write has been done.
    Begun,
    /// The row is written.
    Committed,
    /// The invalidation has run in Redis, its answer is under way.
    Answering(Attempt),
    /// The first of two deletions has returned.
    Between,
    /// Has returned; its invalidation is in the journal.
    Journaled,
    /// Its replay has run in Redis, its answer is under way.
    Replayed(Attempt),
    /// Has returned, its invalidation confirmed.
    Done,
    /// Its process died.
    Dead,
}

/// An invalidation that has run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Attempt {
    /// On which server.
    pub epoch: Epoch,
    /// Whether the other writer's invalidation was in the journal of this process by then, so that
    /// this one does for both.
    pub for_both: bool,
}

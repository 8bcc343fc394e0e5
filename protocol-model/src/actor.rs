//! How far readers and writers can be.

use crate::state::{Epoch, Generation, Key, Token, Version};

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
    /// An entry of another epoch or generation: to be replaced if it still stands.
    Dead(Token),
    /// A value past its TTL, to be served if it cannot be replaced.
    Expired(Token, Version),
    /// Somebody's lease.
    Leased,
}

/// What is noted before a load begins, to be stored with its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// A server that the process was connected to.
    pub epoch: Epoch,
    /// What was read of the tag.
    pub tag: Tag,
}

/// What a reader knows of the tag, or an entry says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tag {
    /// None is known of.
    Unknown,
    /// It has no generation, or none was read: to be read or created before a load.
    Unread,
    /// Its generation.
    Read(Generation),
}

impl Tag {
    /// Where it was read.
    pub fn generation(self) -> Option<Generation> {
        match self {
            Self::Read(generation) => Some(generation),
            Self::Unknown | Self::Unread => None,
        }
    }
}

/// What a load has given, on its way to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Loaded {
    /// What must still stand.
    pub token: Token,
    /// What was loaded.
    pub version: Version,
    /// To be stored with it.
    pub stamp: Stamp,
    /// Whether it replaces a value past its TTL and not a lease.
    pub renews: bool,
}

impl Loaded {
    /// As an entry with a token of its own.
    pub fn entry(self, token: Token) -> Key {
        Key::Value {
            token,
            version: self.version,
            stamp: self.stamp,
            stale: false,
        }
    }
}

/// How far a reader is. `epoch` is a server its process was connected to before the step at hand,
/// `stamp` has that and what was read of the tag by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the fields are those of Key and Flight")]
pub enum Phase {
    /// Has not been called.
    Idle,
    /// About to search once more.
    Again,
    /// Its GET is under way.
    Look { epoch: Epoch },
    /// Its GET of the tag was answered, that of the key is under way.
    LookOn { stamp: Stamp, leads: bool },
    /// Its GET has shown no value; it does not lead yet.
    Looked { seen: Seen, stamp: Stamp },
    /// Asks for the lease, or watches somebody else's.
    Contend { seen: Seen, stamp: Stamp },
    /// Has seen a value that names a tag; the tag's GET is under way.
    Weigh { entry: Loaded, leads: bool },
    /// Holds the lease; its load has begun.
    Load { token: Token, stamp: Stamp },
    /// Its load has called another cached function, which has missed.
    InnerLoad { token: Token, stamp: Stamp },
    /// The source has answered that function; its fill is under way.
    InnerFill(Loaded),
    /// The source has answered.
    HasLoaded(Loaded),
    /// Has returned; its fill is under way.
    Filling(Loaded),
    /// The fill has run; its answer is under way, and somebody may be waiting for it.
    Filled {
        version: Version,
        stamp: Stamp,
        won: bool,
    },
    /// The fill has won, and the tag's generation was read again.
    Reread { version: Version, same: bool },
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
    Seize { stamp: Stamp },
    /// `put`: takes the lease whatever stands there, for a value it was given.
    Put { version: Version },
    /// Loads, to replace the value with this token.
    Refresh { token: Token, stamp: Stamp },
    /// The compare-and-set of a refresh is under way.
    Refreshing(Loaded),
    /// Over.
    Done,
}

impl Phase {
    /// What it remembers of the key.
    pub fn token(self) -> Option<Token> {
        match self {
            Self::Looked { seen, .. } | Self::Contend { seen, .. } => match seen {
                Seen::Dead(token) | Seen::Expired(token, _) => Some(token),
                Seen::Absent | Seen::Leased => None,
            },
            Self::Load { token, .. }
            | Self::InnerLoad { token, .. }
            | Self::Refresh { token, .. } => Some(token),
            _ => self.loaded().map(|loaded| loaded.token),
        }
    }

    /// What it remembers of the tag.
    pub fn generation(self) -> Option<Generation> {
        match self {
            Self::LookOn { stamp, .. }
            | Self::Looked { stamp, .. }
            | Self::Contend { stamp, .. }
            | Self::Load { stamp, .. }
            | Self::InnerLoad { stamp, .. }
            | Self::Filled { stamp, .. }
            | Self::Seize { stamp }
            | Self::Refresh { stamp, .. } => stamp.tag.generation(),
            _ => self.loaded()?.stamp.tag.generation(),
        }
    }

    fn loaded(self) -> Option<Loaded> {
        match self {
            Self::Weigh { entry: loaded, .. }
            | Self::InnerFill(loaded)
            | Self::HasLoaded(loaded)
            | Self::Filling(loaded)
            | Self::Late(loaded)
            | Self::Refreshing(loaded) => Some(loaded),
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

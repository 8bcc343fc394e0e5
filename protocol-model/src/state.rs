//! All there is at one moment: one key in Redis, one row in the source, and those who use them.
//!
//! Small on purpose, since millions of these are kept. Versions, tokens and epochs are bytes.

use crate::actor::{Phase, Reader, Stage, Stamp, Tag, Writer};

/// Readers there can be. The first two run in process 0, the third in process 1.
pub const READERS: usize = 3;
/// Writers there can be.
pub const WRITERS: usize = 2;
/// Processes of the application.
pub const PROCESSES: usize = 2;

/// The process of each reader.
pub const HOME: [usize; READERS] = [0, 0, 1];

/// A version of the row; every commit adds one.
pub type Version = u8;
/// What makes a lease or a value unlike any other that is still remembered.
pub type Token = u8;
/// Which server, counted by failovers, an entry or a connection belongs to.
pub type Epoch = u8;
/// What stands under a tag's key; 0 is nothing.
pub type Generation = u8;

/// Tokens below this one are those of processes, where leases are named after them.
const FIRST_TOKEN: Token = 1 + PROCESSES as Token;

/// A moment of the whole system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// What stands under the key.
    pub key: Key,
    /// What stood there when Redis was last replicated or saved.
    pub copy: Key,
    /// What stands under the key of the entry's tag.
    pub tag: Generation,
    /// What stands under the key of the second tag.
    pub second: Generation,
    /// What stands under the key of the function that the load calls.
    pub inner: Option<Inner>,
    /// The server that answers: 0, or 1 after a failover.
    pub server: Epoch,
    /// The row in the primary of the source.
    pub row: Version,
    /// The row in the replica of the source.
    pub row_replica: Version,
    /// The newest version whose invalidation was confirmed: no read that starts now may be older.
    pub floor: Version,
    /// The processes.
    pub processes: [Process; PROCESSES],
    /// The readers.
    pub readers: [Reader; READERS],
    /// The writers.
    pub writers: [Writer; WRITERS],
    /// Whether a reader was dropped; one is.
    pub dropped: bool,
}

/// What stands under the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Key<T = Token> {
    /// Nothing.
    Absent,
    /// The right to fill.
    Lease {
        /// Its own.
        token: T,
        /// Of the connection over which it was asked for.
        epoch: Epoch,
    },
    /// A cached value.
    Value {
        /// Its own, not its lease's.
        token: T,
        /// The row's when it was loaded.
        version: Version,
        /// What it was loaded under.
        stamp: Stamp,
        /// Whether it is past its TTL and served while somebody refreshes it, or if nobody can.
        stale: bool,
    },
    /// No value, but the name of the tag that the next one will have.
    Marker {
        /// Its own.
        token: T,
    },
    /// Nobody may fill.
    Tombstone {
        /// The writers between their begin and their end, one bit each.
        writers: u8,
        /// Whether a second writer has interfered, so that none of them may put a value.
        tainted: bool,
        /// Stands at least until the source's replica shows this version.
        hold: Version,
    },
}

impl<T> Key<T> {
    /// What a compare-and-set compares.
    pub fn token(self) -> Option<T> {
        match self {
            Self::Lease { token, .. } | Self::Value { token, .. } | Self::Marker { token } => {
                Some(token)
            }
            Self::Absent | Self::Tombstone { .. } => None,
        }
    }

    /// Of leases and values.
    pub fn epoch(self) -> Option<Epoch> {
        match self {
            Self::Lease { epoch, .. } => Some(epoch),
            Self::Value { stamp, .. } => Some(stamp.epoch),
            Self::Absent | Self::Marker { .. } | Self::Tombstone { .. } => None,
        }
    }

    fn generation(self) -> Option<Generation> {
        match self {
            Self::Value { stamp, .. } => stamp.tag.generation(),
            _ => None,
        }
    }
}

/// The entry of the function that the load calls. A token would tell it from others; here nothing
/// compares it, so that whatever a compare-and-set refuses or grants is among what can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Inner {
    /// The row's when it was loaded.
    pub version: Version,
    /// The tag's, as read before that.
    pub generation: Generation,
}

/// What the readers and writers of one process share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Process {
    /// The newest version whose invalidation was made here and has returned, confirmed or not.
    pub floor: Version,
    /// The server it is connected to.
    pub epoch: Epoch,
    /// The flight that newcomers find.
    pub flight: Option<Flight>,
}

/// An entry on the board of flights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flight {
    /// The reader who leads it.
    pub leader: u8,
    /// Whether who joins now will share the result.
    pub open: bool,
}

impl State {
    /// Before anything happens: nothing is cached.
    pub fn initial() -> Self {
        Self {
            key: Key::Absent,
            copy: Key::Absent,
            tag: 0,
            second: 0,
            inner: None,
            server: 0,
            row: 0,
            row_replica: 0,
            floor: 0,
            processes: [Process {
                floor: 0,
                epoch: 0,
                flight: None,
            }; PROCESSES],
            readers: [Reader {
                phase: Phase::Idle,
                floor: 0,
            }; READERS],
            writers: [Writer {
                stage: Stage::Idle,
                version: 0,
                lapsed: false,
            }; WRITERS],
            dropped: false,
        }
    }

    /// A token that nobody remembers. One that was forgotten everywhere may come again: nothing
    /// could tell it from a new one, and the states stay few.
    pub fn fresh_token(&self) -> Token {
        let remembered = |token| {
            [self.key, self.copy]
                .iter()
                .any(|key| key.token() == Some(token))
                || self
                    .readers
                    .iter()
                    .any(|reader| reader.phase.remembers(token))
        };
        (FIRST_TOKEN..)
            .find(|token| !remembered(*token))
            .unwrap_or(Token::MAX)
    }

    /// A generation that nobody remembers, as random ones are.
    pub fn fresh_generation(&self) -> Generation {
        let remembered = |generation| {
            self.tag == generation
                || self.second == generation
                || (self.inner).is_some_and(|inner| inner.generation == generation)
                || [self.key, self.copy]
                    .iter()
                    .any(|key| key.generation() == Some(generation))
                || self
                    .readers
                    .iter()
                    .any(|reader| reader.phase.knows(generation))
        };
        (1..)
            .find(|generation| !remembered(*generation))
            .unwrap_or(Generation::MAX)
    }

    /// What a command that reads the tag's key shows.
    pub fn shown_tag(&self) -> Tag {
        match self.tag {
            0 => Tag::Unread,
            generation => Tag::Read(generation),
        }
    }

    /// The entry of the function that the load calls, unless it is dead.
    pub fn live_inner(&self) -> Option<Inner> {
        self.inner.filter(|inner| inner.generation == self.tag)
    }

    /// Whether a process does not know yet which server there is now.
    pub fn lags(&self, process: usize) -> bool {
        self.processes[process].epoch != self.server
    }

    /// The readers of a process.
    pub fn readers_of(&self, process: usize) -> impl Iterator<Item = (usize, Reader)> + use<> {
        (0..READERS)
            .zip(self.readers)
            .filter(move |(reader, _)| HOME[*reader] == process)
    }
}

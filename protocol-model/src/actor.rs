//! How far readers and writers can be.

use std::convert::Infallible;

use crate::read::{self, Seen, Step};
use crate::state::{Epoch, Generation, Key, Token, Version};

/// One call of a cached function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reader {
    /// How far it is.
    pub phase: Phase,
    /// What it must not fall below; 0 once it has returned.
    pub floor: Version,
}

/// A value as a look shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Found {
    /// Its own.
    pub token: Token,
    /// The row's when it was loaded.
    pub version: Version,
}

/// A reader's way to a value, or to the right to load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Search {
    /// The library's own, built from its source.
    pub(crate) steps: read::Search<Found, Token, Infallible>,
    /// What its looks have shown by now.
    pub(crate) stamp: Stamp,
    /// That of its lease.
    pub(crate) token: Token,
    /// The value past its TTL that it holds.
    pub(crate) kept: Option<Found>,
}

impl Search {
    pub(crate) fn new() -> Self {
        Self {
            steps: read::Search::new(),
            stamp: Stamp::default(),
            token: 0,
            kept: None,
        }
    }

    /// What it is given is of no use to it.
    pub(crate) fn refuse(&mut self) {
        if let Step::Serve(entry) = *self.step() {
            self.steps.unusable(Seen::Dead(entry.token));
        }
    }

    pub(crate) fn step(&self) -> &Step<Found, Token, Infallible> {
        self.steps.step()
    }

    /// Without what is of no matter any more.
    pub(crate) fn tidied(self) -> Self {
        match self.step() {
            Step::Join | Step::Wait | Step::Queue | Step::WaitInQueue => Self {
                stamp: Stamp::default(),
                token: 0,
                ..self
            },
            _ => self,
        }
    }

    fn remembers(&self, token: Token) -> bool {
        let over = match *self.step() {
            Step::Enter(Seen::Dead(over)) => Some(over),
            Step::Acquire(over) | Step::Stamp(over) => over,
            _ => None,
        };
        let kept = self.kept.map(|entry| entry.token);
        [Some(self.token), over, kept].contains(&Some(token))
    }
}

/// What is noted before a load begins, to be stored with its result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// A server that the process was connected to.
    pub epoch: Epoch,
    /// What was read of the tag.
    pub tag: Tag,
}

/// What a reader knows of the tag, or an entry says of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Tag {
    /// None is known of.
    #[default]
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

/// How far a reader is. `stamp` has a server that its process was connected to before the step at hand,
/// and what was read of the tag by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the fields are those of Key and Flight")]
pub enum Phase {
    /// Has not been called.
    Idle,
    /// Takes a step of its search, or waits for the answer.
    Search(Search),
    /// Its GET of the tag was answered, that of the key is under way.
    LookOn(Search),
    /// Has seen a value that names a tag; the tag's GET is under way.
    Weigh { search: Search, entry: Loaded },
    /// Waits for the end of somebody's load.
    Seated {
        search: Search,
        leader: u8,
        shares: bool,
    },
    /// Holds the lease; its load has begun.
    Load { token: Token, stamp: Stamp },
    /// The source has answered its own part; its load is about to call another cached function.
    OwnLoaded(Loaded),
    /// It has, and that has missed.
    InnerLoad { own: Loaded, tag: Tag },
    /// The source has answered that function; its fill is under way.
    InnerFill {
        own: Loaded,
        tag: Tag,
        inner: Version,
    },
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
    /// Will run the next load without a lease.
    Pending,
    /// The source has answered its load without a lease.
    Answered { version: Version },
    /// `.refreshed()`: its GET is under way.
    FillRight,
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
    /// Whether it remembers this of the key.
    pub fn remembers(self, token: Token) -> bool {
        match self {
            Self::Search(search) | Self::LookOn(search) | Self::Seated { search, .. } => {
                search.remembers(token)
            }
            Self::Load { token: own, .. } | Self::Refresh { token: own, .. } => own == token,
            _ => self.loaded().is_some_and(|loaded| loaded.token == token),
        }
    }

    /// Whether it remembers this generation of the tag.
    pub fn knows(self, generation: Generation) -> bool {
        let inner = match self {
            Self::InnerLoad { tag, .. } | Self::InnerFill { tag, .. } => tag.generation(),
            _ => None,
        };
        [inner, self.generation()].contains(&Some(generation))
    }

    fn generation(self) -> Option<Generation> {
        match self {
            Self::Search(Search { stamp, .. })
            | Self::LookOn(Search { stamp, .. })
            | Self::Load { stamp, .. }
            | Self::Filled { stamp, .. }
            | Self::Seize { stamp }
            | Self::Refresh { stamp, .. } => stamp.tag.generation(),
            _ => self.loaded()?.stamp.tag.generation(),
        }
    }

    fn loaded(self) -> Option<Loaded> {
        match self {
            Self::Weigh { entry: loaded, .. }
            | Self::OwnLoaded(loaded)
            | Self::InnerLoad { own: loaded, .. }
            | Self::InnerFill { own: loaded, .. }
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
    /// Whether it had to begin again.
    pub lapsed: bool,
}

/// How far a writer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Has not been called.
    Idle,
    /// What it does before its write has been done.
    Begun,
    /// Its invalidation is collected, its row not yet committed.
    Collected,
    /// The row is written.
    Committed,
    /// A key of its pattern was found.
    Found(Attempt),
    /// The invalidation has run in Redis, its answer is under way.
    Answering(Attempt),
    /// The first of two deletions has returned.
    Between,
    /// Has returned; its invalidation is in the journal.
    Journaled,
    /// The same, and its replay has found a key of its pattern.
    FoundAgain(Attempt),
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

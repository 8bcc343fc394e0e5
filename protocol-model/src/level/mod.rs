//! The level in process memory: two processes that keep what they read, over links whose answers and notices
//! come in one order, and time that passes in ticks.
//!
//! A model of its own: of the level below, which all the other rows are about, it has what that promises. A
//! fill that is stored has loaded after the last invalidation of its key that has run, so that here it is one
//! step of somebody: between its load and its fill others would only see nothing to keep, and the notices that
//! a lease causes are among those that come without a cause. A reader that finds nothing to keep goes on
//! below, which changes nothing here. Hits change nothing: in each moment it is asked what each process would
//! serve.

use crate::checker::{Model, Step, StepOf};
use crate::event::{Event, Flaw, What, Who};
use crate::local::{Rule, Rules};
use crate::state::Version;
use crate::step::Did;

mod message;
mod process;
mod server;
mod state;
mod world;
mod writer;

pub use state::{Ago, Moment};
use state::{ITEMS, KEY, PROCESSES, READERS, TAG, WRITERS};

/// A level in one world.
#[derive(Clone, Copy, Debug)]
pub struct Level {
    /// The rule that is left out.
    pub(crate) without: Option<Rule>,
    /// How long an item may be served unannounced, in ticks.
    pub(crate) delta: u8,
    /// The process of each reader; without one there is nothing to see of its level.
    pub(crate) readers: [Option<usize>; READERS],
    pub(crate) writers: [Option<Write>; WRITERS],
    pub(crate) tracking: Tracking,
    /// What is read over another connection than the link.
    pub(crate) elsewhere: [bool; ITEMS],
    /// The entry has a tag.
    pub(crate) tagged: bool,
    /// The generation is kept on the ticket of the entry.
    pub(crate) one_ticket: bool,
    /// Writers wait until their invalidations have settled.
    pub(crate) settles: bool,
    /// Answers to invalidations may fail to come; they wait in a journal then.
    pub(crate) journal: bool,
    /// Entries are refreshed while they stand.
    pub(crate) refreshes: bool,
    /// The server may forget whom it has told what, and then says so; and it may evict generations.
    pub(crate) forgets: bool,
    /// Links may die.
    pub(crate) cuts: bool,
    /// The clock of the second process may stand still.
    pub(crate) sleeps: bool,
    /// The slot of the key may move to another server.
    pub(crate) moves: Option<Move>,
}

/// What a writer does after its commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Write {
    pub(crate) home: usize,
    pub(crate) way: Way,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Invalidate,
    InvalidateTag,
    /// Removes everything there is.
    Flush,
}

/// Whom the server announces a change to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tracking {
    /// Once, to whom it has told the item over the connection.
    Read,
    /// The same, but who has changed it over that connection is not told; all that a process sends goes over
    /// its link. Those who fill are in the first.
    NoLoop,
    /// Always, to everybody.
    Broadcast {
        /// Answers may leave the server before the announcement does.
        overtaken: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Move {
    /// A PING asks whether the server still owns what it did.
    pub(crate) asked: bool,
    /// Invalidations count from when the old owner knows of the move.
    pub(crate) from_known: bool,
    /// The old owner hears of an election before it hears what that has changed.
    pub(crate) elected_first: bool,
    /// It removes what it has of the slot, and announces that, as soon as it knows of the move; else later.
    pub(crate) trims_at_once: bool,
}

impl Level {
    /// As designed, with a writer in each process, and a reader in the first.
    pub(crate) const fn designed() -> Self {
        Self {
            without: None,
            delta: 1,
            readers: [Some(0), None],
            writers: [Some(Write::key(1)), Some(Write::key(0))],
            tracking: Tracking::Read,
            elsewhere: [false; ITEMS],
            tagged: false,
            one_ticket: false,
            settles: false,
            journal: false,
            refreshes: false,
            forgets: true,
            cuts: true,
            sleeps: false,
            moves: None,
        }
    }

    pub(crate) const fn without(self, rule: Rule) -> Self {
        Self {
            without: Some(rule),
            ..self
        }
    }

    /// What is explored of it. All of it: its reader with both writers; and, in the simplest world, two readers
    /// with the first one. A part: its reader with each writer.
    pub(crate) fn parts(self, all: bool) -> Vec<Self> {
        if !all {
            let writers = self.writers.into_iter().filter(Option::is_some);
            return writers.map(|writer| self.cast(None, writer)).collect();
        }
        let simple = !self.tagged && !self.journal && self.moves.is_none();
        let two = Self {
            forgets: false,
            cuts: false,
            ..self.cast(self.readers[0], self.writers[0])
        };
        [self].into_iter().chain(simple.then_some(two)).collect()
    }

    fn cast(self, second: Option<usize>, writer: Option<Write>) -> Self {
        Self {
            readers: [self.readers[0], second],
            writers: [writer, None],
            ..self
        }
    }

    /// Those that somebody reads in.
    fn processes(&self) -> impl Iterator<Item = usize> + use<> {
        let readers = self.readers;
        (0..PROCESSES).filter(move |process| readers.contains(&Some(*process)))
    }

    /// The item on whose ticket this one is kept.
    fn ticket_of(&self, item: usize) -> usize {
        if self.one_ticket { KEY } else { item }
    }

    fn items(&self) -> impl Iterator<Item = usize> + use<> {
        KEY..=if self.tagged { TAG } else { KEY }
    }
}

impl Write {
    pub(crate) const fn new(home: usize, way: Way) -> Self {
        Self { home, way }
    }

    pub(crate) const fn key(home: usize) -> Self {
        Self::new(home, Way::Invalidate)
    }
}

impl Rules<Rule> for Level {
    fn follows(&self, rule: Rule) -> bool {
        self.without != Some(rule)
    }
}

/// Collects what can happen at one moment.
struct Steps<'a> {
    level: &'a Level,
    now: &'a Moment,
    list: &'a mut Vec<StepOf<Level>>,
}

/// The moment a step leads to, while it is being made.
struct Next<'a> {
    level: &'a Level,
    state: Moment,
}

impl Steps<'_> {
    fn add<D: Into<Did>>(&mut self, who: Who, change: impl FnOnce(&mut Next<'_>) -> D) {
        let mut next = Next {
            level: self.level,
            state: *self.now,
        };
        let Did {
            what,
            version,
            flaw,
        } = change(&mut next).into();
        let event = Event { who, what, version };
        let to = next.state.tidied(self.level);
        self.list.push(Step { event, to, flaw });
    }
}

impl Model for Level {
    type State = Moment;
    type Event = Event;
    type Flaw = Flaw;

    fn initial(&self) -> Moment {
        Moment::initial(self.tagged)
    }

    fn steps(&self, now: &Moment, list: &mut Vec<StepOf<Self>>) {
        let level = self;
        let mut steps = Steps { level, now, list };
        for process in self.processes() {
            process::steps(&mut steps, process);
        }
        for reader in 0..READERS {
            process::read_steps(&mut steps, reader);
        }
        for writer in 0..WRITERS {
            writer::steps(&mut steps, writer);
        }
        server::steps(&mut steps);
        world::steps(&mut steps);
    }

    fn flaw(&self, _: &Moment) -> Option<Flaw> {
        None
    }

    fn kind(event: Event) -> u8 {
        event.what as u8
    }
}

impl Level {
    /// What a read that starts now in this process must not fall below.
    fn floor(&self, now: &Moment, process: usize) -> Version {
        let returned = (1..).zip(now.returned);
        let bound = returned.filter(|(_, then)| then.is_some_and(|then| then.0 > self.delta));
        let bound = bound.map(|(version, _)| version).max().unwrap_or(0);
        bound.max(now.settled).max(now.processes[process].own)
    }
}

impl Steps<'_> {
    fn hit(&mut self, process: usize) {
        let Some(version) = self.level.serves(self.now, process) else {
            return;
        };
        let floor = self.level.floor(self.now, process);
        let stale = Flaw::StaleLocal {
            process,
            version,
            floor,
        };
        let flaw = (version < floor).then_some(stale);
        let me = Who::Process(process);
        self.add(me, |_| What::HitsLocal.of(version).with(flaw));
    }
}

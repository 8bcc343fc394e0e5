//! A slot that goes from one server to another: it is moved with its key, or a replica takes it over with
//! what it has of the key. Each process asks the server that its map names, and the old owner may not know
//! yet that it is none.
//!
//! A model of its own: of the rest it shares the words of events. Each reader reads once, and a fill goes
//! where the map leads by then.

use crate::checker::{Model, Step, StepOf};
use crate::event::{Event, Flaw, What, Who};
use crate::state::{PROCESSES, Token, Version};

/// One in each process, and another one in the first.
const READERS: usize = 3;
const HOME: [usize; READERS] = [0, 1, 0];
/// The process of the only writer.
const WRITER: usize = 1;

/// How the slot goes, and what is done about it.
#[derive(Clone, Copy, Debug)]
pub struct Moves {
    /// A replica takes it over, which may lack what its primary has confirmed; else it is moved with its key.
    pub taken_over: bool,
    /// Entries carry the epoch of their server, and those of another one are dead.
    pub epochs: bool,
    /// A process that learns of another owner repeats what the old one has confirmed of late.
    pub repeats: bool,
    /// Whether reads count that begin before the old owner has learnt of it, or before what it has confirmed
    /// then was repeated.
    pub from_the_first: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Entry {
    Nothing,
    Lease(Token),
    Value { version: Version, epoch: u8 },
}

/// How far a reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Phase {
    Idle,
    /// It has a lease of the server that had this epoch.
    Leads {
        epoch: u8,
        floor: Version,
    },
    Fills {
        epoch: u8,
        version: Version,
    },
    Done,
}

/// How far the writer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    Writing,
    Committed,
    /// What this server has confirmed; `late`: which was not the owner any more.
    Returned {
        by: usize,
        late: bool,
    },
}

/// A moment of all that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slot {
    row: Version,
    /// What each server has.
    keys: [Entry; 2],
    owner: usize,
    /// Whether the first owner knows that it is none any more.
    old_knows: bool,
    /// Whom each process asks.
    map: [usize; PROCESSES],
    readers: [Phase; READERS],
    stage: Stage,
}

impl Model for Moves {
    type State = Slot;
    type Event = Event;
    type Flaw = Flaw;

    fn initial(&self) -> Slot {
        Slot {
            row: 0,
            keys: [Entry::Nothing; 2],
            owner: 0,
            old_knows: true,
            map: [0; PROCESSES],
            readers: [Phase::Idle; READERS],
            stage: Stage::Writing,
        }
    }

    fn steps(&self, now: &Slot, list: &mut Vec<StepOf<Self>>) {
        let mut add = |who, what, version, to, flaw| {
            let event = Event { who, what, version };
            list.push(Step { event, to, flaw });
        };
        for reader in 0..READERS {
            self.reads(now, reader, &mut add);
        }
        self.writes(now, &mut add);
        self.moves(now, &mut add);
        for server in 0..2 {
            if matches!(now.keys[server], Entry::Lease(_)) {
                let mut to = *now;
                to.keys[server] = Entry::Nothing;
                add(Who::World, What::LeaseRunsOut, 0, to, None);
            }
        }
    }

    fn flaw(&self, _: &Slot) -> Option<Flaw> {
        None
    }

    fn kind(event: Event) -> u8 {
        event.what as u8
    }
}

type Add<'a> = dyn FnMut(Who, What, Version, Slot, Option<Flaw>) + 'a;

impl Moves {
    fn reads(&self, now: &Slot, reader: usize, add: &mut Add<'_>) {
        let me = Who::Reader(reader);
        let mut to = *now;
        match now.readers[reader] {
            Phase::Idle => {
                let (server, floor) = (to.ask(HOME[reader]), self.floor(now));
                match to.keys[server] {
                    Entry::Value { version, epoch } if !self.epochs || epoch == server as u8 => {
                        to.readers[reader] = Phase::Done;
                        let flaw = (version < floor).then_some(Flaw::StaleRead {
                            reader,
                            version,
                            floor,
                        });
                        add(me, What::Hits, version, to, flaw);
                    }
                    // Goes on without one, and nothing of it stays.
                    Entry::Lease(_) => {
                        to.readers[reader] = Phase::Done;
                        add(me, What::SeesLease, 0, to, None);
                    }
                    stands => {
                        let epoch = server as u8;
                        to.keys[server] = Entry::Lease(reader as Token);
                        to.readers[reader] = Phase::Leads { epoch, floor };
                        let what = match stands {
                            Entry::Nothing => What::TakesLease,
                            _ => What::TakesOverDead,
                        };
                        add(me, what, 0, to, None);
                    }
                }
            }
            Phase::Leads { epoch, .. } => {
                let version = now.row;
                to.readers[reader] = Phase::Fills { epoch, version };
                add(me, What::Loads, version, to, None);
            }
            Phase::Fills { epoch, version } => {
                let server = to.ask(HOME[reader]);
                let stands = to.keys[server] == Entry::Lease(reader as Token);
                let is_same = !self.epochs || epoch == server as u8;
                to.readers[reader] = Phase::Done;
                let what = match stands && is_same {
                    true => What::Stored,
                    false => What::Refused,
                };
                if what == What::Stored {
                    to.keys[server] = Entry::Value { version, epoch };
                }
                add(me, what, version, to, None);
            }
            Phase::Done => {}
        }
    }

    fn writes(&self, now: &Slot, add: &mut Add<'_>) {
        let me = Who::Writer(0);
        let mut to = *now;
        match now.stage {
            Stage::Writing => {
                (to.row, to.stage) = (1, Stage::Committed);
                add(me, What::Commits, 1, to, None);
            }
            Stage::Committed => {
                to.invalidate();
                add(me, What::Returns, 1, to, None);
            }
            Stage::Returned { by, .. } if self.repeats && by != now.map[WRITER] => {
                to.invalidate();
                add(me, What::Replays, 1, to, None);
            }
            Stage::Returned { .. } => {}
        }
    }

    fn moves(&self, now: &Slot, add: &mut Add<'_>) {
        let mut to = *now;
        if now.owner == 0 {
            to.owner = 1;
            if self.taken_over {
                to.old_knows = false;
                add(Who::World, What::FailsOver, 0, to, None);
                to = *now;
                to.keys[1] = now.keys[0];
                if to != *now {
                    add(Who::World, What::Copied, 0, to, None);
                }
            } else {
                to.keys = [Entry::Nothing, now.keys[0]];
                add(Who::World, What::SlotMoves, 0, to, None);
            }
            return;
        }
        if !now.old_knows {
            to.old_knows = true;
            // It becomes a replica of the new one.
            to.keys[0] = Entry::Nothing;
            add(Who::World, What::OldOwnerKnows, 0, to, None);
        }
        for process in 0..PROCESSES {
            if now.map[process] == 0 {
                let mut to = *now;
                to.map[process] = 1;
                add(Who::Process(process), What::HearsOfMove, 0, to, None);
            }
        }
    }

    /// What a read that begins now must get at least.
    fn floor(&self, now: &Slot) -> Version {
        let Stage::Returned { late, .. } = now.stage else {
            return 0;
        };
        let is_to_come = late && self.repeats;
        Version::from(self.from_the_first || now.old_knows && !is_to_come)
    }
}

impl Slot {
    fn invalidate(&mut self) {
        let by = self.ask(WRITER);
        self.keys[by] = Entry::Nothing;
        let late = by != self.owner;
        self.stage = Stage::Returned { by, late };
    }

    /// The server that answers a process: one that knows it is not the owner names the other.
    fn ask(&mut self, process: usize) -> usize {
        if self.map[process] != self.owner && self.old_knows {
            self.map[process] = self.owner;
        }
        self.map[process]
    }
}

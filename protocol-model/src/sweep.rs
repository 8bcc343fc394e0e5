//! The removal of several keys whose functions call one another: the outer one reads the middle one, and
//! that the inner one, which reads the source. One write makes all of them outdated.
//!
//! A model of its own: of the rest it shares the words of events. A load that meets the lease of another
//! goes on without one, which is the least that its readers may do.

use crate::checker::{Model, Step, StepOf};
use crate::event::{Event, Flaw, What, Who};
use crate::state::{Token, Version};

/// The functions, the outermost first.
const LEVELS: usize = 3;
const READERS: usize = 2;
/// Each reader asks for the lease of each key at most once.
const TOKENS: usize = READERS * LEVELS;

/// How the keys are removed.
#[derive(Clone, Copy, Debug)]
pub struct Sweeps {
    /// In one step, or key by key.
    pub at_once: bool,
    /// How often each key is removed.
    pub passes: u8,
    /// What holds up fills meanwhile.
    pub bar: Bar,
}

/// What holds up fills while keys are removed one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bar {
    /// Nothing.
    Missing,
    /// A bar; that it has run out is not noticed.
    Trusted,
    /// A bar; if it has run out, the removal begins anew.
    Asked,
    /// The keys themselves: the first pass leaves a tombstone under each, which the second one takes away.
    Tombstones {
        /// If one of them was gone by then, the removal begins anew.
        asked: bool,
    },
}

impl Bar {
    fn is_asked(self) -> bool {
        matches!(self, Self::Asked | Self::Tombstones { asked: true })
    }

    /// Whether it stands beside the keys.
    fn is_beside(self) -> bool {
        matches!(self, Self::Trusted | Self::Asked)
    }
}

/// What stands under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Entry {
    Nothing,
    Lease(Token),
    Value(Version),
    Tombstone,
}

/// How far a reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Phase {
    Idle,
    /// About to look at the key of this level, or at the source behind the last one.
    Looks {
        first: u8,
        level: u8,
        floor: Version,
    },
    Ended,
}

/// How far the writer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    Writing,
    Committed,
    /// Which keys this pass has removed.
    Removing {
        pass: u8,
        removed: [bool; LEVELS],
    },
    Returned,
}

/// A moment of all that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Scene {
    row: Version,
    entries: [Entry; LEVELS],
    readers: [Phase; READERS],
    /// Which leases were granted, and what is on its way to take their places.
    granted: [bool; TOKENS],
    fills: [Option<Version>; TOKENS],
    stage: Stage,
    barred: bool,
    /// Whether what holds up fills has stood until now.
    stood: bool,
    ran_out: bool,
}

impl Model for Sweeps {
    type State = Scene;
    type Event = Event;
    type Flaw = Flaw;

    fn initial(&self) -> Scene {
        Scene {
            row: 0,
            entries: [Entry::Value(0); LEVELS],
            readers: [Phase::Idle; READERS],
            granted: [false; TOKENS],
            fills: [None; TOKENS],
            stage: Stage::Writing,
            barred: false,
            stood: false,
            ran_out: false,
        }
    }

    fn steps(&self, now: &Scene, list: &mut Vec<StepOf<Self>>) {
        let mut add = |who, what, version, to, flaw| {
            let event = Event { who, what, version };
            list.push(Step { event, to, flaw });
        };
        for reader in 0..READERS {
            now.reads(reader, &mut add);
        }
        for token in 0..TOKENS {
            now.fills(token, &mut add);
        }
        self.removes(now, &mut add);
        now.runs_out(&mut add);
    }

    fn flaw(&self, now: &Scene) -> Option<Flaw> {
        let under_way = |phase: &Phase| matches!(phase, Phase::Looks { .. });
        let rests = now.stage == Stage::Returned
            && now.fills.iter().all(Option::is_none)
            && !now.readers.iter().any(under_way);
        let (kept, row) = (0, now.row);
        let stranded = rests && now.entries.contains(&Entry::Value(kept));
        stranded.then_some(Flaw::Stranded { kept, row })
    }

    fn kind(event: Event) -> u8 {
        event.what as u8
    }
}

impl Sweeps {
    fn removes(&self, now: &Scene, add: &mut Add<'_>) {
        let me = Who::Writer(0);
        let mut to = *now;
        match now.stage {
            Stage::Writing => {
                (to.row, to.stage) = (1, Stage::Committed);
                add(me, What::Commits, to.row, to, None);
            }
            Stage::Committed if self.at_once => {
                (to.entries, to.stage) = ([Entry::Nothing; LEVELS], Stage::Returned);
                add(me, What::RemovesAll, to.row, to, None);
            }
            Stage::Committed => {
                (to.barred, to.stood) = (self.bar.is_beside(), true);
                to.stage = Stage::of_pass(0);
                add(me, What::RaisesBar, to.row, to, None);
            }
            Stage::Removing { pass, removed } if removed == [true; LEVELS] => {
                if pass + 1 < self.passes {
                    to.stage = Stage::of_pass(pass + 1);
                    return add(me, What::BeginsPass, to.row, to, None);
                }
                let anew = self.bar.is_asked() && !now.stood;
                to.barred = false;
                to.stage = if anew {
                    Stage::Committed
                } else {
                    Stage::Returned
                };
                let what = if anew {
                    What::FindsNoBar
                } else {
                    What::LiftsBar
                };
                add(me, what, to.row, to, None);
            }
            Stage::Removing { pass, removed } => {
                for level in (0..LEVELS).filter(|level| !removed[*level]) {
                    let (mut to, mut removed) = (*now, removed);
                    removed[level] = true;
                    to.entries[level] = match (self.bar, pass) {
                        (Bar::Tombstones { .. }, 0) => Entry::Tombstone,
                        _ => Entry::Nothing,
                    };
                    if let (Bar::Tombstones { .. }, 1) = (self.bar, pass) {
                        to.stood &= now.entries[level] == Entry::Tombstone;
                    }
                    to.stage = Stage::Removing { pass, removed };
                    add(me, What::RemovesOne, to.row, to, None);
                }
            }
            Stage::Returned => {}
        }
    }
}

impl Stage {
    fn of_pass(pass: u8) -> Self {
        let removed = [false; LEVELS];
        Self::Removing { pass, removed }
    }
}

type Add<'a> = dyn FnMut(Who, What, Version, Scene, Option<Flaw>) + 'a;

impl Scene {
    fn reads(&self, reader: usize, add: &mut Add<'_>) {
        let me = Who::Reader(reader);
        match self.readers[reader] {
            // Those that are alike begin in one order.
            Phase::Idle if reader > 0 && self.readers[reader - 1] == Phase::Idle => {}
            Phase::Idle => {
                let floor = u8::from(self.stage == Stage::Returned);
                for first in 0..LEVELS as u8 {
                    let level = first;
                    let mut to = *self;
                    to.readers[reader] = Phase::Looks {
                        first,
                        level,
                        floor,
                    };
                    add(me, What::Looks, floor, to, None);
                }
            }
            Phase::Looks {
                first,
                level,
                floor,
            } => {
                let mut to = *self;
                let seen = self.entries.get(usize::from(level)).copied();
                let (what, version) = match seen {
                    Some(Entry::Value(version)) => (What::Hits, version),
                    None => (What::Loads, self.row),
                    Some(stands) => {
                        if stands == Entry::Nothing {
                            to.grants(reader, level);
                        }
                        let level = level + 1;
                        to.readers[reader] = Phase::Looks {
                            first,
                            level,
                            floor,
                        };
                        return add(me, What::Misses, 0, to, None);
                    }
                };
                to.readers[reader] = Phase::Ended;
                // What it calls for goes up to the first, and what it has leases for is sent.
                for level in first..level {
                    let token = token(reader, level);
                    if std::mem::take(&mut to.granted[token]) {
                        to.fills[token] = Some(version);
                    }
                }
                let stale = version < floor;
                let flaw = stale.then_some(Flaw::StaleRead {
                    reader,
                    version,
                    floor,
                });
                add(me, what, version, to, flaw);
            }
            Phase::Ended => {}
        }
    }

    fn grants(&mut self, reader: usize, level: u8) {
        let token = token(reader, level);
        self.granted[token] = true;
        self.entries[usize::from(level)] = Entry::Lease(token as Token);
    }

    /// At any time later; behind a bar the lease is given back.
    fn fills(&self, token: usize, add: &mut Add<'_>) {
        let Some(version) = self.fills[token] else {
            return;
        };
        let mut to = *self;
        to.fills[token] = None;
        let entry = &mut to.entries[token % LEVELS];
        let what = match (*entry == Entry::Lease(token as Token), self.barred) {
            (false, _) => What::Refused,
            (true, true) => {
                *entry = Entry::Nothing;
                What::FillBarred
            }
            (true, false) => {
                *entry = Entry::Value(version);
                What::Stored
            }
        };
        add(Who::Reader(token / LEVELS), what, version, to, None);
    }

    fn runs_out(&self, add: &mut Add<'_>) {
        for level in 0..LEVELS {
            let mut to = *self;
            to.entries[level] = Entry::Nothing;
            match self.entries[level] {
                Entry::Nothing => {}
                Entry::Lease(_) => add(Who::World, What::LeaseRunsOut, 0, to, None),
                Entry::Value(_) => add(Who::World, What::ValueGoes, 0, to, None),
                Entry::Tombstone => add(Who::World, What::TombstoneEvicted, 0, to, None),
            }
        }
        if self.barred && !self.ran_out {
            let mut to = *self;
            (to.barred, to.stood, to.ran_out) = (false, false, true);
            add(Who::World, What::BarRunsOut, 0, to, None);
        }
    }
}

fn token(reader: usize, level: u8) -> usize {
    reader * LEVELS + usize::from(level)
}

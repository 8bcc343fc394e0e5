//! A level whose entries are checked: each read asks Redis for the header under the key and for the tag's
//! generation, and what is kept is served if it is of just those. Without tickets, links and clocks.
//!
//! **It is not built yet.** A model of its own: of the rest it shares what Redis does, and the words of
//! events. Readers in two processes load and fill under leases, again and again; what they have loaded is
//! kept at once, whatever becomes of its fill.

use crate::checker::{Model, Step, StepOf};
use crate::event::{Event, Flaw, What, Who};
use crate::local::{Rule, Rules, Stamp};
use crate::state::{Epoch, Generation, HOME, PROCESSES, READERS, Token, Version, WRITERS};
use crate::step::Did;

/// A level of checked entries, and what it leaves out.
#[derive(Clone, Copy, Debug)]
pub struct Checks {
    pub(crate) without: Option<Rule>,
    /// Entries have the token of the process that has filled, and not one of their own.
    pub(crate) process_tokens: bool,
    /// A read shares the check of one that began before it.
    pub(crate) shared: bool,
    /// Who reads: two in the first process, who are alike, and one in the second.
    pub(crate) readers: [bool; READERS],
    /// Who writes: one invalidates the key, one its tag.
    pub(crate) writers: [bool; WRITERS],
    /// Redis may fail over to an older state.
    pub(crate) fails_over: bool,
}

impl Checks {
    /// What is explored of it: all of it, or its first reader with each writer.
    pub(crate) fn parts(self, all: bool) -> Vec<Self> {
        let alone = |writer: usize| Self {
            readers: [true, false, false],
            writers: std::array::from_fn(|at| at == writer && self.writers[at]),
            ..self
        };
        match all {
            true => vec![self],
            false => (0..WRITERS).map(alone).collect(),
        }
    }
}

impl Rules for Checks {
    fn follows(&self, rule: Rule) -> bool {
        self.without != Some(rule)
    }
}

/// A stored value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Entry {
    version: Version,
    stamp: Stamp<Token, Generation, Epoch>,
}

/// What stands under the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    Absent,
    Lease(Token),
    Value(Entry),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Phase {
    Idle,
    /// What is kept here, whose header it asks for.
    Asks(Entry),
    /// This token stands there.
    HasHeader(Entry, Token),
    /// It has nothing that may be served, and looks for itself.
    Looks,
    /// It has a lease of this token, and what an entry is to be stamped with.
    Loads(Token, Generation, Epoch),
    /// It has returned what it loaded, its fill is under way.
    Fills(Token, Entry),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    Idle,
    Committed(Version),
    Done,
}

/// A moment of all that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Moment {
    row: Version,
    key: Key,
    /// What stood there when Redis was last copied.
    copy: Key,
    generation: Generation,
    epoch: Epoch,
    kept: [Option<Entry>; PROCESSES],
    readers: [Phase; READERS],
    floors: [Version; READERS],
    writers: [Stage; WRITERS],
    floor: Version,
}

impl Model for Checks {
    type State = Moment;
    type Event = Event;
    type Flaw = Flaw;

    fn initial(&self) -> Moment {
        Moment {
            row: 0,
            key: Key::Absent,
            copy: Key::Absent,
            generation: 0,
            epoch: 0,
            kept: [None; PROCESSES],
            readers: [Phase::Idle; READERS],
            floors: [0; READERS],
            writers: self.writers.map(|writes| match writes {
                true => Stage::Idle,
                false => Stage::Done,
            }),
            floor: 0,
        }
    }

    fn steps(&self, now: &Moment, list: &mut Vec<StepOf<Self>>) {
        let mut add = |who, change: &dyn Fn(&mut Moment) -> Did| {
            let mut to = *now;
            let Did {
                what,
                version,
                flaw,
            } = change(&mut to);
            let event = Event { who, what, version };
            list.push(Step { event, to, flaw });
        };
        for reader in 0..READERS {
            let late = reader == 1 && now.readers[0] == Phase::Idle;
            if self.readers[reader] && !late {
                add(Who::Reader(reader), &|to| to.reads(self, reader));
            }
        }
        for writer in 0..WRITERS {
            if now.writers[writer] != Stage::Done {
                add(Who::Writer(writer), &|to| to.writes(writer));
            }
        }
        if now.key != Key::Absent {
            add(Who::World, &|to| to.goes());
        }
        if self.fails_over && now.epoch == 0 {
            add(Who::World, &|to| {
                to.copy = to.key;
                What::Copied.into()
            });
            add(Who::World, &|to| {
                (to.key, to.copy, to.epoch) = (to.copy, Key::Absent, 1);
                What::FailsOver.into()
            });
        }
    }

    fn flaw(&self, _: &Moment) -> Option<Flaw> {
        None
    }

    fn kind(event: Event) -> u8 {
        event.what as u8
    }
}

impl Moment {
    fn reads(&mut self, checks: &Checks, reader: usize) -> Did {
        let home = HOME[reader];
        match self.readers[reader] {
            Phase::Idle => {
                self.floors[reader] = self.floor;
                let (phase, what) = self.begins(checks, home);
                self.readers[reader] = phase;
                what.of(self.floor)
            }
            Phase::Asks(kept) => {
                self.readers[reader] = Phase::HasHeader(kept, self.stored().unwrap_or(0));
                What::AsksForHeader.into()
            }
            Phase::HasHeader(kept, token) => {
                let told = self.stamp(token);
                if kept.stamp.stands(checks, &told) {
                    return self.returns(reader, What::Stands, kept.version, Phase::Idle);
                }
                self.readers[reader] = Phase::Looks;
                What::StandsNot.into()
            }
            Phase::Looks => self.looks(reader),
            Phase::Loads(lease, generation, epoch) => {
                let stamp = Stamp {
                    token: match checks.process_tokens {
                        true => 1 + home as Token,
                        false => self.fresh_token(),
                    },
                    generations: generation,
                    epoch,
                };
                let version = self.row;
                let entry = Entry { version, stamp };
                // Nobody knows yet whether it will be stored.
                self.kept[home] = Some(entry);
                self.returns(reader, What::Fills, version, Phase::Fills(lease, entry))
            }
            Phase::Fills(lease, entry) => {
                self.readers[reader] = Phase::Idle;
                let what = match self.key == Key::Lease(lease) {
                    true => What::Stored,
                    false => return What::Refused.of(entry.version),
                };
                self.key = Key::Value(entry);
                what.of(entry.version)
            }
        }
    }

    fn begins(&self, checks: &Checks, home: usize) -> (Phase, What) {
        let others = (0..READERS).filter(|other| HOME[*other] == home);
        let mut checking = others.map(|other| self.readers[other]);
        let check = checking.find(|phase| matches!(phase, Phase::HasHeader(..)));
        match (check, self.kept[home]) {
            (Some(check), _) if checks.shared => (check, What::Joins),
            (_, Some(kept)) => (Phase::Asks(kept), What::Looks),
            (_, None) => (Phase::Looks, What::Looks),
        }
    }

    /// A GET, and the lease where nothing lives. A read that finds somebody else's loads without.
    fn looks(&mut self, reader: usize) -> Did {
        let lease = match self.key {
            Key::Value(entry) if entry.stamp == self.stamp(entry.stamp.token) => {
                self.kept[HOME[reader]] = Some(entry);
                return self.returns(reader, What::Hits, entry.version, Phase::Idle);
            }
            Key::Lease(_) => {
                return self.returns(reader, What::LoadsAlone, self.row, Phase::Idle);
            }
            Key::Absent | Key::Value(_) => self.fresh_token(),
        };
        self.key = Key::Lease(lease);
        if self.generation == 0 {
            self.generation = self.fresh_generation();
        }
        self.readers[reader] = Phase::Loads(lease, self.generation, self.epoch);
        What::TakesLease.into()
    }

    fn returns(&mut self, reader: usize, what: What, version: Version, phase: Phase) -> Did {
        let floor = std::mem::take(&mut self.floors[reader]);
        self.readers[reader] = phase;
        let flaw = (version < floor).then_some(Flaw::StaleRead {
            reader,
            version,
            floor,
        });
        what.of(version).with(flaw)
    }

    /// What Redis says of an entry with that token now.
    fn stamp(&self, token: Token) -> Stamp<Token, Generation, Epoch> {
        Stamp {
            token,
            generations: self.generation,
            epoch: self.epoch,
        }
    }

    fn stored(&self) -> Option<Token> {
        match self.key {
            Key::Value(entry) => Some(entry.stamp.token),
            Key::Absent | Key::Lease(_) => None,
        }
    }

    /// Its invalidation has returned when it has run: later would bind fewer reads.
    fn writes(&mut self, writer: usize) -> Did {
        let Stage::Committed(version) = self.writers[writer] else {
            self.row += 1;
            self.writers[writer] = Stage::Committed(self.row);
            return What::Commits.of(self.row);
        };
        match writer {
            0 => self.key = Key::Absent,
            _ => self.generation = 0,
        }
        self.writers[writer] = Stage::Done;
        self.floor = self.floor.max(version);
        What::Returns.of(version)
    }

    fn goes(&mut self) -> Did {
        let what = match self.key {
            Key::Lease(_) => What::LeaseRunsOut,
            Key::Absent | Key::Value(_) => What::ValueGoes,
        };
        self.key = Key::Absent;
        what.into()
    }

    fn entries(&self) -> impl Iterator<Item = Entry> {
        let stored = [self.key, self.copy]
            .into_iter()
            .filter_map(|key| match key {
                Key::Value(entry) => Some(entry),
                Key::Absent | Key::Lease(_) => None,
            });
        let held = self.readers.into_iter().filter_map(|phase| match phase {
            Phase::Asks(entry) | Phase::HasHeader(entry, _) | Phase::Fills(_, entry) => Some(entry),
            _ => None,
        });
        stored.chain(held).chain(self.kept.into_iter().flatten())
    }

    /// Above those of processes.
    fn fresh_token(&self) -> Token {
        let leases = [self.key, self.copy]
            .into_iter()
            .filter_map(|key| match key {
                Key::Lease(token) => Some(token),
                Key::Absent | Key::Value(_) => None,
            });
        let held = self.readers.into_iter().filter_map(|phase| match phase {
            Phase::HasHeader(_, token) | Phase::Loads(token, ..) | Phase::Fills(token, _) => {
                Some(token)
            }
            _ => None,
        });
        let entries = self.entries().map(|entry| entry.stamp.token);
        fresh(1 + PROCESSES as Token, leases.chain(held).chain(entries))
    }

    fn fresh_generation(&self) -> Generation {
        let held = self.readers.into_iter().filter_map(|phase| match phase {
            Phase::Loads(_, generation, _) => Some(generation),
            _ => None,
        });
        let entries = self.entries().map(|entry| entry.stamp.generations);
        fresh(1, held.chain(entries))
    }
}

/// The least from `first` on that is not known.
fn fresh(first: u8, known: impl Iterator<Item = u8>) -> u8 {
    let known: Vec<_> = known.collect();
    (first..)
        .find(|fresh| !known.contains(fresh))
        .unwrap_or(u8::MAX)
}

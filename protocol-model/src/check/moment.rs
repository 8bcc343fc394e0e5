//! A moment of readers and writers of checked entries, and what each of them does next.

use super::Checks;
use crate::event::{Flaw, What};
use crate::local::Stamp;
use crate::state::{Epoch, Generation, HOME, PROCESSES, READERS, Token, Version, WRITERS};
use crate::step::Did;

/// A stored value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Entry {
    version: Version,
    stamp: Stamp<Token, Generation, Epoch>,
}

/// What stands under the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Absent,
    Lease(Token),
    Value(Entry),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Phase {
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
pub(super) enum Stage {
    Idle,
    Committed(Version),
    Done,
}

/// A moment of all that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Moment {
    row: Version,
    pub(super) key: Key,
    /// What stood there when Redis was last copied.
    pub(super) copy: Key,
    generation: Generation,
    pub(super) epoch: Epoch,
    kept: [Option<Entry>; PROCESSES],
    pub(super) readers: [Phase; READERS],
    floors: [Version; READERS],
    pub(super) writers: [Stage; WRITERS],
    floor: Version,
}

impl Moment {
    pub(super) fn initial(writers: [bool; WRITERS]) -> Self {
        Self {
            row: 0,
            key: Key::Absent,
            copy: Key::Absent,
            generation: 0,
            epoch: 0,
            kept: [None; PROCESSES],
            readers: [Phase::Idle; READERS],
            floors: [0; READERS],
            writers: writers.map(|writes| match writes {
                true => Stage::Idle,
                false => Stage::Done,
            }),
            floor: 0,
        }
    }

    pub(super) fn reads(&mut self, checks: &Checks, reader: usize) -> Did {
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
    pub(super) fn writes(&mut self, writer: usize) -> Did {
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

    pub(super) fn goes(&mut self) -> Did {
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

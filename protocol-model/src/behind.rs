//! Write-behind of one key: a call puts its value there as a *pending* entry and its arguments into a
//! queue, and returns; a worker applies them to the source, in their order.
//!
//! A model of its own. Its promise is its own too: a read that begins when a write has been accepted returns
//! that write or a later one, and all that was accepted is applied, none after a later one.

use crate::checker::{Model, Step, StepOf};
use crate::event::{Event, Flaw, What, Who};
use crate::state::Version;

mod moment;

pub(crate) use moment::Moment;
use moment::{Entry, Queued, READERS, Reader, WORKERS, WRITES, Worker, push};

/// The rules, each of which may be left out, and what may go wrong.
#[derive(Clone, Copy, Debug)]
pub struct Behind {
    /// Entry and place in the queue are taken in one step.
    pub at_once: bool,
    /// A write leaves the queue when it has been applied, not when a worker takes it.
    pub kept_until_applied: bool,
    /// Removals leave a pending entry alone.
    pub removals_spare: bool,
    /// Leases leave it alone, even that of a reader who cannot read it.
    pub leases_spare: bool,
    /// Who has applied a write removes the pending entry only if it is that of this write.
    pub finish_compares: bool,
    /// It removes whatever else stands there, if the entry is gone before its time.
    pub finish_removes: bool,
    /// A dead letter takes those of its key that are behind it with it.
    pub dead_hold_up: bool,
    /// A write finds out under which number the source was written last.
    pub numbered: bool,
    /// Pending entries may be evicted, or be removed by who does not know them.
    pub evicted: bool,
    /// A reader cannot read what the others write.
    pub unreadable: bool,
}

impl Behind {
    /// As shipped.
    pub const SHIPPED: Self = Self {
        at_once: true,
        kept_until_applied: true,
        removals_spare: true,
        leases_spare: true,
        finish_compares: true,
        finish_removes: true,
        dead_hold_up: true,
        numbered: true,
        evicted: false,
        unreadable: false,
    };
}

impl Model for Behind {
    type State = Moment;
    type Event = Event;
    type Flaw = Flaw;

    fn initial(&self) -> Moment {
        Moment::begins(self.evicted)
    }

    fn steps(&self, now: &Moment, list: &mut Vec<StepOf<Self>>) {
        let mut steps = Steps { now, list };
        self.calls(&mut steps);
        for worker in 0..WORKERS {
            self.work(worker, &mut steps);
        }
        for reader in 0..READERS {
            self.read(reader, &mut steps);
        }
        self.world(&mut steps);
    }

    fn flaw(&self, now: &Moment) -> Option<Flaw> {
        if now.backwards {
            return Some(Flaw::Backwards { row: now.row });
        }
        let quiet = now.begun == WRITES && !now.half && now.is_empty();
        if !quiet || now.readers.iter().any(|(reader, _)| reader.is_loading()) {
            return None;
        }
        let missing = now.applied.iter().position(|applied| !applied);
        match (missing, now.entry) {
            (Some(at), _) => Some(Flaw::Lost {
                write: at as Version + 1,
            }),
            (None, Entry::Pending(kept)) => Some(Flaw::Stranded { kept, row: now.row }),
            (None, Entry::Value(kept)) if kept != now.row => {
                Some(Flaw::Stranded { kept, row: now.row })
            }
            _ => None,
        }
    }

    fn kind(event: Event) -> u8 {
        event.what as u8
    }
}

struct Steps<'a> {
    now: &'a Moment,
    list: &'a mut Vec<StepOf<Behind>>,
}

impl Steps<'_> {
    fn add(&mut self, who: Who, what: What, version: u8, to: Moment) {
        self.found(who, what, version, to, None);
    }

    fn found(&mut self, who: Who, what: What, version: u8, to: Moment, flaw: Option<Flaw>) {
        let event = Event { who, what, version };
        self.list.push(Step { event, to, flaw });
    }
}

impl Behind {
    /// One call after the other: those at the same time may come in either order.
    fn calls(&self, steps: &mut Steps<'_>) {
        let now = steps.now;
        let who = Who::Writer(usize::from(now.begun.saturating_sub(u8::from(now.half))));
        let write = now.begun + u8::from(!now.half);
        let mut to = *now;
        if now.half || self.at_once && write <= WRITES {
            if !now.half {
                to.begun = write;
                to.enqueue(write);
            }
            to.half = false;
            to.entry = Entry::Pending(write);
            to.accepted = write;
            steps.add(who, What::Accepted, write, to);
        } else if write <= WRITES {
            to.begun = write;
            to.enqueue(write);
            to.half = true;
            steps.add(who, What::HalfAccepted, write, to);
        }
    }

    fn work(&self, worker: usize, steps: &mut Steps<'_>) {
        let (now, who) = (steps.now, Who::Process(worker));
        let mut to = *now;
        match now.workers[worker] {
            Worker::Idle if now.owner.is_none() && worker == now.first_idle() => {
                to.owner = Some(worker);
                steps.add(who, What::OwnsQueue, 0, to);
            }
            Worker::Idle if now.owner == Some(worker) => {
                let Some(head) = now.queue[0] else { return };
                to.workers[worker] = Worker::Took(head);
                if !self.kept_until_applied {
                    to.dequeue(head.number);
                }
                steps.add(who, What::TakesWrite, head.write, to);
            }
            Worker::Idle => {}
            Worker::Took(queued) => {
                to.apply(queued, self.numbered);
                to.workers[worker] = Worker::Applied(queued);
                steps.add(who, What::Applies, queued.write, to);
                if now.fails && now.owner == Some(worker) {
                    steps.add(
                        who,
                        What::Buries,
                        queued.write,
                        self.buried(*now, worker, queued),
                    );
                }
            }
            Worker::Applied(queued) => {
                steps.add(
                    who,
                    What::Finishes,
                    queued.write,
                    self.finished(*now, worker, queued),
                );
            }
        }
        if now.dies && now.workers[worker] != Worker::Idle {
            let mut to = *now;
            to.dies = false;
            to.workers[worker] = Worker::Idle;
            to.owner = now.owner.filter(|owner| *owner != worker);
            steps.add(who, What::WorkerDies, 0, to);
        }
    }

    fn finished(&self, mut to: Moment, worker: usize, queued: Queued) -> Moment {
        to.workers[worker] = Worker::Idle;
        if !to.dequeue(queued.number) && self.kept_until_applied {
            return to;
        }
        let removes = match to.entry {
            Entry::Pending(write) => write == queued.write || !self.finish_compares,
            _ => self.finish_removes,
        };
        if removes {
            to.entry = Entry::Nothing;
        }
        to
    }

    /// It has failed too often.
    fn buried(&self, mut to: Moment, worker: usize, queued: Queued) -> Moment {
        to.fails = false;
        to.workers[worker] = Worker::Idle;
        let behind = to.queue;
        for one in behind.into_iter().flatten() {
            if one == queued || self.dead_hold_up && one.number > queued.number {
                to.dequeue(one.number);
                push(&mut to.dead, one);
            }
        }
        to
    }

    fn read(&self, reader: usize, steps: &mut Steps<'_>) {
        let (now, who) = (steps.now, Who::Reader(reader));
        let (phase, floor) = now.readers[reader];
        let mut to = *now;
        // The first one is of another release.
        let blind = self.unreadable && reader == 0;
        match phase {
            Reader::Idle => {
                to.readers[reader] = (Reader::Looking, now.accepted);
                steps.add(who, What::Looks, now.accepted, to);
            }
            Reader::Looking => match now.entry {
                Entry::Pending(_) if blind && self.leases_spare => {
                    to.readers[reader].0 = Reader::Alone;
                    steps.add(who, What::PassesPending, 0, to);
                }
                Entry::Pending(write) if !blind => self.serve(reader, write, steps),
                Entry::Value(write) => self.serve(reader, write, steps),
                Entry::Nothing | Entry::Pending(_) => {
                    to.entry = Entry::Lease(reader);
                    to.readers[reader].0 = Reader::Leased;
                    steps.add(who, What::TakesLease, 0, to);
                }
                Entry::Lease(_) => {}
            },
            Reader::Leased => {
                to.readers[reader].0 = Reader::Loaded(now.row);
                steps.add(who, What::Loads, now.row, to);
            }
            Reader::Alone => {
                // Of what it cannot read nothing is promised to it.
                to.readers[reader].0 = Reader::Done;
                steps.add(who, What::LoadsAlone, now.row, to);
            }
            Reader::Loaded(write) => {
                let won = now.entry == Entry::Lease(reader);
                if won {
                    to.entry = Entry::Value(write);
                }
                to.readers[reader].0 = Reader::Done;
                let stale = self.stale(reader, write, floor, blind);
                let what = if won { What::Stored } else { What::Refused };
                steps.found(who, what, write, to, stale);
            }
            Reader::Done => {}
        }
    }

    fn serve(&self, reader: usize, write: u8, steps: &mut Steps<'_>) {
        let mut to = *steps.now;
        let (_, floor) = to.readers[reader];
        to.readers[reader].0 = Reader::Done;
        let what = match to.entry {
            Entry::Pending(_) => What::ServesPending,
            _ => What::Hits,
        };
        let stale = self.stale(reader, write, floor, false);
        steps.found(Who::Reader(reader), what, write, to, stale);
    }

    /// Whoever evicts pending entries has given up what is promised to reads, not the rest.
    fn stale(&self, reader: usize, write: u8, floor: u8, blind: bool) -> Option<Flaw> {
        let version = write;
        let flaw = Flaw::StaleRead {
            reader,
            version,
            floor,
        };
        (version < floor && !self.evicted && !blind).then_some(flaw)
    }

    fn world(&self, steps: &mut Steps<'_>) {
        let now = steps.now;
        let pending = matches!(now.entry, Entry::Pending(_));
        let mut add = |what, change: &dyn Fn(&mut Moment)| {
            let mut to = *now;
            change(&mut to);
            steps.add(Who::World, what, 0, to);
        };
        if now.removal {
            let spares = pending && self.removals_spare;
            add(
                if spares {
                    What::SparesPending
                } else {
                    What::Removes
                },
                &|to| {
                    to.removal = false;
                    to.entry = if spares { to.entry } else { Entry::Nothing };
                },
            );
        }
        if matches!(now.entry, Entry::Value(_) | Entry::Lease(_)) {
            add(What::RunsOut, &|to| to.entry = Entry::Nothing);
        }
        if now.eviction && pending {
            add(What::PendingEvicted, &|to| {
                to.eviction = false;
                to.entry = Entry::Nothing;
            });
        }
        if now.lapses && now.owner.is_some() {
            add(What::OwnerLapses, &|to| {
                to.lapses = false;
                to.owner = None;
            });
        }
        if now.dead[0].is_some() {
            add(What::Retries, &Moment::retry);
        }
    }
}

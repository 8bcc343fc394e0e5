//! All there is at one moment, and how long ago what matters was.

use std::cmp::{Ordering, Reverse};

use super::Level;
use super::message::{Command, Message, Queue};
use crate::local::{Life, Link, Settling, Shard, Ticket, Time};
use crate::state::{Generation, Version};

/// Processes, each with its own level and link.
pub(crate) const PROCESSES: usize = 2;
/// Reads that can be under way at once. A reader that has ended begins anew.
pub(crate) const READERS: usize = 2;
/// Writers, who act once.
pub(crate) const WRITERS: usize = 2;
/// Things that a level keeps: the entry, and the generation of its tag.
pub(crate) const ITEMS: usize = 2;
pub(crate) const KEY: usize = 0;
pub(crate) const TAG: usize = 1;

/// A generation that nobody remembers.
pub(crate) const FRESH: Generation = 15;

/// A time, as the ticks since then; so it is always now, and there is no end of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ago(pub(crate) u8);

pub(crate) const NOW: Ago = Ago(0);

impl Ord for Ago {
    fn cmp(&self, other: &Self) -> Ordering {
        Reverse(self.0).cmp(&Reverse(other.0))
    }
}

impl PartialOrd for Ago {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Time for Ago {
    type Span = u8;

    fn since(self, earlier: Self) -> u8 {
        earlier.0 - self.0
    }
}

/// A moment of the whole system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Moment {
    /// The row in the source.
    pub(crate) row: Version,
    /// The server of the key, and the one that its slot moves to.
    pub(crate) servers: [Server; 2],
    pub(crate) owner: Owner,
    pub(crate) processes: [Process; PROCESSES],
    pub(crate) readers: [Reader; READERS],
    pub(crate) writers: [Writer; WRITERS],
    /// When the invalidation of each version has returned.
    pub(crate) returned: [Option<Ago>; WRITERS],
    /// The newest version whose invalidation was said to have settled.
    pub(crate) settled: Version,
}

/// Which server runs the commands on the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Owner {
    First,
    /// The second; the first has not heard of it and answers as before.
    Second,
    /// The second; the first has heard of an election, and not that it has lost the slot.
    Elected,
    /// The second, as the first knows.
    Known,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Server {
    /// The entry under the key; of leases nothing is seen here.
    pub(crate) key: Option<Entry>,
    /// What stands under the tag's key; 0 is nothing.
    pub(crate) generation: Generation,
    /// What it has told each process and not announced a change of since.
    pub(crate) tracked: [[bool; ITEMS]; PROCESSES],
    /// A change has happened and is yet to be announced.
    pub(crate) unsent: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Entry {
    /// The row's when it was loaded.
    pub(crate) version: Version,
    /// The tag's before that.
    pub(crate) generation: Generation,
}

/// An item in a level. Of a generation, only that matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Kept {
    pub(crate) entry: Entry,
    pub(crate) life: Life<Ago>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Process {
    pub(crate) link: Link<Ago>,
    pub(crate) shards: [Shard; ITEMS],
    pub(crate) kept: [Option<Kept>; ITEMS],
    /// What the link carries to its server.
    pub(crate) up: Queue<Command>,
    /// And back: answers and notices in one order.
    pub(crate) down: Queue<Message>,
    /// When the PING was sent that is under way.
    pub(crate) ping: Option<Ago>,
    /// The link is dead, and the process has not noticed.
    pub(crate) cut: bool,
    /// Its link goes to the second server.
    pub(crate) moved: bool,
    /// The first server has told it of the election.
    pub(crate) told: bool,
    /// The newest version whose invalidation was made here and has returned, confirmed or not.
    pub(crate) own: Version,
}

/// One read that the level could not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Reader {
    pub(crate) phase: Phase,
    pub(crate) tickets: [Ticket; ITEMS],
    pub(crate) sent: Ago,
    /// What it is told.
    pub(crate) seen: [Option<Entry>; ITEMS],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Phase {
    Idle,
    /// Waits for these answers.
    Waits([bool; ITEMS]),
    /// They have arrived; its task is about to run.
    Woken,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Writer {
    pub(crate) stage: Stage,
    pub(crate) version: Version,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Stage {
    Idle,
    /// On its way to Redis, or with an answer on its way back.
    Sent {
        settling: Settling<Ago>,
        ran: bool,
    },
    /// Confirmed, and waiting until it has settled.
    Settling(Settling<Ago>),
    /// It has returned, its invalidation waits in the journal of its process, or was sent again.
    Journaled {
        ran: bool,
    },
    Done,
}

impl Reader {
    pub(crate) const IDLE: Self = Self {
        phase: Phase::Idle,
        tickets: [Ticket { era: 0, drops: 0 }; ITEMS],
        sent: NOW,
        seen: [None; ITEMS],
    };
}

impl Process {
    fn new() -> Self {
        Self {
            link: Link::new(),
            shards: [Shard::default(); ITEMS],
            kept: [None; ITEMS],
            up: Queue::EMPTY,
            down: Queue::EMPTY,
            ping: None,
            cut: false,
            moved: false,
            told: false,
            own: 0,
        }
    }
}

impl Moment {
    /// The value is cached, and nobody has read it.
    pub(crate) fn initial(tagged: bool) -> Self {
        let generation = u8::from(tagged);
        let entry = Entry {
            version: 0,
            generation,
        };
        let server = |key| Server {
            key,
            generation,
            tracked: [[false; ITEMS]; PROCESSES],
            unsent: false,
        };
        Self {
            row: 0,
            servers: [server(Some(entry)), server(None)],
            owner: Owner::First,
            processes: [Process::new(); PROCESSES],
            readers: [Reader::IDLE; READERS],
            writers: [Writer {
                stage: Stage::Idle,
                version: 0,
            }; WRITERS],
            returned: [None; WRITERS],
            settled: 0,
        }
    }

    /// Every generation that is remembered somewhere.
    fn generations(&mut self) -> impl Iterator<Item = &mut Generation> {
        let kept =
            (self.processes.iter_mut()).flat_map(|process| process.kept.iter_mut().flatten());
        let seen = (self.readers.iter_mut()).flat_map(|reader| reader.seen.iter_mut().flatten());
        let servers = self.servers.iter_mut();
        servers
            .flat_map(
                |Server {
                     key, generation, ..
                 }| {
                    let key = key.iter_mut().map(|entry| &mut entry.generation);
                    [generation].into_iter().chain(key)
                },
            )
            .chain(kept.map(|kept| &mut kept.entry.generation))
            .chain(seen.map(|entry| &mut entry.generation))
    }

    /// Names generations in the order in which they are found: all that matters is which are the same.
    fn rename_generations(&mut self) {
        let (mut names, mut known) = ([0; FRESH as usize + 1], 0);
        for generation in self.generations().filter(|generation| **generation != 0) {
            let name = &mut names[usize::from(*generation)];
            if *name == 0 {
                known += 1;
                *name = known;
            }
            *generation = *name;
        }
    }

    /// The same moment, of those that cannot be told apart: what is void is gone, and counters that only
    /// have to differ are small.
    pub(crate) fn tidied(mut self, level: &Level) -> Self {
        let old = Ago(level.delta + 1);
        if level.tagged {
            self.rename_generations();
        }
        for (reader, home) in self.readers.iter_mut().zip(level.readers) {
            let Some(process) = home.map(|home| &self.processes[home]) else {
                continue;
            };
            for (item, ticket) in reader.tickets.iter_mut().enumerate() {
                let shard = process.shards[level.ticket_of(item)];
                ticket.era = apart(ticket.era, process.link.era);
                ticket.drops = apart(ticket.drops, shard.drops);
            }
        }
        for process in &mut self.processes {
            let era = process.link.era;
            for kept in &mut process.kept {
                *kept = kept.filter(|kept| kept.life.era == era);
                if let Some(Kept { life, .. }) = kept {
                    life.era = 0;
                    // The newer of the two counts, and the horizon gets no older.
                    if process.link.horizon >= Some(life.sent) {
                        life.sent = old;
                    }
                }
            }
            process.link.era = 0;
            process.link.horizon = process.link.horizon.filter(|then| *then > old);
            process.shards = [Shard::default(); ITEMS];
        }
        self
    }

    /// The clock of `process` goes on.
    pub(crate) fn ages_of(&mut self, process: usize) -> impl Iterator<Item = &mut Ago> {
        let process = &mut self.processes[process];
        let kept = process.kept.iter_mut().flatten();
        kept.map(|kept| &mut kept.life.sent)
            .chain(&mut process.link.horizon)
            .chain(&mut process.ping)
    }
}

/// 0 for what is `current`, and what no counter reaches for what is not.
fn apart(counter: u32, current: u32) -> u32 {
    match counter == current {
        true => 0,
        false => u32::MAX,
    }
}

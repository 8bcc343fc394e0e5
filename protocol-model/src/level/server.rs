//! What the server of the key runs, and whom it tells.

use super::state::{Command, Entry, FRESH, Message, Owner, Phase, Server};
use super::{ITEMS, KEY, Moment, Next, PROCESSES, READERS, Steps, TAG, Tracking};
use crate::event::{What, Who};
use crate::step::Did;

/// The commands that have arrived, and what others do to the key.
pub(super) fn steps(steps: &mut Steps<'_>) {
    for process in 0..PROCESSES {
        if let Some(command) = steps.now.processes[process].up.first()
            && steps.answers(steps.now.server_of(process))
        {
            steps.add(Who::World, |next| next.runs(process, command));
        }
    }
    for reader in 0..READERS {
        let Phase::Waits(waits) = steps.now.readers[reader].phase else {
            continue;
        };
        for item in (0..ITEMS).filter(|item| waits[*item] && steps.level.elsewhere[*item]) {
            steps.add(Who::Reader(reader), |next| {
                next.reads_elsewhere(reader, item)
            });
        }
    }
    if steps.now.servers.iter().any(|server| server.unsent) {
        steps.add(Who::World, |next| next.announces());
    }
    fill_steps(steps);
}

/// Somebody loads, and fills.
fn fill_steps(steps: &mut Steps<'_>) {
    let owner = steps.now.owner();
    let version = steps.now.row;
    let Server {
        key, generation, ..
    } = steps.now.servers[owner];
    let dead = |entry: Entry| entry.generation != generation;
    let old = |entry: Entry| entry.version != version && steps.level.refreshes;
    let what = match key {
        None => What::Stored,
        Some(entry) if dead(entry) => What::TakesOverDead,
        Some(entry) if old(entry) => What::RefreshStored,
        Some(_) => return,
    };
    steps.add(Who::World, |next| {
        let generation = next.generation(owner);
        let entry = Entry {
            version,
            generation,
        };
        next.sets(owner, Some(entry), Some(0));
        what.of(version)
    });
}

impl Steps<'_> {
    /// Whether answers leave the server: where announcements go first, not before those.
    pub(super) fn answers(&self, server: usize) -> bool {
        let overtaken = matches!(self.level.tracking, Tracking::Broadcast { overtaken: true });
        overtaken || !self.now.servers[server].unsent
    }
}

impl Moment {
    /// The server that runs commands on the key.
    pub(super) fn owner(&self) -> usize {
        usize::from(self.owner != Owner::First)
    }

    /// The server that the link of a process goes to.
    pub(super) fn server_of(&self, process: usize) -> usize {
        usize::from(self.processes[process].moved)
    }

    fn has_lost(&self, server: usize) -> bool {
        server == 0 && self.owner == Owner::Known
    }
}

impl Next<'_> {
    fn runs(&mut self, process: usize, command: Command) -> Did {
        let server = self.state.server_of(process);
        let lost = self.state.has_lost(server);
        self.state.processes[process].up.pop();
        let (message, did) = match command {
            Command::Ping => (Message::Pong { lost }, What::PingRuns.into()),
            Command::Get { reader, .. } if lost => {
                (Message::Redirect { reader }, What::Redirects.into())
            }
            Command::Get { reader, item } => {
                let did = self.reads(server, usize::from(reader), usize::from(item));
                self.state.servers[server].tracked[process][usize::from(item)] = true;
                (Message::Reply { reader, item }, did)
            }
        };
        self.state.processes[process].down.push(message);
        did
    }

    fn reads(&mut self, server: usize, reader: usize, item: usize) -> Did {
        let Server {
            key, generation, ..
        } = self.state.servers[server];
        let seen = match (item, key) {
            (KEY, entry) => entry,
            (TAG, _) if generation != 0 => Some(Entry {
                version: 0,
                generation,
            }),
            _ => None,
        };
        self.state.readers[reader].seen[item] = seen;
        match seen {
            Some(entry) if item == KEY => What::GetRuns.of(entry.version),
            Some(_) => What::GetRunsOnTag.into(),
            None => What::GetRunsInVain.into(),
        }
    }

    /// Over another connection, whose answers have an order of their own.
    fn reads_elsewhere(&mut self, reader: usize, item: usize) -> Did {
        let did = self.reads(self.state.owner(), reader, item);
        let (level, sent) = (self.level, self.state.readers[reader].sent);
        if let Some(home) = level.readers[reader] {
            let link = &mut self.state.processes[home].link;
            link.answered_elsewhere(level, sent, super::state::NOW);
        }
        self.wakes(reader, item);
        did
    }

    /// The tag's generation; where there is none, a new one.
    fn generation(&mut self, server: usize) -> u8 {
        if self.level.tagged && self.state.servers[server].generation == 0 {
            self.state.servers[server].generation = FRESH;
            self.changes(server, TAG, Some(0));
        }
        self.state.servers[server].generation
    }

    /// By this process, if by one at all.
    pub(super) fn sets(&mut self, server: usize, key: Option<Entry>, by: Option<usize>) {
        if self.state.servers[server].key != key {
            self.state.servers[server].key = key;
            self.changes(server, KEY, by);
        }
    }

    pub(super) fn unlinks_tag(&mut self, server: usize, by: Option<usize>) {
        if std::mem::take(&mut self.state.servers[server].generation) != 0 {
            self.changes(server, TAG, by);
        }
    }

    pub(super) fn flushes(&mut self, server: usize) {
        let Server {
            key,
            generation,
            tracked,
            ..
        } = &mut self.state.servers[server];
        (*key, *generation) = (None, 0);
        *tracked = [[false; ITEMS]; PROCESSES];
        for process in 0..PROCESSES {
            self.tells(server, process, Message::Flushed);
        }
    }

    /// Announces a change, or is going to.
    fn changes(&mut self, server: usize, item: usize, by: Option<usize>) {
        match self.level.tracking {
            Tracking::Broadcast { .. } => self.state.servers[server].unsent = true,
            Tracking::Read | Tracking::NoLoop => {
                for process in 0..PROCESSES {
                    self.forgets(server, process, item, by);
                }
            }
        }
    }

    /// Forgets that it has told a process this item, which it announces, unless that process has changed it.
    pub(super) fn forgets(
        &mut self,
        server: usize,
        process: usize,
        item: usize,
        by: Option<usize>,
    ) {
        let tracked = &mut self.state.servers[server].tracked[process][item];
        let own = self.level.tracking == Tracking::NoLoop && by == Some(process);
        if std::mem::take(tracked) && !own {
            self.tells(server, process, Message::Changed(item as u8));
        }
    }

    fn announces(&mut self) -> What {
        for server in 0..self.state.servers.len() {
            if std::mem::take(&mut self.state.servers[server].unsent) {
                for process in 0..PROCESSES {
                    self.tells(server, process, Message::Changed(KEY as u8));
                }
            }
        }
        What::Announces
    }

    fn tells(&mut self, server: usize, process: usize, message: Message) {
        if self.state.server_of(process) == server && !self.state.processes[process].cut {
            self.state.processes[process].down.push(message);
        }
    }
}

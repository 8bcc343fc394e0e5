//! What the server of the key runs, and whom it tells.

use super::message::{Command, Message};
use super::state::{Entry, FRESH, NOW, Owner, Phase, Server};
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
    // Those who load an entry of the tag create its generation first, be it this entry or another one.
    if steps.level.tagged && generation == 0 {
        return steps.add(Who::World, |next| {
            next.state.servers[owner].generation = FRESH;
            next.changes(owner, TAG, Some(0));
            What::CreatesGeneration
        });
    }
    steps.add(Who::World, |next| {
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

    fn knows_of_election(&self, server: usize) -> bool {
        server == 0 && matches!(self.owner, Owner::Elected | Owner::Known)
    }
}

impl Next<'_> {
    fn runs(&mut self, process: usize, command: Command) -> Did {
        let server = self.state.server_of(process);
        let lost = self.state.has_lost(server);
        let elected = self.state.knows_of_election(server);
        self.state.processes[process].up.pop();
        let (message, did) = match command {
            Command::Ping => (Message::Pong { elected }, What::PingRuns.into()),
            Command::Get(_) if lost => (Message::Redirect, What::Redirects.into()),
            Command::Get(reader) => {
                let level = self.level;
                for item in level.items().filter(|item| !level.elsewhere[*item]) {
                    self.reads(server, usize::from(reader), item);
                    self.state.servers[server].tracked[process][item] = true;
                }
                let did = match self.state.readers[usize::from(reader)].seen[KEY] {
                    Some(entry) => What::GetRuns.of(entry.version),
                    None => What::GetRunsInVain.into(),
                };
                (Message::Reply(reader), did)
            }
        };
        self.state.processes[process].down.push(message);
        did
    }

    fn reads(&mut self, server: usize, reader: usize, item: usize) {
        let Server {
            key, generation, ..
        } = self.state.servers[server];
        let tag = Entry {
            version: 0,
            generation,
        };
        self.state.readers[reader].seen[item] = match item {
            KEY => key,
            _ => Some(tag).filter(|tag| tag.generation != 0),
        };
    }

    /// Over another connection, whose answers have an order of their own.
    fn reads_elsewhere(&mut self, reader: usize, item: usize) -> Did {
        self.reads(self.state.owner(), reader, item);
        let (level, sent) = (self.level, self.state.readers[reader].sent);
        if let Some(home) = level.readers[reader] {
            let link = &mut self.state.processes[home].link;
            link.answered_elsewhere(level, sent, NOW);
        }
        self.wakes(reader, |arrived| arrived == item);
        What::ReadsElsewhere.into()
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

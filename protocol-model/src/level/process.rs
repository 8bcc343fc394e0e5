//! What a process keeps, serves and hears.

use super::message::{Command, Message, Queue};
use super::state::{Entry, Kept, NOW, Phase, Process, Reader, Stage};
use super::{KEY, Level, Moment, Move, Next, Steps, TAG, WRITERS};
use crate::event::{What, Who};
use crate::local::{Life, Notice, Origin, Rule, Rules, Voids, is_current};
use crate::state::Version;
use crate::step::Did;

/// Without an end of its own: no row is about it.
const LONG: u8 = u8::MAX;

/// What a process does by itself, and hears over its link.
pub(super) fn steps(steps: &mut Steps<'_>, process: usize) {
    let me = Who::Process(process);
    steps.hit(process);
    let Process {
        down, ping, cut, ..
    } = steps.now.processes[process];
    if cut {
        return steps.add(me, |next| next.reconnects(process));
    }
    if ping.is_none() {
        steps.add(me, |next| next.pings(process));
    }
    if let Some(message) = down.first() {
        steps.add(me, |next| next.hears(process, message));
    }
}

/// What a reader does that the level cannot serve.
pub(super) fn read_steps(steps: &mut Steps<'_>, reader: usize) {
    let me = Who::Reader(reader);
    let Some(home) = steps.level.readers[reader] else {
        return;
    };
    let process = &steps.now.processes[home];
    // Those that are alike start in one order.
    let twin = reader > 0
        && steps.level.readers[0] == Some(home)
        && steps.now.readers[0].phase == Phase::Idle;
    let misses = || steps.level.serves(steps.now, home).is_none();
    match steps.now.readers[reader].phase {
        Phase::Idle
            if !twin && !process.cut && !steps.level.is_barred(steps.now, home) && misses() =>
        {
            steps.add(me, |next| next.asks(reader, home));
        }
        Phase::Idle | Phase::Waits(_) => {}
        Phase::Woken => steps.add(me, |next| next.keeps(reader, home)),
    }
}

impl Level {
    /// Whether an invalidation waits in the journal of this process.
    fn is_barred(&self, now: &Moment, process: usize) -> bool {
        let waits = |writer: usize| {
            self.writers[writer].is_some_and(|write| write.home == process)
                && matches!(now.writers[writer].stage, Stage::Journaled { .. })
        };
        (0..WRITERS).any(waits)
    }

    /// What a read is given in this process without asking.
    pub(super) fn serves(&self, now: &Moment, process: usize) -> Option<Version> {
        if self.is_barred(now, process) && self.follows(Rule::HeedsJournal) {
            return None;
        }
        let Process { link, kept, .. } = &now.processes[process];
        let usable = |item: usize| {
            let kept = kept[item]?;
            let lasts = kept.life.lasts(self, link, NOW, self.delta);
            lasts.then_some(kept.entry)
        };
        let entry = usable(KEY)?;
        let generation = |kept: Entry| kept.generation;
        let stands = !self.tagged
            || is_current(
                self,
                &entry.generation,
                usable(TAG).map(generation).as_ref(),
            );
        stands.then_some(entry.version)
    }
}

impl Next<'_> {
    fn at(&mut self, process: usize) -> &mut Process {
        &mut self.state.processes[process]
    }

    fn asks(&mut self, reader: usize, home: usize) -> What {
        let mut waits = [false; super::ITEMS];
        for item in self.level.items() {
            waits[item] = true;
            let process = &mut self.state.processes[home];
            let ticket = process.shards[self.level.ticket_of(item)].ticket(&process.link);
            self.state.readers[reader].tickets[item] = ticket;
        }
        if !self.level.elsewhere[KEY] {
            self.at(home).up.push(Command::Get(reader as u8));
        }
        self.state.readers[reader].phase = Phase::Waits(waits);
        What::AsksOverLink
    }

    fn pings(&mut self, process: usize) -> What {
        let process = self.at(process);
        process.ping = Some(NOW);
        process.up.push(Command::Ping);
        What::Pings
    }

    fn hears(&mut self, process: usize, message: Message) -> Did {
        self.at(process).down.pop();
        match message {
            Message::Reply(reader) => {
                let reader = usize::from(reader);
                let (level, sent) = (self.level, self.state.readers[reader].sent);
                self.at(process).link.answered(level, sent, NOW);
                self.wakes(reader, |item| !level.elsewhere[item])
            }
            Message::Redirect => self.moves(process, What::IsRedirected).into(),
            Message::Pong { elected } => {
                let sent = self.at(process).ping.take().unwrap_or(NOW);
                let level = self.level;
                self.at(process).link.answered(level, sent, NOW);
                let is_news = elected && !self.at(process).told;
                match level.moves.filter(|moves| moves.asked && is_news) {
                    Some(Move {
                        elected_first: true,
                        ..
                    }) => self.hears_of_election(process).into(),
                    Some(_) => self.moves(process, What::HearsOfMove).into(),
                    None => What::IsAnswered.into(),
                }
            }
            Message::Changed(item) => {
                self.notes(process, Notice::Changed(usize::from(item)));
                What::HearsOfChange.into()
            }
            Message::Flushed => {
                self.notes(process, Notice::Flushed);
                What::HearsOfFlush.into()
            }
        }
    }

    /// What it has waited for has arrived, of these items.
    pub(super) fn wakes(&mut self, reader: usize, arrived: impl Fn(usize) -> bool) -> Did {
        let Reader { phase, seen, .. } = &mut self.state.readers[reader];
        if let Phase::Waits(waits) = phase {
            for (item, waits) in waits.iter_mut().enumerate() {
                *waits &= !arrived(item);
            }
            if *waits == [false; super::ITEMS] {
                *phase = Phase::Woken;
            }
        }
        match seen[KEY].filter(|_| arrived(KEY)) {
            Some(entry) => What::ReplyWakes.of(entry.version),
            None => What::ReplyWakesWithout.into(),
        }
    }

    /// Voids what a notice says.
    pub(super) fn notes(&mut self, process: usize, notice: Notice<usize>) {
        let voids = notice.voids(self.level);
        let process = self.at(process);
        match voids {
            Voids::Nothing => {}
            Voids::Item(item) => {
                process.shards[item].void();
                process.kept[item] = None;
            }
            Voids::All => process.link.void(),
        }
    }

    fn reconnects(&mut self, process: usize) -> What {
        self.notes(process, Notice::Lost);
        self.connects(process);
        What::NoticesLoss
    }

    /// It leaves nothing that was read, and goes on asking the same server.
    fn hears_of_election(&mut self, process: usize) -> What {
        self.notes(process, Notice::Moved);
        self.at(process).told = true;
        What::HearsOfMove
    }

    /// It is told of another server on any connection, and leaves the one it has.
    pub(super) fn moves(&mut self, process: usize, what: What) -> What {
        self.notes(process, Notice::Moved);
        self.at(process).moved = true;
        self.connects(process);
        what
    }

    /// A new link. Whoever waits for an answer of the old one is told that there is none.
    fn connects(&mut self, process: usize) {
        let homes = self.level.readers;
        for (reader, _) in
            (self.state.readers.iter_mut().zip(homes)).filter(|at| at.1 == Some(process))
        {
            if matches!(reader.phase, Phase::Waits(_)) {
                *reader = Reader::IDLE;
            }
        }
        for server in &mut self.state.servers {
            server.tracked[process] = [false; super::ITEMS];
        }
        let process = self.at(process);
        (process.up, process.down) = (Queue::EMPTY, Queue::EMPTY);
        (process.ping, process.cut) = (None, false);
    }

    /// The task of a reader runs, and what it was told is kept.
    fn keeps(&mut self, reader: usize, home: usize) -> Did {
        let Reader { seen, .. } = self.state.readers[reader];
        let generation = seen[TAG].map_or(0, |entry| entry.generation);
        let live = seen[KEY].filter(|entry| entry.generation == generation);
        let mut kept = false;
        for item in self.level.items() {
            let found = if item == KEY { live } else { seen[item] };
            kept |= self.keeps_item(reader, home, item, found);
        }
        self.state.readers[reader] = Reader::IDLE;
        match (live, kept) {
            (Some(entry), true) => What::Keeps.of(entry.version),
            (Some(entry), false) => What::KeepsNotVoided.of(entry.version),
            (None, true) => What::KeepsLoaded.of(self.state.row),
            (None, false) => What::GoesOnBelow.into(),
        }
    }
}

impl Next<'_> {
    /// Keeps an item; where nothing was found, what this reader has loaded, if no rule forbids that.
    fn keeps_item(
        &mut self,
        reader: usize,
        home: usize,
        item: usize,
        found: Option<Entry>,
    ) -> bool {
        let Reader { tickets, sent, .. } = self.state.readers[reader];
        let (origin, loaded) = match found {
            None if item == TAG => return false,
            None => (Origin::Load, Some(self.loaded(reader))),
            Some(_) => (Origin::Read, None),
        };
        let level = self.level;
        let process = self.at(home);
        let link = process.link;
        let keeps =
            process.shards[level.ticket_of(item)].keeps(level, &link, tickets[item], origin);
        if let Some(entry) = found.or(loaded).filter(|_| keeps) {
            let life = Life::new(level, &link, sent, LONG, LONG);
            process.kept[item] = Some(Kept { entry, life });
        }
        keeps
    }

    fn loaded(&self, reader: usize) -> Entry {
        let generation = self.state.readers[reader].seen[TAG].map_or(0, |entry| entry.generation);
        Entry {
            version: self.state.row,
            generation,
        }
    }
}

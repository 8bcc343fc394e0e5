//! A writer: commit, and make it known.

use crate::actor::{Attempt, Stage, Stamp, Tag};
use crate::config::{Config, Failover, Journal, Promise, Way};
use crate::event::{What, Who};
use crate::server::{self, bit};
use crate::state::{Key, State, Version, WRITERS};
use crate::step::{Did, Next, Steps};
use crate::{pattern, transaction};

/// What a writer can do.
pub(crate) fn steps(steps: &mut Steps<'_>, writer: usize) {
    let me = Who::Writer(writer);
    let connected = steps.reaches_redis(steps.config.writer_home[writer]);
    let way = steps.config.writers[writer];
    match steps.now.writers[writer].stage {
        Stage::Idle if !steps.config.may_write(steps.now, writer) => {}
        Stage::Idle if way.is_inside() => steps.add(me, |next| {
            next.stage(writer, Stage::Begun);
            What::OpensTransaction
        }),
        Stage::Begun | Stage::Collected if way.is_inside() => {
            transaction::steps(steps, writer, connected);
        }
        Stage::Idle if way.begins() || matches!(way, Way::DeleteBefore | Way::DeleteTwice) => {
            if connected {
                steps.add(me, |next| next.prepare(writer, way));
            }
        }
        Stage::Idle | Stage::Begun | Stage::Collected => {
            steps.add(me, |next| next.commit(writer));
            begin_again(steps, writer, connected);
        }
        Stage::Committed => {
            committed(steps, writer, connected);
            begin_again(steps, writer, connected);
        }
        Stage::Found(attempt) => pattern::steps(steps, writer, connected, attempt),
        Stage::Answering(_) if way == Way::DeleteTwice => steps.add(me, |next| {
            next.stage(writer, Stage::Between);
            What::DeletesAgain
        }),
        Stage::Answering(attempt) => steps.add(me, |next| next.heard(writer, attempt)),
        Stage::Between if connected => steps.add(me, |next| {
            next.state.key = Key::Absent;
            next.confirmed(writer, What::Returns)
        }),
        Stage::Journaled => journaled(steps, writer, connected),
        Stage::FoundAgain(attempt) if connected => steps.add(me, |next| {
            next.announce_after(writer, way);
            next.stage(writer, Stage::Replayed(attempt));
            What::Replays
        }),
        Stage::Replayed(attempt) => steps.add(me, |next| next.replayed(writer, attempt)),
        Stage::Done if steps.config.dying[writer] && steps.config.failover.is_some() => {
            steps.add(me, |next| next.die(writer, What::DiesLater));
        }
        Stage::Between | Stage::FoundAgain(_) | Stage::Done | Stage::Dead => {}
    }
}

/// A put whose tombstone has run out bars fills again.
fn begin_again(steps: &mut Steps<'_>, writer: usize, connected: bool) {
    let at = steps.now.writers[writer];
    let puts = matches!(steps.config.writers[writer], Way::Put { .. });
    let stands =
        matches!(steps.now.key, Key::Tombstone { writers, .. } if writers & bit(writer) != 0);
    if puts && at.stage != Stage::Idle && steps.config.short_hold && connected && !stands {
        steps.add(Who::Writer(writer), |next| {
            server::begin(&mut next.state.key, writer);
            next.state.writers[writer].lapsed = true;
            What::BeginsAgain
        });
    }
}

fn committed(steps: &mut Steps<'_>, writer: usize, connected: bool) {
    let me = Who::Writer(writer);
    let way = steps.config.writers[writer];
    if connected && steps.config.scans[writer] {
        steps.add(me, |next| next.scan(writer, Stage::Found, Stage::Answering));
    } else if connected {
        steps.add(me, |next| {
            let attempt = next.attempt(writer);
            next.stage(writer, Stage::Answering(attempt));
            next.make_known(writer, way)
        });
    }
    if steps.config.journal.is_some() {
        steps.add(me, |next| next.journal(writer, What::IsJournaled));
    }
    if steps.config.dying[writer] {
        steps.add(me, |next| {
            next.stage(writer, Stage::Dead);
            What::Dies
        });
    }
}

fn journaled(steps: &mut Steps<'_>, writer: usize, connected: bool) {
    let me = Who::Writer(writer);
    let way = steps.config.writers[writer];
    if connected && steps.config.scans[writer] {
        steps.add(me, |next| {
            next.scan(writer, Stage::FoundAgain, Stage::Replayed)
        });
    } else if connected {
        steps.add(me, |next| {
            let attempt = next.attempt(writer);
            next.announce_after(writer, way);
            next.stage(writer, Stage::Replayed(attempt));
            What::Replays
        });
        steps.add(me, |next| {
            next.announce_after(writer, way);
            What::ReplayUnheard
        });
    }
    if steps.config.dying[writer] {
        steps.add(me, |next| next.die(writer, What::DiesJournaled));
    }
}

impl Config {
    /// Writers that are alike start in one order, as readers do.
    fn may_write(&self, state: &State, writer: usize) -> bool {
        let twin = writer == 1
            && self.writers[0] == self.writers[1]
            && self.writer_home[0] == self.writer_home[1]
            && self.dying[0] == self.dying[1];
        self.writers[writer] != Way::Nothing && !(twin && state.writers[0].stage == Stage::Idle)
    }
}

impl Next<'_> {
    pub(crate) fn stage(&mut self, writer: usize, stage: Stage) {
        self.state.writers[writer].stage = stage;
    }

    /// What comes before the commit.
    fn prepare(&mut self, writer: usize, way: Way) -> What {
        self.stage(writer, Stage::Begun);
        let key = &mut self.state.key;
        let beside = matches!(key, Key::Tombstone { writers, .. } if *writers != 0);
        match way {
            Way::TwoPhaseOfOne => server::begin_unguarded(key, writer),
            _ if way.begins() => server::begin(key, writer),
            _ => {
                *key = Key::Absent;
                return What::DeletesFirst;
            }
        }
        if beside {
            What::BeginsBeside
        } else {
            What::Begins
        }
    }

    pub(crate) fn commit(&mut self, writer: usize) -> Did {
        self.state.row += 1;
        self.state.writers[writer].version = self.state.row;
        self.stage(writer, Stage::Committed);
        What::Commits.of(self.state.row)
    }

    /// The command that follows the commit runs.
    pub(crate) fn make_known(&mut self, writer: usize, way: Way) -> Did {
        let version = self.state.writers[writer].version;
        let value = Key::Value {
            token: self.state.fresh_token(),
            version,
            stamp: Stamp {
                epoch: self.state.server,
                tag: Tag::Unknown,
            },
            stale: false,
        };
        let hold = if self.config.hold_off { version } else { 0 };
        match way {
            Way::Nothing | Way::DeleteBefore | Way::BeforeCommit => What::NothingMore.into(),
            Way::DeleteTwice => {
                self.state.key = Key::Absent;
                What::Invalidates.into()
            }
            Way::Invalidate | Way::AfterCommit => self.invalidate(hold).into(),
            Way::InvalidateTag => self.change_tag().into(),
            Way::Store => {
                self.state.key = value;
                What::StoresWritten.of(version)
            }
            Way::TwoPhaseOfOne => {
                server::end_unguarded(&mut self.state.key, writer);
                self.ended().into()
            }
            Way::TwoPhase => self.end(writer, hold).into(),
            Way::Put { heeds_lapse, .. } if heeds_lapse && self.state.writers[writer].lapsed => {
                self.end(writer, hold);
                What::PutRefused.of(version)
            }
            Way::Put { .. } if self.waits_for_replay(writer) => {
                self.end(writer, hold);
                What::PutEndsJournaled.of(version)
            }
            Way::Put { heeds_taint, .. } => {
                match server::put(&mut self.state.key, writer, value, heeds_taint) {
                    true => What::PutsWritten.of(version),
                    false => What::PutRefused.of(version),
                }
            }
        }
    }

    /// What a replay does: of a write in two phases nothing but its invalidation is kept, and its
    /// tombstone runs out by itself.
    fn announce_after(&mut self, writer: usize, way: Way) -> Did {
        match way {
            Way::TwoPhase | Way::Put { .. } => {
                let version = self.state.writers[writer].version;
                let hold = if self.config.hold_off { version } else { 0 };
                self.invalidate(hold).into()
            }
            _ => self.make_known(writer, way),
        }
    }

    pub(crate) fn invalidate(&mut self, hold: Version) -> What {
        if !self.config.invalidate_spares_tombstones {
            self.state.key = Key::Absent;
            return What::Invalidates;
        }
        server::invalidate(&mut self.state.key, hold);
        match self.state.key {
            Key::Tombstone { writers, .. } if writers != 0 => What::Taints,
            _ => What::Invalidates,
        }
    }

    fn end(&mut self, writer: usize, hold: Version) -> What {
        let barred = matches!(self.state.key, Key::Tombstone { .. });
        server::end(&mut self.state.key, writer, hold);
        if barred {
            self.ended()
        } else {
            What::EndsWithoutTombstone
        }
    }

    fn ended(&self) -> What {
        match self.state.key {
            Key::Tombstone { writers, .. } if writers != 0 => What::EndsBeside,
            _ => What::Ends,
        }
    }

    /// The invalidation is sent now.
    pub(crate) fn attempt(&self, writer: usize) -> Attempt {
        Attempt {
            epoch: self.state.processes[self.config.writer_home[writer]].epoch,
            for_both: self.journaled_beside(writer).is_some(),
        }
    }

    /// The other writer, if its invalidation is in the journal of the same process.
    fn journaled_beside(&self, writer: usize) -> Option<usize> {
        let home = self.config.writer_home;
        (0..WRITERS)
            .filter(|other| *other != writer && home[*other] == home[writer])
            .find(|other| {
                matches!(
                    self.state.writers[*other].stage,
                    Stage::Journaled | Stage::FoundAgain(_)
                )
            })
    }

    /// Whether a put ends as an invalidation, since the key waits in the journal here.
    fn waits_for_replay(&self, writer: usize) -> bool {
        let ends = |journal: Journal| !journal.puts;
        self.config.journal.is_some_and(ends) && self.journaled_beside(writer).is_some()
    }

    fn heard(&mut self, writer: usize, attempt: Attempt) -> Did {
        match self.counts(writer, attempt) {
            true => self.settled(writer, attempt, What::Returns),
            false => self.journal(writer, What::NotConfirmed),
        }
    }

    fn replayed(&mut self, writer: usize, attempt: Attempt) -> Did {
        match self.counts(writer, attempt) {
            true => self.settled(writer, attempt, What::ReplayAnswered),
            false => self.journal(writer, What::NotReplayed),
        }
    }

    /// Whether an answer says anything about the server there is now.
    fn counts(&self, writer: usize, attempt: Attempt) -> bool {
        let old_answers = match self.config.failover {
            Some(Failover::Replay { old_answers, .. }) => old_answers,
            _ => true,
        };
        let process = self.config.writer_home[writer];
        old_answers || attempt.epoch == self.state.processes[process].epoch
    }

    /// An invalidation is confirmed, and with it those that were in the journal when it was sent.
    fn settled(&mut self, writer: usize, attempt: Attempt, what: What) -> Did {
        let did = self.confirmed(writer, what);
        let journal = self.config.journal;
        match self.journaled_beside(writer) {
            Some(other) if attempt.for_both => self.confirmed(other, What::Settles),
            Some(other) if journal.is_some_and(|journal| journal.clears_newer) => {
                self.stage(other, Stage::Done);
                What::ClearsNewer.into()
            }
            _ => did,
        }
    }

    /// From here on the promise binds.
    fn confirmed(&mut self, writer: usize, what: What) -> Did {
        let version = self.state.writers[writer].version;
        self.stage(writer, Stage::Done);
        self.bind_own_process(writer);
        if self.config.promise == Promise::Everywhere {
            self.state.floor = self.state.floor.max(version);
        }
        what.of(version)
    }

    /// The writer returns without a confirmation.
    pub(crate) fn journal(&mut self, writer: usize, what: What) -> Did {
        self.stage(writer, Stage::Journaled);
        self.bind_own_process(writer);
        what.of(self.state.writers[writer].version)
    }

    pub(crate) fn bind_own_process(&mut self, writer: usize) {
        let process = self.config.writer_home[writer];
        // Which flights are under a tag is not known: those are checked when they land.
        if self.config.writers[writer] != Way::InvalidateTag {
            self.abandon(process);
        }
        let own = &mut self.state.processes[process].floor;
        *own = self.state.writers[writer].version.max(*own);
    }

    /// What the process has promised itself is gone with it.
    fn die(&mut self, writer: usize, what: What) -> What {
        self.state.processes[self.config.writer_home[writer]].floor = 0;
        self.stage(writer, Stage::Dead);
        what
    }
}

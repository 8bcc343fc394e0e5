//! A write: its commit, its invalidation, and when that has returned.

use super::state::{Ago, NOW, Stage};
use super::{KEY, Next, Steps, TAG, Way, Write};
use crate::event::{What, Who};
use crate::local::{Notice, Settled, Settling};
use crate::step::Did;

/// What a writer can do.
pub(super) fn steps(steps: &mut Steps<'_>, writer: usize) {
    let me = Who::Writer(writer);
    let Some(write) = steps.level.writers[writer] else {
        return;
    };
    let answers = steps.answers(steps.now.owner());
    match steps.now.writers[writer].stage {
        Stage::Idle => steps.add(me, |next| next.commits(writer, write)),
        Stage::Sent { settling, ran } => {
            if !ran {
                let ran = Stage::Sent {
                    settling,
                    ran: true,
                };
                steps.add(me, |next| next.invalidates(writer, write, ran));
            } else if answers {
                steps.add(me, |next| next.is_confirmed(writer, write, settling));
            }
            if steps.level.journal {
                steps.add(me, |next| next.defers(writer, write));
            }
        }
        Stage::Settling(settling) => {
            if settling.told(steps.level, NOW, steps.level.delta) == Settled::Yes {
                steps.add(me, |next| next.settles(writer));
            }
        }
        Stage::Journaled { ran: false } => {
            let ran = Stage::Journaled { ran: true };
            steps.add(me, |next| next.invalidates(writer, write, ran));
        }
        Stage::Journaled { ran: true } => steps.add(me, |next| next.is_replayed(writer, write)),
        Stage::Done => {}
    }
}

impl Write {
    fn item(self) -> usize {
        match self.way {
            Way::InvalidateTag => TAG,
            Way::Invalidate | Way::Flush => KEY,
        }
    }
}

impl Next<'_> {
    fn stage(&mut self, writer: usize, stage: Stage) {
        self.state.writers[writer].stage = stage;
    }

    /// And sends its invalidation.
    fn commits(&mut self, writer: usize, write: Write) -> Did {
        self.state.row += 1;
        self.state.writers[writer].version = self.state.row;
        self.notes(write.home, Notice::Sends(write.item()));
        let settling = Settling::Sent(NOW);
        self.stage(
            writer,
            Stage::Sent {
                settling,
                ran: false,
            },
        );
        What::CommitsAndSends.of(self.state.row)
    }

    /// Whoever is sent to another server by the one it knows has heard of the move.
    fn invalidates(&mut self, writer: usize, write: Write, ran: Stage) -> Did {
        let owner = self.state.owner();
        if self.state.server_of(write.home) != owner {
            self.moves(write.home, What::IsRedirected);
        }
        self.stage(writer, ran);
        match write.way {
            Way::Invalidate => self.sets(owner, None, Some(write.home)),
            Way::InvalidateTag => self.unlinks_tag(owner, Some(write.home)),
            Way::Flush => self.flushes(owner),
        }
        What::InvalidationRuns.of(self.state.writers[writer].version)
    }

    fn is_confirmed(&mut self, writer: usize, write: Write, settling: Settling<Ago>) -> Did {
        self.notes(write.home, Notice::Confirmed(write.item()));
        if self.level.settles {
            let settling = settling.confirmed(self.level, NOW);
            self.stage(writer, Stage::Settling(settling));
            return What::WaitsToSettle.into();
        }
        let version = self.returns(writer, write);
        self.stage(writer, Stage::Done);
        What::Returns.of(version)
    }

    /// It has returned: what its own process, and soon all others, must not fall below.
    fn returns(&mut self, writer: usize, write: Write) -> u8 {
        let version = self.state.writers[writer].version;
        self.state.returned[usize::from(version) - 1] = Some(NOW);
        let own = &mut self.state.processes[write.home].own;
        *own = version.max(*own);
        version
    }

    fn settles(&mut self, writer: usize) -> Did {
        let version = self.state.writers[writer].version;
        self.state.settled = version.max(self.state.settled);
        self.stage(writer, Stage::Done);
        What::HasSettled.of(version)
    }

    /// No answer comes: it returns all the same, and binds its own process.
    fn defers(&mut self, writer: usize, write: Write) -> Did {
        let version = self.state.writers[writer].version;
        self.stage(writer, Stage::Journaled { ran: false });
        let own = &mut self.state.processes[write.home].own;
        *own = version.max(*own);
        let told = Settling::Deferred.told(self.level, NOW, self.level.delta);
        if told == Settled::Yes {
            self.state.settled = version.max(self.state.settled);
        }
        What::IsJournaled.of(version)
    }

    fn is_replayed(&mut self, writer: usize, write: Write) -> Did {
        self.notes(write.home, Notice::Confirmed(write.item()));
        let version = self.returns(writer, write);
        self.stage(writer, Stage::Done);
        What::ReplayAnswered.of(version)
    }
}

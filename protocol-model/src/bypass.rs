//! Loads without a lease, and readers that are dropped.

use crate::actor::Phase;
use crate::config::Bypass;
use crate::event::{Flaw, What, Who};
use crate::flight::Landing;
use crate::state::{State, Version};
use crate::step::{Did, Next, Steps, home};

/// What a reader that loads without a lease can do.
pub(crate) fn steps(steps: &mut Steps<'_>, reader: usize) {
    let me = Who::Reader(reader);
    match steps.now.readers[reader].phase {
        Phase::Bypass if steps.config.bypass == Bypass::Each => {
            steps.call(me, |next, version| {
                let flaw = next.returns_loaded(reader, version);
                What::LoadsAlone.of(version).with(flaw)
            });
        }
        Phase::Bypass => steps.add(me, |next| next.queue(reader)),
        // From its start nobody joins a load; nothing else happens between that and its look at
        // the source, so the two are one step.
        Phase::Pending if !steps.now.is_loading_alone(home(reader)) => {
            steps.call(me, |next, version| {
                next.enter(reader, Phase::Answered { version });
                What::LoadsAlone.of(version)
            });
        }
        Phase::Answered { version } => steps.add(me, |next| next.hand_round(reader, version)),
        _ => {}
    }
}

/// A reader may be dropped: its caller is gone, its load failed, or its process was killed.
pub(crate) fn drop_steps(steps: &mut Steps<'_>, reader: usize) {
    let at_work = matches!(
        steps.now.readers[reader].phase,
        Phase::Contend { .. }
            | Phase::LookOn { .. }
            | Phase::Weigh { .. }
            | Phase::Load { .. }
            | Phase::InnerLoad { .. }
            | Phase::InnerFill(_)
            | Phase::HasLoaded(_)
            | Phase::Pending
            | Phase::Answered { .. }
    );
    if steps.config.drops && at_work && !steps.now.dropped {
        steps.add(Who::Reader(reader), |next| {
            next.state.dropped = true;
            next.enter(reader, Phase::Done);
            next.state.readers[reader].floor = 0;
            let flaw = next.land(reader, Landing::Again);
            next.wake(reader, None);
            Did::from(What::Dropped).with(flaw)
        });
    }
}

impl State {
    fn is_loading_alone(&self, process: usize) -> bool {
        self.readers_of(process)
            .any(|(_, other)| matches!(other.phase, Phase::Answered { .. }))
    }
}

impl Next<'_> {
    fn queue(&mut self, reader: usize) -> Did {
        let leader = self
            .state
            .readers_of(home(reader))
            .find(|(_, other)| match other.phase {
                Phase::Pending => true,
                Phase::Answered { .. } => self.config.bypass == Bypass::Running,
                _ => false,
            });
        let (phase, what) = match leader {
            Some((leader, _)) => (
                Phase::Waiting {
                    leader: leader as u8,
                },
                What::Waits,
            ),
            None => (Phase::Pending, What::Queues),
        };
        self.enter(reader, phase);
        what.into()
    }

    fn hand_round(&mut self, reader: usize, version: Version) -> Did {
        let flaw = self.returns_loaded(reader, version);
        let (flaws, shared) = self.wake(reader, Some(version));
        let what = if shared {
            What::SharesAlone
        } else {
            What::ReturnsAlone
        };
        what.of(version).with(flaw.or(flaws))
    }

    /// Those who wait for a load without a lease get its result, or start over.
    fn wake(&mut self, reader: usize, result: Option<Version>) -> (Option<Flaw>, bool) {
        let (mut flaw, mut shared) = (None, false);
        for (other, at) in self.state.readers_of(home(reader)) {
            match (at.phase, result) {
                (Phase::Waiting { leader }, _) if usize::from(leader) != reader => {}
                (Phase::Waiting { .. }, Some(version)) => {
                    flaw = flaw.or(self.returns_loaded(other, version));
                    shared = true;
                }
                (Phase::Waiting { .. }, None) => self.enter(other, Phase::Again),
                _ => {}
            }
        }
        (flaw, shared)
    }
}

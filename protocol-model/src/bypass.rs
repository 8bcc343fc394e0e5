//! Loads without a lease, and readers that are dropped.

use crate::actor::{Phase, Search};
use crate::config::Bypass;
use crate::event::{What, Who};
use crate::flight::Landing;
use crate::read::{Answer, Step};
use crate::state::{State, Version};
use crate::step::{Did, Next, Steps, home};

/// What a reader that loads without a lease can do.
pub(crate) fn steps(steps: &mut Steps<'_>, reader: usize) {
    let me = Who::Reader(reader);
    match steps.now.readers[reader].phase {
        Phase::Search(search) if *search.step() == Step::Queue => match steps.config.bypass {
            Bypass::Each => steps.call(me, |next, version| {
                let flaw = next.returns_loaded(reader, version);
                What::LoadsAlone.of(version).with(flaw)
            }),
            _ => steps.add(me, |next| next.queue(reader, search)),
        },
        // From its start nobody joins a load; nothing else happens between that and its look at
        // the source, so the two are one step.
        Phase::Pending if !steps.now.is_bypassing(home(reader)) => {
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
    let at_work = match steps.now.readers[reader].phase {
        Phase::Search(search) => search.step().leads(),
        Phase::LookOn(_)
        | Phase::Weigh { .. }
        | Phase::Load { .. }
        | Phase::OwnLoaded(_)
        | Phase::InnerLoad { .. }
        | Phase::InnerFill { .. }
        | Phase::HasLoaded(_)
        | Phase::Pending
        | Phase::Answered { .. } => true,
        _ => false,
    };
    if steps.config.drops && at_work && !steps.now.dropped {
        steps.add(Who::Reader(reader), |next| {
            next.state.dropped = true;
            next.enter(reader, Phase::Done);
            next.state.readers[reader].floor = 0;
            let flaw = next.land(reader, Landing::Again);
            Did::from(What::Dropped).with(flaw)
        });
    }
}

impl State {
    fn is_bypassing(&self, process: usize) -> bool {
        self.readers_of(process)
            .any(|(_, other)| matches!(other.phase, Phase::Answered { .. }))
    }
}

impl Next<'_> {
    fn queue(&mut self, reader: usize, mut search: Search) -> Did {
        let leader = self
            .state
            .readers_of(home(reader))
            .find(|(_, other)| match other.phase {
                Phase::Pending => true,
                Phase::Answered { .. } => self.config.bypass == Bypass::Running,
                _ => false,
            });
        let Some((leader, _)) = leader else {
            self.go_on(reader, search, Answer::Lead);
            return What::Queues.into();
        };
        search.steps.next(self.config, Answer::Seat);
        self.seat(reader, search, leader as u8, true);
        What::Waits.into()
    }

    fn hand_round(&mut self, reader: usize, version: Version) -> Did {
        let flaw = self.returns_loaded(reader, version);
        let what = match self.state.leads(reader) {
            true => What::SharesAlone,
            false => What::ReturnsAlone,
        };
        let flaw = flaw.or(self.land(reader, Landing::Shared(version)));
        what.of(version).with(flaw)
    }
}

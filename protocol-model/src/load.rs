//! A load under a lease, its fill, and what becomes of those who wait for it.

use crate::actor::{Loaded, Phase};
use crate::config::{Failover, Sharing};
use crate::event::{What, Who};
use crate::flight::Landing;
use crate::server;
use crate::state::{Epoch, Version};
use crate::step::{Did, Next, Steps, home};

/// What a reader that holds a lease can do.
pub(crate) fn steps(steps: &mut Steps<'_>, reader: usize) {
    let me = Who::Reader(reader);
    let connected = steps.reaches_redis(home(reader));
    match steps.now.readers[reader].phase {
        Phase::Load { token, epoch } => steps.load(me, |next, version| {
            let loaded = Loaded {
                token,
                version,
                epoch,
            };
            next.enter(reader, Phase::HasLoaded(loaded));
            What::Loads.of(version)
        }),
        Phase::HasLoaded(loaded) => steps.add(me, |next| next.send(reader, loaded)),
        Phase::Filling(loaded) => {
            if connected {
                steps.add(me, |next| next.fill(reader, loaded));
            }
            if steps.config.drops && steps.now.leads(reader) {
                steps.add(me, |next| next.lose_answer(reader, Phase::Late(loaded)));
            }
        }
        Phase::Late(loaded) if connected => steps.add(me, |next| next.fill(reader, loaded)),
        Phase::Filled {
            version,
            epoch,
            won,
        } => {
            steps.add(me, |next| next.answered(reader, version, epoch, won));
            if steps.config.drops {
                steps.add(me, |next| next.lose_answer(reader, Phase::Done));
            }
        }
        _ => {}
    }
}

impl Next<'_> {
    /// The caller has its result; the fill goes on without it.
    fn send(&mut self, reader: usize, mut loaded: Loaded) -> Did {
        if let Some(Failover::Epoch {
            noted_late: true, ..
        }) = self.config.failover
        {
            loaded.epoch = self.state.processes[home(reader)].epoch;
        }
        self.close(reader);
        let flaw = self.returns_loaded(reader, loaded.version);
        self.enter(reader, Phase::Filling(loaded));
        What::Fills.of(loaded.version).with(flaw)
    }

    fn fill(&mut self, reader: usize, loaded: Loaded) -> Did {
        let Loaded {
            token,
            version,
            epoch,
        } = loaded;
        let entry = loaded.entry(self.state.fresh_token());
        let won = server::fill(&mut self.state.key, self.config.fill, token, entry);
        let phase = match self.state.leads(reader) {
            true => Phase::Filled {
                version,
                epoch,
                won,
            },
            // Nobody is there to be told.
            false => Phase::Done,
        };
        self.enter(reader, phase);
        let what = if won { What::Stored } else { What::Refused };
        what.of(version)
    }

    fn answered(&mut self, reader: usize, version: Version, epoch: Epoch, won: bool) -> Did {
        self.enter(reader, Phase::Done);
        if !self.is_shared(reader, epoch, won) {
            let flaw = self.land(reader, Landing::Again);
            return What::SharesNot.of(version).with(flaw);
        }
        let flaw = self.land(reader, Landing::Shared(version));
        What::Shares.of(version).with(flaw)
    }

    fn is_shared(&self, reader: usize, epoch: Epoch, won: bool) -> bool {
        let same_server = match self.config.failover {
            Some(Failover::Epoch { shared_across, .. }) => {
                shared_across || epoch == self.state.processes[home(reader)].epoch
            }
            _ => true,
        };
        match self.config.sharing {
            Sharing::Anytime | Sharing::OwnLook | Sharing::Flight { refused: true, .. } => true,
            _ => won && same_server,
        }
    }

    fn lose_answer(&mut self, reader: usize, phase: Phase) -> Did {
        self.enter(reader, phase);
        let flaw = self.land(reader, Landing::Bypass);
        Did::from(What::AnswerLost).with(flaw)
    }
}

//! A load under a lease, its fill, and what becomes of those who wait for it.

use crate::actor::{Loaded, Phase, Stamp};
use crate::config::{Failover, Sharing};
use crate::event::{What, Who};
use crate::flight::Landing;
use crate::server;
use crate::state::{Key, Version};
use crate::step::{Did, Next, Steps, home};
use crate::tag::Stamping;

/// What a reader that holds a lease can do.
pub(crate) fn steps(steps: &mut Steps<'_>, reader: usize) {
    let me = Who::Reader(reader);
    let connected = steps.reaches_redis(home(reader));
    match steps.now.readers[reader].phase {
        Phase::Load { token, stamp } if steps.config.calls_inner() => {
            steps.add(me, |next| next.call_inner(reader, token, stamp));
        }
        Phase::Load { token, stamp } if steps.config.is_to_be_read(stamp) => {
            steps.add(me, |next| {
                let (tag, what) = next.name();
                let stamp = Stamp { tag, ..stamp };
                next.enter(reader, Phase::Load { token, stamp });
                what
            });
        }
        Phase::Load { token, stamp } => steps.load(me, |next, version| {
            let loaded = Loaded {
                token,
                version,
                stamp,
                renews: false,
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
            stamp,
            won,
        } => {
            match steps.config.rereads(stamp, won) {
                true => steps.add(me, |next| next.reread(reader, version, stamp)),
                false => steps.add(me, |next| next.answered(reader, version, stamp, won)),
            }
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
            loaded.stamp.epoch = self.state.processes[home(reader)].epoch;
        }
        if self.config.stamps(Stamping::AtFill) {
            loaded.stamp.tag = self.name().0;
        }
        self.close(reader);
        let flaw = self.returns_loaded(reader, loaded.version);
        self.enter(reader, Phase::Filling(loaded));
        What::Fills.of(loaded.version).with(flaw)
    }

    fn fill(&mut self, reader: usize, loaded: Loaded) -> Did {
        let Loaded { version, stamp, .. } = loaded;
        let marks = self.config.marks(loaded);
        let token = self.state.fresh_token();
        let entry = match marks {
            true => Key::Marker { token },
            false => loaded.entry(token),
        };
        let condition = match loaded.renews {
            true => self.config.refresh_condition(),
            false => self.config.fill,
        };
        let won = server::fill(&mut self.state.key, condition, loaded.token, entry);
        let phase = match self.state.leads(reader) {
            true => Phase::Filled {
                version,
                stamp,
                won,
            },
            // Nobody is there to be told.
            false => Phase::Done,
        };
        self.enter(reader, phase);
        let what = match won {
            true if loaded.renews => What::RefreshStored,
            true if marks => What::Marks,
            true => What::Stored,
            false if loaded.renews => What::RefreshRefused,
            false => What::Refused,
        };
        what.of(version)
    }

    fn answered(&mut self, reader: usize, version: Version, stamp: Stamp, won: bool) -> Did {
        let shared = self.is_shared(reader, stamp, won);
        self.land_shared(reader, version, shared)
    }

    pub(crate) fn land_shared(&mut self, reader: usize, version: Version, shared: bool) -> Did {
        self.enter(reader, Phase::Done);
        if !shared {
            let flaw = self.land(reader, Landing::Again);
            return What::SharesNot.of(version).with(flaw);
        }
        let flaw = self.land(reader, Landing::Shared(version));
        What::Shares.of(version).with(flaw)
    }

    fn is_shared(&self, reader: usize, stamp: Stamp, won: bool) -> bool {
        let same_server = match self.config.failover {
            Some(Failover::Epoch { shared_across, .. }) => {
                shared_across || stamp.epoch == self.state.processes[home(reader)].epoch
            }
            _ => true,
        };
        match self.config.sharing {
            Sharing::Anytime | Sharing::OwnLook | Sharing::Flight { refused: true, .. } => true,
            _ => won && same_server && self.config.shares_unstamped(stamp),
        }
    }

    pub(crate) fn lose_answer(&mut self, reader: usize, phase: Phase) -> Did {
        self.enter(reader, phase);
        let flaw = self.land(reader, Landing::Bypass);
        Did::from(What::AnswerLost).with(flaw)
    }
}

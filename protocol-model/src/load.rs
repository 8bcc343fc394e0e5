//! A load under a lease, its fill, and what becomes of those who wait for it.

use crate::actor::{Loaded, Phase, Stamp, Tag};
use crate::config::Failover;
use crate::event::{What, Who};
use crate::flight::Landing;
use crate::read::{Fill, Sent};
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
            let part = |version| Loaded {
                token,
                version,
                stamp,
                renews: false,
            };
            match steps.config.loads_own() {
                true => steps.load(me, |next, version| {
                    next.enter(reader, Phase::OwnLoaded(part(version)));
                    What::OwnLoads.of(version)
                }),
                false => steps.add(me, |next| next.call_inner(reader, part(Version::MAX))),
            }
        }
        // Of a lease that was taken whatever stood there.
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
            steps.add(me, |next| match next.sent(reader, stamp, won) {
                Fill::Reread => next.reread(reader, version, stamp),
                fill => next.lands(reader, version, fill, false),
            });
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
        if Fill::new(self.config) == Fill::Close {
            self.close(reader);
        }
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

    /// What comes after the answer to a fill.
    fn sent(&self, reader: usize, stamp: Stamp, won: bool) -> Fill {
        let same_server = match self.config.failover {
            Some(Failover::Epoch { shared_across, .. }) => {
                shared_across || stamp.epoch == self.state.processes[home(reader)].epoch
            }
            _ => true,
        };
        let tagged = stamp.tag != Tag::Unknown;
        let sent = match won && same_server {
            false => Sent::Refused,
            true if self.config.tags.is_some() && !tagged => Sent::Marked,
            true => Sent::Stored { tagged },
        };
        Fill::sent(self.config, sent)
    }

    pub(crate) fn lands(&mut self, reader: usize, version: Version, fill: Fill, same: bool) -> Did {
        self.enter(reader, Phase::Done);
        let landing = fill.landing(same, version);
        let flaw = self.land(reader, landing);
        let what = match landing {
            Landing::Shared(_) => What::Shares,
            Landing::Bypass => What::AnswerLost,
            _ => What::SharesNot,
        };
        what.of(version).with(flaw)
    }

    pub(crate) fn lose_answer(&mut self, reader: usize, phase: Phase) -> Did {
        let did = self.lands(reader, 0, Fill::sent(self.config, Sent::Failed), false);
        self.enter(reader, phase);
        did
    }
}

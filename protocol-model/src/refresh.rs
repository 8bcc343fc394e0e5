//! Stores that nobody missed: a stale value that is refreshed, `.refreshed()` and `put`.

use crate::actor::{Loaded, Phase, Search, Stamp};
use crate::config::Config;
use crate::event::{What, Who};
use crate::read::Answer;
use crate::server::{self, Condition};
use crate::state::{Key, Token, Version};
use crate::step::{Did, Next, Steps, home};

/// What a reader that replaces an entry can do.
pub(crate) fn steps(steps: &mut Steps<'_>, reader: usize) {
    let me = Who::Reader(reader);
    let connected = steps.reaches_redis(home(reader));
    match steps.now.readers[reader].phase {
        Phase::FillRight if connected => steps.add(me, |next| next.fill_right(reader)),
        Phase::Seize { stamp } if connected => steps.add(me, |next| next.seize(reader, stamp)),
        Phase::Put { version } if connected => {
            steps.add(me, |next| next.seize_to_put(reader, version));
        }
        Phase::Refresh { token, stamp } => steps.load(me, |next, version| {
            let loaded = Loaded {
                token,
                version,
                stamp,
                renews: true,
            };
            // A caller of `.refreshed()` gets its own load, which is as new as can be.
            next.state.readers[reader].floor = 0;
            next.enter(reader, Phase::Refreshing(loaded));
            What::Refreshes.of(version)
        }),
        Phase::Refreshing(loaded) if connected => {
            steps.add(me, |next| next.replace(reader, loaded));
        }
        _ => {}
    }
}

impl Config {
    /// `.refreshed()` compares tokens whatever stale-while-revalidate does.
    pub(crate) fn refresh_condition(&self) -> Condition {
        self.refresh.unwrap_or(Condition::Token)
    }
}

impl Next<'_> {
    fn fill_right(&mut self, reader: usize) -> Did {
        let epoch = self.state.processes[home(reader)].epoch;
        let tag = self.seen_tag();
        let stamp = Stamp { epoch, tag };
        let dead = (self.config).is_dead(&self.state, self.state.key, home(reader), tag);
        match self.state.key {
            Key::Value { token, version, .. } if !dead => {
                self.enter(reader, Phase::Refresh { token, stamp });
                What::FencedByEntry.of(version)
            }
            _ => {
                self.enter(reader, Phase::Seize { stamp });
                What::FencedByLease.into()
            }
        }
    }

    fn seize(&mut self, reader: usize, stamp: Stamp) -> Did {
        match self.seized(stamp) {
            Some(token) => {
                self.enter(reader, Phase::Load { token, stamp });
                What::Seizes.into()
            }
            None => {
                self.go_on(reader, Search::new(), Answer::Away);
                What::SparesTombstone.into()
            }
        }
    }

    fn seize_to_put(&mut self, reader: usize, version: Version) -> Did {
        let epoch = self.state.processes[home(reader)].epoch;
        let tag = self.seen_tag();
        let stamp = Stamp { epoch, tag };
        self.state.readers[reader].floor = 0;
        match self.seized(stamp) {
            Some(token) => {
                let loaded = Loaded {
                    token,
                    version,
                    stamp,
                    renews: false,
                };
                self.enter(reader, Phase::Late(loaded));
                What::Seizes.into()
            }
            None => {
                self.enter(reader, Phase::Done);
                What::SparesTombstone.into()
            }
        }
    }

    fn seized(&mut self, stamp: Stamp) -> Option<Token> {
        let token = self.state.fresh_token();
        let lease = Key::Lease {
            token,
            epoch: stamp.epoch,
        };
        let spares = self.config.seize_spares_tombstones;
        server::seize(&mut self.state.key, lease, spares).then_some(token)
    }

    fn replace(&mut self, reader: usize, loaded: Loaded) -> Did {
        let entry = loaded.entry(self.state.fresh_token());
        let condition = self.config.refresh_condition();
        let won = server::fill(&mut self.state.key, condition, loaded.token, entry);
        self.enter(reader, Phase::Done);
        let what = if won {
            What::RefreshStored
        } else {
            What::RefreshRefused
        };
        what.of(loaded.version)
    }
}

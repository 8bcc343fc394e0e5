//! Stale-if-error: a value past its TTL is loaded anew before it is served, and served if that fails.
//! It stands there meanwhile, and what was loaded replaces it only if it still does.

use crate::actor::{Loaded, Phase, Search};
use crate::config::IfError;
use crate::event::{What, Who};
use crate::flight::Landing;
use crate::read::{Answer, Step};
use crate::state::{Key, Version};
use crate::step::{Did, Next, Steps, home};

/// What a reader that holds such a value can do.
pub(crate) fn steps(steps: &mut Steps<'_>, reader: usize, search: Search) {
    let me = Who::Reader(reader);
    let connected = steps.reaches_redis(home(reader));
    let Some(kept) = search.kept else { return };
    match search.step() {
        Step::Claim if connected => {
            steps.load(me, |next, version| {
                let loaded = Loaded {
                    token: kept.token,
                    version,
                    stamp: search.stamp,
                    renews: true,
                };
                next.enter(reader, Phase::HasLoaded(loaded));
                What::Renews.of(version)
            });
            steps.add(me, |next| next.load_fails(reader, kept.version));
            steps.add(me, |next| {
                let flaw = next.go_on(reader, search, Answer::Refused);
                Did::from(What::IsRefusedClaim).with(flaw)
            });
        }
        Step::Keep => steps.add(me, |next| next.keep(reader, search, connected)),
        _ => {}
    }
}

impl Next<'_> {
    fn load_fails(&mut self, reader: usize, kept: Version) -> Did {
        let flaw = self.returns(reader, kept);
        let landing = match self.config.if_error {
            Some(IfError::Flight) => Landing::Shared(kept),
            _ => Landing::Again,
        };
        let flaw = flaw.or(self.land(reader, landing));
        What::ServesExpired.of(kept).with(flaw)
    }

    /// The time to wait is over: serves what it holds, if that still stands.
    fn keep(&mut self, reader: usize, mut search: Search, connected: bool) -> Did {
        match (self.state.key, search.kept) {
            (Key::Value { token, version, .. }, Some(kept)) if connected && token == kept.token => {
                let flaw = self.returns(reader, version);
                What::KeepsExpired.of(version).with(flaw)
            }
            _ => {
                search.steps.restart();
                search.kept = None;
                self.enter(reader, Phase::Search(search.tidied()));
                What::LosesExpired.into()
            }
        }
    }
}

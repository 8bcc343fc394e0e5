//! Stale-if-error: a value past its TTL is loaded anew before it is served, and served if that fails.
//! It stands there meanwhile, and what was loaded replaces it only if it still does.

use crate::actor::{Loaded, Phase, Stamp};
use crate::config::IfError;
use crate::event::{What, Who};
use crate::flight::Landing;
use crate::state::{Token, Version};
use crate::step::{Did, Next, Steps};

/// What a reader that has seen such a value can do.
pub(crate) fn steps(
    steps: &mut Steps<'_>,
    reader: usize,
    token: Token,
    kept: Version,
    stamp: Stamp,
) {
    let me = Who::Reader(reader);
    steps.load(me, |next, version| {
        let loaded = Loaded {
            token,
            version,
            stamp,
            renews: true,
        };
        next.enter(reader, Phase::HasLoaded(loaded));
        What::Renews.of(version)
    });
    steps.add(me, |next| next.load_fails(reader, kept));
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
}

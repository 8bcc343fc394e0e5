//! Writes in a transaction: what they invalidate is collected, and sent after the commit. Until that is
//! confirmed, reads in the same process load without the cache. What is read inside is neither stored nor
//! shared, since it may never be committed.

use crate::actor::Stage;
use crate::config::{Call, Config, Way};
use crate::event::{What, Who};
use crate::state::State;
use crate::step::Steps;

/// What the writer of an open transaction can do: collect, then commit, or roll back.
pub(crate) fn steps(steps: &mut Steps<'_>, writer: usize, connected: bool) {
    let me = Who::Writer(writer);
    let early = steps.config.writers[writer] == Way::BeforeCommit;
    match steps.now.writers[writer].stage {
        Stage::Begun if connected || !early => steps.add(me, |next| {
            next.stage(writer, Stage::Collected);
            match early {
                true => next.invalidate(0),
                false => What::Collects,
            }
        }),
        Stage::Collected => steps.add(me, |next| {
            let did = next.commit(writer);
            next.bind_own_process(writer);
            did
        }),
        _ => {}
    }
    if steps.config.transaction.rolls_back {
        steps.add(me, |next| {
            next.stage(writer, Stage::Done);
            What::RollsBack
        });
    }
}

impl Config {
    /// Whether the key is collected, and its invalidation not yet confirmed.
    pub(crate) fn holds(&self, writer: usize, stage: Stage) -> bool {
        let waits = matches!(
            stage,
            Stage::Collected | Stage::Committed | Stage::Found(_) | Stage::Answering(_)
        );
        waits && self.writers[writer].is_inside() && self.transaction.bypassed
    }

    /// Whether this reader is inside of a transaction that has not committed.
    pub(crate) fn is_inside(&self, state: &State, reader: usize) -> bool {
        let open = matches!(state.writers[0].stage, Stage::Begun | Stage::Collected);
        self.readers[reader] == Call::Inside && open
    }
}

//! Invalidations by a pattern: a scan for its keys, and then their removal. What is kept or collected
//! meanwhile is the pattern, since nobody knows all of its keys.

use crate::actor::{Attempt, Stage};
use crate::event::{What, Who};
use crate::state::Key;
use crate::step::{Next, Steps};

/// What a writer that has found a key can do.
pub(crate) fn steps(steps: &mut Steps<'_>, writer: usize, connected: bool, attempt: Attempt) {
    let me = Who::Writer(writer);
    let way = steps.config.writers[writer];
    if connected {
        steps.add(me, |next| {
            next.stage(writer, Stage::Answering(attempt));
            next.make_known(writer, way)
        });
    }
    if steps.config.journal.is_some() {
        steps.add(me, |next| next.journal(writer, What::IsJournaled));
    }
}

impl Next<'_> {
    /// Looks for keys of a pattern. Where there is none, that is all.
    pub(crate) fn scan(
        &mut self,
        writer: usize,
        found: fn(Attempt) -> Stage,
        none: fn(Attempt) -> Stage,
    ) -> What {
        let attempt = self.attempt(writer);
        let (stage, what) = match self.state.key {
            Key::Absent => (none(attempt), What::FindsNoKey),
            _ => (found(attempt), What::FindsKey),
        };
        self.stage(writer, stage);
        what
    }
}

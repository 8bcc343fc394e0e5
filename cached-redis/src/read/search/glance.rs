//! The search of one of many that finds nobody to join. Nearly all of them end with their first look, and need no more
//! than what that is good for: one that goes on is [whole](Lookup::from) from there.

use super::{Answer, Lookup, Over, Seen};
use crate::engine::handle::Inner;
use crate::error::StoreError;
use crate::protocol::journal::Pass;
use crate::protocol::progress::SharedError;
use crate::protocol::read::Search;
use crate::read::trace::Run;
use crate::wire::entry::Live;
use crate::wire::tag::Tags;

/// See the module.
pub(crate) struct Glance {
    pass: Pass,
    run: Run,
}

impl Glance {
    /// `None`: a load may be joined, or there is nothing to look at.
    pub(crate) fn of(inner: &Inner, key: &str, tags: &Tags) -> Option<Self> {
        let pass = inner.journal.pass_all(key, tags.keys())?;
        let is_alone = inner.flights.join(key, || tags.cover()).is_none();
        is_alone.then(|| Self {
            pass,
            run: Run::looking(inner, key),
        })
    }

    /// Where it is, given what stands under the key.
    pub(crate) fn looked(
        &mut self,
        inner: &Inner,
        key: &str,
        seen: Result<Seen, StoreError>,
    ) -> Search<Live, Over, SharedError> {
        let stands = inner.journal.stands(self.pass);
        let answer = seen.map_or(Answer::Away, |seen| Answer::Seen(seen, stands));
        self.run.looked(inner, key, answer)
    }
}

impl Lookup<'_> {
    /// Goes on where that of `glance` is.
    pub(crate) fn from(mut self, glance: Glance, search: Search<Live, Over, SharedError>) -> Self {
        (self.pass, self.run, self.search) = (glance.pass, glance.run, search);
        self
    }
}

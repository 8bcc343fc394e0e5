//! What an entry is compared with before it is served: the generations of its tags; and where the store is
//! asked each time, all that tells it from the entry that stands there.

use super::{Rule, Rules};

/// Whether an entry is of the generations that are kept beside it and may be served. Where one of those is
/// missing, the entry is not served either. Each is an item of its own, with its own ticket and life.
pub(crate) fn is_current<G: PartialEq>(
    rules: &impl Rules<Rule>,
    stamp: &G,
    kept: Option<&G>,
) -> bool {
    kept.is_some_and(|kept| kept == stamp || !rules.follows(Rule::ComparesStamps))
}

/// What tells an entry from every other that has ever stood under its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Stamp<K, G, E> {
    pub(crate) token: K,
    /// Those of its tags.
    pub(crate) generations: G,
    /// Of the server.
    pub(crate) epoch: E,
}

impl<K: PartialEq, G: PartialEq, E: PartialEq> Stamp<K, G, E> {
    /// Whether the entry of this stamp may be served, now that the store has told, after the read began, the
    /// token that stands there, the generations, and the epoch. Such an entry needs no ticket and no clock,
    /// and may be kept wherever it comes from: where its token does not stand, it is not served.
    pub(crate) fn stands(&self, rules: &impl Rules<Rule>, told: &Self) -> bool {
        (self.token == told.token || !rules.follows(Rule::ComparesTokens))
            && (self.generations == told.generations || !rules.follows(Rule::ComparesStamps))
            && (self.epoch == told.epoch || !rules.follows(Rule::ComparesEpochs))
    }
}

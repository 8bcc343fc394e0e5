//! Tags: each generation is an item of its own, with its own ticket and life.

use super::{Rule, Rules};

/// Whether an entry is of the generations that are kept beside it and may be served. Where one of those is
/// missing, the entry is not served either.
pub(crate) fn is_current<G: PartialEq>(rules: &impl Rules, stamp: &G, kept: Option<&G>) -> bool {
    kept.is_some_and(|kept| kept == stamp || !rules.follows(Rule::ComparesStamps))
}

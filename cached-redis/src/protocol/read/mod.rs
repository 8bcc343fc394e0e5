//! What a read does next, without a store, a clock, a lock or a task.
//!
//! [`Search`] goes from a key to an entry, or to the right to load; [`Fill`] from what was loaded to the
//! end of the flight. Whoever drives them takes the step that they name and gives its answer: a single
//! read, a batch with one of them for each of its keys, and the model in `protocol-model/`, which
//! explores all orders. It is built there from this source, so nothing here needs more than `core`.

mod fill;
mod search;
#[cfg(test)]
mod tests;

pub(crate) use fill::{Fill, Sent};
pub(crate) use search::{Answer, Search, Seen, Step};

pub(crate) use super::rules::{AllRules, Rules};

/// How a load ends for those who joined it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "testing", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Landing<L, F> {
    /// Its entry is theirs, too.
    Shared(L),
    /// It failed with an error that can be shared.
    Failed(F),
    /// Nothing to share: look again. Also what a dropped or panicking leader leaves behind.
    Again,
    /// The entry cannot be kept or the store does not answer: do not look again, load.
    Bypass,
}

impl<L, F> Landing<L, F> {
    /// The same for a reader who shares the result, or who has to look for itself.
    pub(crate) fn shared_if(self, shares: bool) -> Self {
        match self {
            Self::Shared(_) | Self::Failed(_) if !shares => Self::Again,
            landing => landing,
        }
    }

    /// The same with what becomes of its entry, if that is of use.
    pub(crate) fn filter_map<M>(self, of: impl FnOnce(L) -> Option<M>) -> Landing<M, F> {
        match self {
            Self::Shared(entry) => of(entry).map_or(Landing::Again, Landing::Shared),
            Self::Failed(error) => Landing::Failed(error),
            Self::Again => Landing::Again,
            Self::Bypass => Landing::Bypass,
        }
    }
}

/// What keeps reads fresh. A broken twin of the model leaves one out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// A key whose invalidation is to be replayed is read without the cache.
    HeedsJournal,
    /// What was looked up across a change of server is looked up again.
    LooksAgain,
    /// What a leader finds is not shared with those who joined: it may be older than they are.
    SharesNoHits,
    /// The generations of the tags are read before the load.
    ReadsTagsFirst,
    /// A flight is closed before its fill is sent.
    ClosesBeforeFill,
    /// A result is shared only if its fill has won.
    SharesOnlyWins,
    /// What only names tags for the next load is not shared.
    SharesNoMarkers,
    /// A result is shared only if its tags have the same generations after the fill.
    RereadsTags,
}

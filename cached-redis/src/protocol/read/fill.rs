//! From what was loaded to the end of the flight.

use super::{Landing, Rule, Rules};

/// What the fill of a result does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "testing", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Fill {
    /// Close the flight: who comes from here on has to look for itself.
    Close,
    /// Send it.
    Send,
    /// Read the generations of its tags again: a lease outlives the invalidation of a tag, so a won fill
    /// alone does not say that those who joined came before it.
    Reread,
    /// Land the flight, with the result, without it, or because the store is of no help.
    Share,
    Again,
    Bypass,
}

/// What became of it in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "testing", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Sent {
    /// It has won; and whether it has tags.
    Stored { tagged: bool },
    /// The same, but it has no value and only names tags for the next load.
    Marked,
    /// Something came in between.
    Refused,
    /// The store did not answer, or does not take it.
    Failed,
}

impl Fill {
    pub(crate) fn new(rules: &impl Rules<Rule>) -> Self {
        match rules.follows(Rule::ClosesBeforeFill) {
            true => Self::Close,
            false => Self::Send,
        }
    }

    /// After it was sent.
    pub(crate) fn sent(rules: &impl Rules<Rule>, sent: Sent) -> Self {
        let shared = match sent {
            Sent::Failed => return Self::Bypass,
            Sent::Stored { tagged: true } if rules.follows(Rule::RereadsTags) => {
                return Self::Reread;
            }
            Sent::Stored { .. } => true,
            Sent::Marked => !rules.follows(Rule::SharesNoMarkers),
            Sent::Refused => !rules.follows(Rule::SharesOnlyWins),
        };
        match shared {
            true => Self::Share,
            false => Self::Again,
        }
    }

    /// How the flight lands, with this entry; `same`: the generations, where they were read again.
    pub(crate) fn landing<L, F>(self, same: bool, entry: L) -> Landing<L, F> {
        match self {
            Self::Share => Landing::Shared(entry),
            Self::Reread => Landing::Shared(entry).shared_if(same),
            Self::Bypass => Landing::Bypass,
            Self::Close | Self::Send | Self::Again => Landing::Again,
        }
    }
}

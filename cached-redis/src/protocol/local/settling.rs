//! When an invalidation has settled: no process serves what it has made outdated.
//!
//! Every command that is sent after it was confirmed finds it done. What was kept by then is served for
//! `delta` at most, since the horizon of a process that has not heard of it is older than the confirmation.

use super::{Rule, Rules, Time, is_over};

/// An invalidation that is to settle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Settling<T> {
    /// It was sent then.
    Sent(T),
    /// It was confirmed then.
    Confirmed(T),
    /// It waits for its replay.
    Deferred,
}

/// What its caller is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    /// Nothing yet.
    Waits,
    /// It has settled.
    Yes,
    /// It will have done so `delta` after its replay.
    Deferred,
}

impl<T: Time> Settling<T> {
    pub(crate) fn confirmed(self, rules: &impl Rules<Rule>, now: T) -> Self {
        match self {
            Self::Sent(then) if !rules.follows(Rule::SettlesFromConfirmation) => {
                Self::Confirmed(then)
            }
            _ => Self::Confirmed(now),
        }
    }

    pub(crate) fn told(self, rules: &impl Rules<Rule>, now: T, delta: T::Span) -> Settled {
        match self {
            Self::Confirmed(then) if is_over(then, now, delta) => Settled::Yes,
            Self::Deferred if rules.follows(Rule::TellsDeferral) => Settled::Deferred,
            Self::Deferred => Settled::Yes,
            Self::Sent(_) | Self::Confirmed(_) => Settled::Waits,
        }
    }
}

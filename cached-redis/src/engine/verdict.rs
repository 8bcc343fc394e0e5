//! Whether a result is stored, and for how long: what the options `unless` and `ttl_with` decide.

use std::time::Duration;

use crate::engine::shape::Shape;

/// What becomes of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is stored for the time that its policy says.
    Store,
    /// It is stored for so long; not at all for no time.
    StoreFor(Duration),
    /// It is not stored.
    Discard,
}

/// The verdict of functions that have none of the options.
pub fn store<T>(_: &T) -> Verdict {
    Verdict::Store
}

/// The option `unless`.
#[must_use]
pub fn unless(unless: bool) -> Verdict {
    match unless {
        true => Verdict::Discard,
        false => Verdict::Store,
    }
}

/// The option `ttl_with`. A known absence has the negative TTL.
pub fn ttl_with<S: Shape>(_: S, ok: &S::Ok, ttl: impl FnOnce(&S::Value) -> Duration) -> Verdict {
    S::value(ok).map_or(Verdict::Store, |value| Verdict::StoreFor(ttl(value)))
}

/// The same of a value of a batch.
pub fn ttl_of<V>(value: &V, ttl: impl FnOnce(&V) -> Duration) -> Verdict {
    Verdict::StoreFor(ttl(value))
}

impl Verdict {
    /// The TTL that comes before the policy's; `said`: what the load says of it. `None`: not to be stored.
    pub(crate) fn ttl(self, said: Option<Duration>) -> Option<Option<Duration>> {
        match self {
            Self::Discard => None,
            Self::StoreFor(ttl) => Some(said.or(Some(ttl))),
            Self::Store => Some(said),
        }
    }

    /// The other verdict, unless this one is to discard.
    #[must_use]
    pub fn and(self, other: impl FnOnce() -> Self) -> Self {
        match self {
            Self::Discard => Self::Discard,
            _ => other(),
        }
    }
}

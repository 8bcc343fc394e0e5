//! What becomes of an invalidation.

/// How an invalidation went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Invalidation {
    /// The store has confirmed it.
    Done,
    /// The store has not confirmed it; whether it has removed the entry is not known. The
    /// invalidation is kept and replayed until it is confirmed. No read in this process that starts
    /// from now on returns an older value, it runs the function instead. Other processes may, until
    /// the replay, or until the TTL if this process ends before it.
    Deferred,
    /// It is sent at the commit: see [`AfterCommit`](crate::AfterCommit).
    Collected,
}

impl Invalidation {
    /// That of two which belong together: done if both are.
    pub(crate) fn and(self, other: Self) -> Self {
        if self == Self::Done { other } else { self }
    }
}

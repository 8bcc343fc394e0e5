//! How calls and fills ended.

/// How the cache answered a call; the [counters](crate::docs::operations#how-a-call-was-answered) tell the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// From the cache.
    Hit,
    /// From the [level in process memory](crate::docs::two_levels), without asking Redis.
    Local,
    /// From the cache, past its TTL and inside a stale window: it is loaded anew behind this call, or
    /// its load has failed or takes longer than the soft timeout.
    Stale,
    /// From a load that another caller, here or in another process, had begun.
    Joined,
    /// The function ran under a lease, whatever came of it: a result that was handed to the cache, one
    /// that is not to be kept, an error, or nothing before the call's `timeout`.
    Miss,
    /// The cache took no part: none is installed, it could not be reached, somebody else's load was
    /// waited for in vain, or the call or its `condition` said so.
    #[default]
    Bypass,
}

/// What became of an entry that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filled {
    Stored,
    /// Something, an invalidation or a new epoch for one, came in between.
    Overtaken,
    /// The lease had run out.
    Lapsed,
}

//! What a store tells about itself, beside the counters of the functions.

/// How a cache and its store get on. [`Stats::store`](crate::stats::Stats::store) has it.
///
/// A `memory://` store is always connected, and what is counted here stays 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreStats {
    /// Whether there is a connection at the moment.
    pub connected: bool,
    /// Whether operations are attempted at the moment.
    pub breaker: BreakerState,
    /// Operations that were sent. One that carries many keys counts once.
    pub attempted: u64,
    /// Operations that failed at once and cost nothing: there was no connection, or the breaker was
    /// open.
    pub rejected: u64,
    /// Operations that were attempted and not answered within the deadline.
    pub timeouts: u64,
    /// Operations that were attempted and lost their connection before the answer.
    pub lost: u64,
    /// Connections made after the first one.
    pub reconnects: u64,
    /// Entries that were met and not served, since they are of another epoch; see
    /// [`OnFailover::Epoch`](crate::OnFailover::Epoch).
    pub outdated: u64,
}

/// The state of the circuit breaker before the store; see
/// [`Builder::breaker_failures`](crate::Builder::breaker_failures).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum BreakerState {
    /// Operations are attempted.
    #[default]
    Closed,
    /// Operations fail at once: the store has stopped answering, or there is no connection.
    Open,
    /// As [`Open`](Self::Open), with a probe on its way to find out whether the store answers.
    HalfOpen,
}

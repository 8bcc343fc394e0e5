//! What a server says of itself when an operator asks.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

/// What one server says of itself; [`Operator::servers`](crate::operator::Operator::servers) asks. What the login
/// may not ask for is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ServerReport {
    /// Its address without user, password and query; `memory` in memory.
    pub server: String,
    /// The lines of `INFO`, by their names.
    pub info: BTreeMap<String, String>,
    /// Settings by their names, as `CONFIG GET` tells them: those of memory, of what it writes to disk, of
    /// replicas, of connections. None that is secret.
    pub config: BTreeMap<String, String>,
    /// The lines of `CLUSTER INFO`; empty where there is no cluster.
    pub cluster: BTreeMap<String, String>,
    /// The name of the login.
    pub user: Option<String>,
    /// Whether the login may run each command that was asked about, in that order; `None`: it may not ask.
    pub allowed: Vec<Option<bool>>,
    /// The times of some round trips, in the order in which they were made.
    #[serde(skip)]
    pub round_trips: Vec<Duration>,
    /// How far its clock is ahead of that of this machine, in ms, to half of a round trip.
    pub clock_ahead_ms: Option<i64>,
}

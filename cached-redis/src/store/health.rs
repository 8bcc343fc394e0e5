//! How a cache gets on, for whoever has to tell: a health endpoint, a start-up check, a person.

use std::fmt;
use std::time::SystemTime;

use serde::{Serialize, Serializer};

use crate::error::ConnectProblem;
use crate::error::pending::Pending;
use crate::store::sample::unix_ms;
use crate::store::stats::BreakerState;
use crate::util::lock::Mutex;

/// How a cache and its store get on at the moment; [`Cache::health`](crate::Cache::health) makes it.
///
/// Its `Display` is one line, without a password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Health {
    /// Whether there is a connection. A `memory://` store needs none and has it always.
    pub connected: bool,
    /// Since when that is so; `since_ms` since the Unix epoch where it is serialized.
    #[serde(rename = "since_ms", serialize_with = "unix_ms")]
    pub since: SystemTime,
    /// Why there was no connection when there was none last; it stays when there is one again.
    pub last_error: Option<ConnectionError>,
    /// Whether operations are attempted.
    pub breaker: BreakerState,
    /// What the store has not confirmed yet. While it is not empty, this process bypasses the cache for it,
    /// and others may see old values.
    pub pending: Pending,
}

/// Why there was no connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ConnectionError {
    /// The address without user, password and query.
    pub address: String,
    /// What the problem was; its text where it is serialized.
    #[serde(serialize_with = "as_text")]
    pub problem: ConnectProblem,
    /// When it was met last; `at_ms` where it is serialized.
    #[serde(rename = "at_ms", serialize_with = "unix_ms")]
    pub at: SystemTime,
}

impl fmt::Display for ConnectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.address, self.problem)
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let connected = if self.connected { "" } else { "not " };
        let lasts = self.since.elapsed().unwrap_or_default().as_secs();
        write!(f, "{connected}connected for {lasts} s")?;
        if self.breaker != BreakerState::Closed {
            f.write_str(", operations fail at once")?;
        }
        if !self.pending.is_empty() {
            write!(f, ", not confirmed: {}", self.pending)?;
        }
        match &self.last_error {
            Some(error) => write!(f, "; last error: {error}"),
            None => Ok(()),
        }
    }
}

fn as_text<S: Serializer>(problem: &ConnectProblem, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(problem)
}

/// What a connection has to tell of itself.
#[derive(Debug)]
pub(crate) struct Condition(Mutex<State>);

#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) connected: bool,
    pub(crate) since: SystemTime,
    pub(crate) last_error: Option<ConnectionError>,
}

impl State {
    pub(crate) fn begun(connected: bool, since: SystemTime) -> Self {
        Self {
            connected,
            since,
            last_error: None,
        }
    }
}

impl Condition {
    /// There is no connection yet.
    pub(crate) fn begun() -> Self {
        Self(Mutex::new(State::begun(false, SystemTime::now())))
    }

    pub(crate) fn turns(&self, connected: bool) {
        let mut state = self.0.lock();
        if state.connected != connected {
            (state.connected, state.since) = (connected, SystemTime::now());
        }
    }

    pub(crate) fn failed(&self, address: &impl fmt::Display, problem: &ConnectProblem) {
        self.0.lock().last_error = Some(ConnectionError {
            address: address.to_string(),
            problem: problem.clone(),
            at: SystemTime::now(),
        });
    }

    pub(crate) fn state(&self) -> State {
        self.0.lock().clone()
    }
}

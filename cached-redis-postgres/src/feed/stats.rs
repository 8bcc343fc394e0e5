//! What a feed says of itself.

use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::Lsn;

/// What a feed does at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FeedState {
    /// There is no connection to the database.
    #[default]
    Connecting,
    /// Another process reads the slot; this one takes over when it is gone.
    Waiting,
    /// A slot is made, and the namespace is cleared.
    Preparing,
    /// Changes come and are invalidated.
    Streaming,
}

/// What a feed has done since it was started; made by [`Feed::stats`](crate::Feed::stats).
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct FeedStats {
    /// What it does now.
    pub state: FeedState,
    /// Transactions that named something and were invalidated.
    pub transactions: u64,
    /// Messages in these.
    pub messages: u64,
    /// Messages that, in whole or in part, could not be understood or served.
    pub malformed_messages: u64,
    /// Transactions that were not visible yet when they came: what the gate is for.
    pub gate_waits: u64,
    /// How often it was asked what is visible.
    pub gate_looks: u64,
    /// Invalidations that the store did not confirm, so that they were tried again.
    pub deferred_invalidations: u64,
    /// How often a connection was made.
    pub connections: u64,
    /// How often the slot was missing or lost, so that the whole namespace was cleared.
    pub lost_slots: u64,
    /// From the commit of the last transaction until its invalidation was confirmed, in seconds. The commit has
    /// its time before it waits for synchronous standbys.
    pub lag_seconds: Option<f64>,
    /// How old the oldest transaction is that has come and is not invalidated, in seconds.
    pub waiting_seconds: Option<f64>,
    /// All that was committed before it is invalidated.
    pub applied: Option<Lsn>,
    /// How much of its log the server keeps for the slot, in bytes.
    pub retained_wal_bytes: Option<u64>,
    /// How much it keeps before the slot is lost, `max_slot_wal_keep_size`; `None` is without end.
    pub retained_wal_limit_bytes: Option<u64>,
    /// Why there was no connection the last time that there was none. It names no password.
    pub last_error: Option<String>,
}

/// The same, as it is kept.
#[derive(Default)]
pub(super) struct Record {
    pub(super) stats: FeedStats,
    /// When the oldest that waits was committed, and by how much the clock of the server is ahead of ours.
    pub(super) oldest: Option<SystemTime>,
    pub(super) ahead_seconds: f64,
    /// Whose log was read last.
    pub(super) history: Option<String>,
}

impl Record {
    pub(super) fn stats(&self) -> FeedStats {
        let waits = |since| seconds(since, SystemTime::now()) + self.ahead_seconds;
        FeedStats {
            waiting_seconds: self.oldest.map(|since| waits(since).max(0.0)),
            ..self.stats.clone()
        }
    }
}

/// From one time to another; negative if that is before.
pub(super) fn seconds(from: SystemTime, to: SystemTime) -> f64 {
    let positive = to.duration_since(from).map(|it: Duration| it.as_secs_f64());
    positive.unwrap_or_else(|error| -error.duration().as_secs_f64())
}

//! Stops asking a server that has stopped answering.
//!
//! A deadline bounds what one operation loses. Without a breaker every operation would lose it for as
//! long as the server is silent, and commands that nobody waits for any more would pile up. So after
//! some operations in a row without an answer the breaker opens: operations fail at once, and a probe
//! in the background finds out when the server answers again. No caller ever pays for a probe.
//!
//! Any answer is an answer, errors of the server too: one that is full, is loading or does not know
//! the caller says so at once, which costs nobody a deadline, and asking again is how a caller notices
//! that it is over.
//!
//! Answers come in the order of the commands. Where a probe has its answer, the operations before it
//! had theirs, so no timeout from before can open the breaker again.

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use crate::error::StoreError;
use crate::store::Answer;
use crate::store::stats::{BreakerState, StoreStats};
use crate::util::backoff::Backoff;

pub(super) struct Breaker {
    /// How many failures in a row open it.
    limit: u32,
    /// Failures since the last answer: open from `limit` on. Next to constant while all is well, so
    /// the counter that is not has a cache line of its own.
    failures: AtomicU32,
    probing: AtomicBool,
    opened: Notify,
    attempted: Line,
    rejected: AtomicU64,
    timeouts: AtomicU64,
    lost: AtomicU64,
}

#[derive(Default)]
#[repr(align(128))]
struct Line(AtomicU64);

/// How the server is probed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probing {
    /// How long one probe waits for its answer.
    pub(super) deadline: Duration,
    /// For how long probes may go unanswered before their connection is given up.
    pub(super) patience: Duration,
}

impl Breaker {
    pub(super) fn new(limit: u32) -> Self {
        Self {
            limit,
            failures: AtomicU32::new(0),
            probing: AtomicBool::new(false),
            opened: Notify::new(),
            attempted: Line::default(),
            rejected: AtomicU64::new(0),
            timeouts: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        }
    }

    /// Whether an operation may be attempted. Its end is to be told by [`ended`](Self::ended).
    pub(super) fn admits(&self) -> bool {
        let closed = !self.is_open();
        if closed {
            self.attempted.0.fetch_add(1, Ordering::Relaxed);
        }
        closed
    }

    /// An operation that failed without being attempted.
    pub(super) fn reject(&self) {
        self.rejected.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes note of how an operation ended. One that was given up by its caller proves nothing.
    pub(super) fn ended<T>(&self, outcome: &Answer<T>) {
        match outcome {
            Err(StoreError::Timeout) => self.failed(&self.timeouts),
            Err(StoreError::Lost) => self.failed(&self.lost),
            _ => self.answered(),
        }
    }

    /// A new connection, which the server has answered on.
    pub(super) fn reset(&self) {
        self.failures.store(0, Ordering::Relaxed);
    }

    /// Probes the server whenever the breaker is open, until probes have gone unanswered for longer
    /// than the patience: then this returns, and the connection is of no use. `probe` tells whether
    /// there was an answer; `address` is what the events name.
    pub(super) async fn watch<P: Future<Output = bool>>(
        &self,
        address: &impl Display,
        probing: Probing,
        probe: impl Fn() -> P,
    ) {
        let mut backoff = Backoff::short();
        let mut closed = Instant::now();
        loop {
            self.opened().await;
            crate::util::warning::warn!(%address, "the store does not answer, operations fail at once until it does");
            // Otherwise it opened right after it was closed: probes are answered, operations are not.
            if closed.elapsed() >= backoff.cap() {
                backoff = Backoff::short();
            }
            if !self.probe_until_closed(&mut backoff, probing, &probe).await {
                crate::util::warning::warn!(%address, "no probe was answered, giving the connection up");
                return;
            }
            closed = Instant::now();
            tracing::info!(%address, "the store answers again");
        }
    }

    async fn opened(&self) {
        while !self.is_open() {
            self.opened.notified().await;
        }
    }

    /// `false`: the patience is at its end.
    async fn probe_until_closed<P: Future<Output = bool>>(
        &self,
        backoff: &mut Backoff,
        probing: Probing,
        probe: impl Fn() -> P,
    ) -> bool {
        let opened = Instant::now();
        loop {
            sleep(backoff.next()).await;
            // An operation from before may have had its answer after all.
            if !self.is_open() {
                return true;
            }
            let marked = Mark::set(&self.probing);
            let answer = timeout(probing.deadline, probe()).await;
            drop(marked);
            if answer == Ok(true) {
                self.close();
                return true;
            }
            if opened.elapsed() >= probing.patience {
                return false;
            }
        }
    }

    /// The next failure opens it again: to answer a probe is not yet to answer operations.
    fn close(&self) {
        self.failures.store(self.limit - 1, Ordering::Relaxed);
    }

    pub(super) fn is_open(&self) -> bool {
        self.failures.load(Ordering::Relaxed) >= self.limit
    }

    fn answered(&self) {
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
    }

    fn failed(&self, count: &AtomicU64) {
        count.fetch_add(1, Ordering::Relaxed);
        if self.failures.fetch_add(1, Ordering::Relaxed) + 1 == self.limit {
            self.opened.notify_one();
        }
    }

    fn state(&self) -> BreakerState {
        match (self.is_open(), self.probing.load(Ordering::Relaxed)) {
            (false, _) => BreakerState::Closed,
            (true, false) => BreakerState::Open,
            (true, true) => BreakerState::HalfOpen,
        }
    }

    /// What was counted so far; the rest is the connection's to know.
    pub(super) fn stats(&self) -> StoreStats {
        StoreStats {
            breaker: self.state(),
            attempted: self.attempted.0.load(Ordering::Relaxed),
            rejected: self.rejected.load(Ordering::Relaxed),
            timeouts: self.timeouts.load(Ordering::Relaxed),
            lost: self.lost.load(Ordering::Relaxed),
            ..StoreStats::default()
        }
    }
}

/// A flag that is set while this lives: a probe may be dropped half-way, with its connection.
struct Mark<'a>(&'a AtomicBool);

impl<'a> Mark<'a> {
    fn set(flag: &'a AtomicBool) -> Self {
        flag.store(true, Ordering::Relaxed);
        Self(flag)
    }
}

impl Drop for Mark<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;

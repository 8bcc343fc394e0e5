//! The invalidations that the server has confirmed of late, in case another one takes its place that
//! has never seen them.
//!
//! What counts is for how long a server had them: it has passed them on by then. So their age is
//! counted in time that was spent connected, and an outage, however long it lasts, uses nothing up.

use std::time::Duration;

use tokio::time::Instant;

use super::book::Book;
use crate::wire::targets::Targets;

/// For how long a confirmed invalidation is remembered.
pub(super) const REMEMBERED: Duration = Duration::from_secs(30);

/// In which steps their time is counted, so that a key that is invalidated again and again is not moved each time.
/// What is confirmed within one counts as of its end, and is remembered for that much longer.
const STEP: Duration = Duration::from_millis(250);

pub(super) struct Recent {
    book: Book<Duration>,
    connected: Connected,
}

impl Recent {
    pub(super) fn new(bound: usize) -> Self {
        Self {
            book: Book::new(bound),
            connected: Connected::default(),
        }
    }

    pub(super) fn add(&mut self, targets: &Targets) {
        let now = self.forget();
        let step = now.as_nanos().div_ceil(STEP.as_nanos()) as u32;
        self.book.add(STEP * step, targets);
    }

    pub(super) fn add_all(&mut self) {
        let now = self.forget();
        self.book.keys.fold(now, 0);
    }

    /// Moves all that is remembered to `kept`, under `number`; gives the count of those keys.
    pub(super) fn pour(&mut self, kept: &mut Book<u64>, number: u64) -> usize {
        self.forget();
        self.book.pour(kept, number)
    }

    /// Takes over what another one remembers, as if it had been confirmed just now: its ages are by a
    /// clock of its own.
    pub(super) fn inherit(&mut self, other: &mut Self) {
        let now = self.forget();
        other.forget();
        other.book.pour(&mut self.book, now);
    }

    /// A connection is there.
    pub(super) fn resume(&mut self) {
        self.connected.since.get_or_insert_with(Instant::now);
    }

    /// The connection is lost, which gave its last sign of life at `seen`.
    pub(super) fn pause(&mut self, seen: Instant) {
        self.connected.before = self.connected.until(seen);
        self.connected.since = None;
    }

    /// Drops what is older than is to be remembered; gives the time that it is.
    fn forget(&mut self) -> Duration {
        let now = self.connected.until(Instant::now());
        if let Some(oldest) = now.checked_sub(REMEMBERED) {
            self.book.settle_all(oldest);
        }
        now
    }
}

/// A clock that stands still while there is no connection.
#[derive(Default)]
struct Connected {
    before: Duration,
    since: Option<Instant>,
}

impl Connected {
    fn until(&self, end: Instant) -> Duration {
        let since = self.since.map(|since| end.saturating_duration_since(since));
        self.before + since.unwrap_or_default()
    }
}

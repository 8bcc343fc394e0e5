//! How long one read waits for others, counted from its first wait.

use std::time::Duration;

use tokio::time::Instant;

/// The wait budget of one read.
#[derive(Debug)]
pub(crate) struct Budget {
    began: Option<Instant>,
    time: Duration,
    /// Whether the read has taken a seat although its time was over.
    overdrawn: bool,
}

impl Budget {
    pub(crate) fn new(time: Duration) -> Self {
        Self {
            began: None,
            time,
            overdrawn: false,
        }
    }

    /// Counts from now, if it does not yet; whether that is so.
    pub(crate) fn begin(&mut self) -> bool {
        self.begin_at(Instant::now())
    }

    /// The same from then on.
    pub(crate) fn begin_at(&mut self, at: Instant) -> bool {
        let begins = self.began.is_none();
        self.began.get_or_insert(at);
        begins
    }

    /// The same with less time.
    pub(crate) fn begin_with(&mut self, time: Duration) {
        if self.begin() {
            self.time = self.time.min(time);
        }
    }

    /// Whether the read has waited.
    pub(crate) fn has_begun(&self) -> bool {
        self.began.is_some()
    }

    /// Until when the read waits.
    pub(crate) fn end(&mut self) -> Instant {
        *self.began.get_or_insert_with(Instant::now) + self.time
    }

    /// Since when it waits that asks `now` for a seat in a load without a lease. Such a load may begin when the time
    /// is over, in the place of the read's own: that is waited for once; `None`: it has been.
    pub(crate) fn seat(&mut self, now: Instant) -> Option<Instant> {
        self.begin_at(now);
        let spent = self.end() <= now;
        let taken = std::mem::replace(&mut self.overdrawn, spent);
        self.began.filter(|_| !taken)
    }
}

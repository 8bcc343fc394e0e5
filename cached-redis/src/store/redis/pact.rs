//! What the tracked connections to the servers of a cluster have in common: what was agreed on in the namespace, which
//! stands in one slot. They count only while that is known to be enough for what is asked for here.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use super::agreement::{Agreement, Standing};
use super::settings::RedisSettings;
use crate::util::lock::Mutex;
use crate::util::moment::Moment;

/// After so long without a read nothing is asked more often than elsewhere.
const IDLE: Duration = Duration::from_secs(60);

/// After so long nobody drives the task that asks.
const LATE: Duration = Duration::from_secs(10);

/// See the module.
pub(super) struct Pact {
    pub(super) agreement: Agreement,
    /// And when it was last asked for.
    standing: Mutex<(Standing, Moment)>,
    used: Use,
    begun: Notify,
    /// That somebody has doubted who has which slots.
    pub(super) doubted: Arc<Notify>,
}

impl Pact {
    pub(super) fn new(settings: &RedisSettings, doubted: &Arc<Notify>) -> Self {
        Self {
            agreement: Agreement::of(settings),
            standing: Mutex::new((Standing::Unagreed, Moment::now())),
            used: Use::default(),
            begun: Notify::new(),
            doubted: Arc::clone(doubted),
        }
    }

    /// Something is read that is to be kept.
    pub(super) fn used(&self, now: Moment) {
        if self.used.noted(now) {
            self.begun.notify_one();
        }
    }

    /// Waits for the first of these.
    pub(super) async fn begun(&self) {
        if self.used.is_none() {
            self.begun.notified().await;
        }
    }

    /// How long it may be left unasked.
    pub(super) fn period(&self) -> Duration {
        self.used.period(self.agreement.staleness)
    }

    /// [`Announces`](Standing::Announces): things may be kept.
    pub(super) fn standing(&self) -> Standing {
        let (standing, asked) = *self.standing.lock();
        match asked.elapsed() < LATE {
            true => standing,
            false => Standing::Unagreed,
        }
    }

    /// Whether nobody asks.
    pub(super) fn is_late(&self) -> bool {
        !self.used.is_none() && self.standing.lock().1.elapsed() >= LATE
    }

    /// It is asked for at this moment; an answer is told by [`stands`](Self::stands).
    pub(super) fn asks(&self) {
        self.standing.lock().1 = Moment::now();
    }

    /// Whether what was kept by now may not be any longer.
    pub(super) fn stands(&self, standing: Standing) -> bool {
        let before = std::mem::replace(&mut self.standing.lock().0, standing);
        before == Standing::Announces && standing != before
    }
}

/// When something was read last that is to be kept; 0: never.
#[derive(Default)]
pub(super) struct Use(AtomicU64);

impl Use {
    /// Whether it is the first time.
    pub(super) fn noted(&self, now: Moment) -> bool {
        self.0.swap(now.0, Ordering::Relaxed) == 0
    }

    fn is_none(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    /// How long a server may be left unasked.
    pub(super) fn period(&self, staleness: Duration) -> Duration {
        let idle = Moment(self.0.load(Ordering::Relaxed)).elapsed();
        match idle < IDLE {
            true => staleness / 3,
            false => Duration::MAX,
        }
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_is_asked_no_more_often_than_any_other() {
        let (used, second) = (Use::default(), Duration::from_secs(1));
        assert!(used.noted(Moment::now()));
        assert_eq!(used.period(3 * second), second);
        tokio::time::advance(IDLE).await;
        assert_eq!(used.period(3 * second), Duration::MAX);
        assert!(!used.noted(Moment::now()));
    }
}

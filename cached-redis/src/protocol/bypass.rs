//! Loads without a lease: the store is away, or the time to wait for somebody else is spent.
//!
//! No lease fences such a load, so whoever joins one that already runs may get a value from before
//! an invalidation it should see. A reader therefore shares only a load that starts **after** it
//! came: per key and process one load runs and one is pending, and newcomers join the pending one.
//! An outage of the store is so never a stampede on the source.
//!
//! The wait budget holds here too: a load begins at the latest when the budget of whoever leads it is
//! spent, or when the one that runs is older than a budget. A load that never ends, or is never polled,
//! costs later callers no more than that.
//!
//! What a call inside an open transaction sees may be rolled back, and a call inside of a load of the same
//! key would wait for itself. Every form of a read, of one key or of many, asks [`Bypasses::place`] where
//! to load, and there such a call finds a place that is shared with nobody.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::{Instant, timeout_at};

use crate::protocol::flight::{Place, Seat};
use crate::protocol::progress::{Joined, Landing, Led};
use crate::util::keyed::Keyed;
use crate::util::sync::{AtomicBool, Mutex};

/// The bypass loads of one cache, by key.
#[derive(Default)]
pub(crate) struct Bypasses {
    keys: Mutex<HashMap<Arc<str>, Queue, Keyed>>,
    /// Whether nobody else wanted the load that ended last. Then the next one begins at once; else it gives callers
    /// that come in the same moment the chance to join, which takes longer than all that is done for it here.
    calm: AtomicBool,
}

#[derive(Default)]
struct Queue {
    running: Option<Joined>,
    pending: Option<Joined>,
}

impl Queue {
    /// The load for a reader that `came` then: one that has begun since, or the pending one if that
    /// begins by the end of its budget. None that is older than a budget.
    fn fit(
        &self,
        came: Instant,
        now: Instant,
        until: Instant,
        budget: Duration,
    ) -> Option<&Joined> {
        let fits = |joined: &&Joined| now < joined.begins() + budget;
        let begun = |joined: &&Joined| came < joined.begins();
        // When nothing runs any more, it begins at once.
        let in_time = |joined: &&Joined| self.running.is_none() || joined.begins() <= until;
        let running = self.running.as_ref().filter(begun).filter(fits);
        running.or_else(|| self.pending.as_ref().filter(in_time).filter(fits))
    }
}

impl Bypasses {
    /// The next load of `key`, or a seat in it, for a reader that `came` then.
    pub(crate) fn enter(
        self: &Arc<Self>,
        key: &str,
        came: Instant,
        now: Instant,
        budget: Duration,
    ) -> Place<BypassLoad> {
        let until = now.max(came + budget);
        let key: Arc<str> = key.into();
        let mut keys = self.keys.lock();
        let queue = keys.entry(Arc::clone(&key)).or_default();
        if let Some(joined) = queue.fit(came, now, until, budget) {
            self.calm.store(false, Ordering::Relaxed);
            return Place::Seat(Seat {
                joined: joined.clone(),
                loads: true,
                shares: true,
            });
        }
        let before = queue.running.clone();
        let begins = before
            .as_ref()
            .map_or(now, |running| (running.begins() + budget).clamp(now, until));
        let led = Led::new(begins);
        let own = led.joined();
        let has_begun = before.is_none() && self.calm.load(Ordering::Relaxed);
        match has_begun {
            true => queue.running = Some(own),
            false => queue.pending = Some(own),
        }
        Place::Lead(BypassLoad {
            bypasses: Arc::clone(self),
            key,
            before,
            begins,
            has_begun,
            has_landed: false,
            led,
        })
    }
}

/// The right to run the next load of one key. Dropping it lets those who joined start over.
pub(crate) struct BypassLoad {
    bypasses: Arc<Bypasses>,
    key: Arc<str>,
    /// The load that ran when this one was entered.
    before: Option<Joined>,
    /// Until when that one is waited for.
    begins: Instant,
    /// Whether only those join it from now on that came before.
    has_begun: bool,
    has_landed: bool,
    led: Led,
}

impl BypassLoad {
    /// A load that is shared with nobody, and waits for nobody.
    pub(crate) fn unshared(key: &str) -> Self {
        let begins = Instant::now();
        Self {
            bypasses: Arc::default(),
            key: key.into(),
            before: None,
            begins,
            has_begun: false,
            has_landed: false,
            led: Led::new(begins),
        }
    }

    /// Whether there is nothing to wait for before it runs.
    pub(crate) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Waits for the running load; from then on this one runs and only those join it that came before.
    pub(crate) async fn start(&self) {
        if self.has_begun {
            return;
        }
        // What is spent is the time to wait for it.
        let _ = timeout_at(self.begins, self.turn()).await;
        // Callers that came in the same moment get the chance to join instead of loading next.
        yield_now().await;
        self.begin();
    }

    async fn turn(&self) {
        if let Some(running) = &self.before {
            // Without a landing its leader was dropped: it does not run any more either.
            running.landed().await;
        }
    }

    fn begin(&self) {
        let mut keys = self.bypasses.keys.lock();
        let queue = keys.entry(Arc::clone(&self.key)).or_default();
        queue.pending.take_if(|joined| self.led.is(joined));
        queue.running = Some(self.led.joined());
        self.led.begin();
    }

    /// Whether anybody waits for the result.
    pub(crate) fn is_shared(&self) -> bool {
        let keys = self.bypasses.keys.lock();
        let running = keys.get(&self.key).and_then(|queue| queue.running.as_ref());
        let on_board = running.is_some_and(|joined| self.led.is(joined));
        self.led.joins() > usize::from(on_board)
    }

    /// Ends the load.
    pub(crate) fn land(mut self, landing: Landing) {
        self.leave();
        self.has_landed = true;
        match self.led.joins() {
            0 => self.bypasses.calm.store(true, Ordering::Relaxed),
            _ => self.led.land(landing),
        }
    }

    fn leave(&self) {
        let mut keys = self.bypasses.keys.lock();
        let Some(queue) = keys.get_mut(&self.key) else {
            return;
        };
        queue.running.take_if(|joined| self.led.is(joined));
        queue.pending.take_if(|joined| self.led.is(joined));
        if queue.running.is_none() && queue.pending.is_none() {
            keys.remove(&self.key);
        }
    }
}

impl Drop for BypassLoad {
    fn drop(&mut self) {
        if !self.has_landed {
            self.leave();
        }
    }
}

#[cfg(test)]
mod schedules;
#[cfg(test)]
mod tests;

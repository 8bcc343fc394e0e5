//! Loads without a lease: the store is away, or the time to wait for somebody else is spent.
//!
//! No lease fences such a load, so whoever joins one that already runs may get a value from before
//! an invalidation it should see. A reader therefore shares only a load that starts **after** it
//! came: per key and process one load runs and one is pending, and newcomers join the pending one.
//! An outage of the store is so never a stampede on the source.
//!
//! What a call inside an open transaction sees may be rolled back. Every form of a read, of one key or
//! of many, asks [`Bypasses::of`] where to share its load, and there such a call finds a board that is
//! nobody else's.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use tokio::sync::watch;
use tokio::task::yield_now;

use crate::after_commit;
use crate::flight::{Landing, Place, Seat};
use crate::handle::Inner;
use crate::sync::{Mutex, MutexGuard};

type Landed = watch::Receiver<Option<Landing>>;

/// The bypass loads of one cache, by key.
#[derive(Default)]
pub(crate) struct Bypasses {
    keys: Mutex<HashMap<String, Queue>>,
}

#[derive(Default)]
struct Queue {
    running: Option<Landed>,
    pending: Option<Landed>,
}

impl Bypasses {
    /// Where the load of a call that runs now is shared.
    pub(crate) fn of(inner: &Inner) -> Arc<Self> {
        match after_commit::is_open() {
            true => Arc::default(),
            false => Arc::clone(&inner.bypasses),
        }
    }

    /// The next load of `key`, or a seat in it.
    pub(crate) fn enter(self: &Arc<Self>, key: &str) -> Place<BypassLoad> {
        let mut keys = self.lock();
        let queue = keys.entry(key.to_owned()).or_default();
        if let Some(pending) = &queue.pending {
            return Place::Seat(Seat {
                landing: pending.clone(),
                loads: true,
                shares: true,
            });
        }
        let (sender, landing) = watch::channel(None);
        queue.pending = Some(landing);
        Place::Lead(BypassLoad {
            bypasses: Arc::clone(self),
            key: key.to_owned(),
            sender,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Queue>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to run the next load of one key. Dropping it lets those who joined start over.
pub(crate) struct BypassLoad {
    bypasses: Arc<Bypasses>,
    key: String,
    sender: watch::Sender<Option<Landing>>,
}

impl BypassLoad {
    /// Waits for the running load; from then on this one runs and nobody joins it any more.
    pub(crate) async fn start(&self) {
        let running = self
            .bypasses
            .lock()
            .get(&self.key)
            .and_then(|queue| queue.running.clone());
        if let Some(mut running) = running {
            // An error means that its leader was dropped: it does not run any more either.
            let _ = running.wait_for(Option::is_some).await;
        }
        // Callers that came in the same moment get the chance to join instead of loading next.
        yield_now().await;
        if let Some(queue) = self.bypasses.lock().get_mut(&self.key) {
            queue.running = queue.pending.take();
        }
    }

    /// Whether anybody waits for the result.
    pub(crate) fn is_shared(&self) -> bool {
        self.sender.receiver_count() > 1
    }

    /// Ends the load.
    pub(crate) fn land(self, landing: Landing) {
        self.leave();
        self.sender.send_replace(Some(landing));
    }

    fn leave(&self) {
        let mut keys = self.bypasses.lock();
        let Some(queue) = keys.get_mut(&self.key) else {
            return;
        };
        let own = self.sender.subscribe();
        queue.running.take_if(|landed| landed.same_channel(&own));
        queue.pending.take_if(|landed| landed.same_channel(&own));
        if queue.running.is_none() && queue.pending.is_none() {
            keys.remove(&self.key);
        }
    }
}

impl Drop for BypassLoad {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod schedules;

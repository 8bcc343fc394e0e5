//! What applies the writes of queues in this process.

use std::any::Any;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::OFF;
use crate::engine::handle::{Cache, Inner};
use crate::error::Error;
use crate::observe::behind::{Provided, write_behinds};
use crate::write::behind::worker::{Retries, Shared, Tasks};

impl Cache {
    /// What applies the writes of functions under [`#[write_behind]`](crate::write_behind), in this process; to be
    /// started once. Any number of processes may have one: each partition of a queue is of one of them at a time, and
    /// others take over when it stops.
    pub fn write_behind_worker(&self) -> WorkerSetup {
        WorkerSetup {
            inner: Arc::clone(&self.inner),
            provided: Provided::default(),
            queues: BTreeSet::new(),
            retries: Retries {
                attempts: 12,
                first: Duration::from_millis(100),
                longest: Duration::from_secs(30),
            },
        }
    }
}

/// A worker that is not started yet; made by [`Cache::write_behind_worker`].
#[must_use = "it does nothing until it is started"]
pub struct WorkerSetup {
    inner: Arc<Inner>,
    provided: Provided,
    queues: BTreeSet<String>,
    retries: Retries,
}

impl fmt::Debug for WorkerSetup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerSetup")
            .field("queues", &self.queues)
            .field("retries", &self.retries)
            .finish_non_exhaustive()
    }
}

impl WorkerSetup {
    /// What functions get for a parameter `&T`: a pool of connections, say. The last one of a type counts.
    pub fn provide<T: Any + Send + Sync>(mut self, value: T) -> Self {
        self.provided.add(value);
        self
    }

    /// Only this queue, and others for which this is called; else all that functions of the program name.
    pub fn queue(mut self, name: impl Into<String>) -> Self {
        self.queues.insert(name.into());
        self
    }

    /// How often a write is tried before it becomes a dead letter. 12 by default, which are about two minutes; one
    /// at least.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.retries.attempts = attempts;
        self
    }

    /// How long to wait after the first attempt, doubled after each further one, and how long at most. 100 ms and 30 s
    /// by default. Nothing else of the partition is applied meanwhile.
    pub fn pauses(mut self, first: Duration, longest: Duration) -> Self {
        (self.retries.first, self.retries.longest) = (first, longest);
        self
    }

    /// Starts it, on the runtime in which the cache was built. The server need not be there yet.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] when the cache was built without [`write_behind`](crate::Builder::write_behind), a queue is
    /// of no function, a function needs what was not [provided](Self::provide), or there are no attempts.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, nothing was started.
    pub async fn start(self) -> Result<WriteBehindWorker, Error> {
        Error::require(self.inner.settings.write_behind, "write_behind", OFF)?;
        Error::require(self.retries.attempts > 0, "attempts", "must not be zero")?;
        let queues = self.served()?;
        let shared = Arc::new(Shared {
            inner: self.inner,
            provided: Arc::new(self.provided),
            retries: self.retries,
            stop: watch::Sender::new(false),
        });
        let tasks = Tasks::start(&shared, &queues).await;
        Ok(WriteBehindWorker { shared, tasks })
    }

    /// The queues of which it applies writes, all of whose functions have what they need.
    fn served(&self) -> Result<Vec<&'static str>, Error> {
        let mut served = BTreeSet::new();
        for behind in write_behinds() {
            if !self.queues.is_empty() && !self.queues.contains(behind.info.queue) {
                continue;
            }
            served.insert(behind.info.queue);
            let needs = (behind.info.needs)();
            if let Some(need) = needs.iter().find(|need| !self.provided.has(need)) {
                let path = behind.function.info.path;
                let setting = format!("{}, of which `{path}` takes a reference", need.name);
                return Err(Error::setting(
                    setting,
                    "is not provided: write `.provide(…)`",
                ));
            }
        }
        let unknown = self
            .queues
            .iter()
            .find(|queue| !served.contains(queue.as_str()));
        match unknown {
            Some(queue) => Err(Error::setting(
                format!("queue {queue}"),
                "is named by no function of this program",
            )),
            None => Ok(served.into_iter().collect()),
        }
    }
}

/// A running worker; made by [`WorkerSetup::start`].
///
/// Dropped, it is stopped wherever it is: what it was applying is applied again by the next one.
#[must_use = "dropped at once, it is stopped at once"]
pub struct WriteBehindWorker {
    shared: Arc<Shared>,
    tasks: Tasks,
}

impl WriteBehindWorker {
    /// Stops it: functions that run come to their end, what waits is left to others, who can take over at once.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, functions that run are given up.
    pub async fn stop(self) {
        self.shared.stop.send_replace(true);
        self.tasks.ended().await;
    }
}

impl fmt::Debug for WriteBehindWorker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteBehindWorker").finish_non_exhaustive()
    }
}

//! Workers and queues of write-behind.

use std::any::Any;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;
use tokio::time::sleep;

use crate::engine::handle::{Cache, Inner};
use crate::error::Error;
use crate::observe::behind::{Provided, write_behinds};
use crate::store::queue::Dead;
use crate::util::backoff::Backoff;
use crate::wire::key;
use crate::write::behind::worker::{Retries, Shared, Tasks};
use crate::write::behind::{partition, partitions};

const OFF: &str = "is off, and write-behind needs it";

/// How many dead letters of a partition are told at once.
const LISTED: u64 = 10_000;

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

    /// A queue of write-behind, whether or not its functions are in this program.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for a name that no queue can have, and where the cache was built without
    /// [`write_behind`](crate::Builder::write_behind) and without [`guarded`](crate::Builder::guarded).
    pub fn write_behind_queue(&self, name: &str) -> Result<WriteBehindQueue, Error> {
        let spares = self.inner.settings.write_behind || self.inner.settings.guarded;
        Error::require(spares, "write_behind", OFF)?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        let is_name = !name.is_empty() && name.chars().all(allowed);
        let problem = "must be of letters, digits, `_`, `-` and `.`, and not empty";
        Error::require(is_name, "write_behind_queue", problem)?;
        Ok(WriteBehindQueue {
            inner: Arc::clone(&self.inner),
            name: name.to_owned(),
        })
    }
}

fn enabled(inner: &Inner) -> Result<(), Error> {
    Error::require(inner.settings.write_behind, "write_behind", OFF)
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
        enabled(&self.inner)?;
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

/// A queue of writes; made by [`Cache::write_behind_queue`].
#[derive(Clone)]
pub struct WriteBehindQueue {
    inner: Arc<Inner>,
    name: String,
}

/// How much a queue holds, counted one partition after the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueDepth {
    /// Writes that wait to be applied.
    pub waiting: u64,
    /// Dead letters.
    pub dead: u64,
    /// When the oldest write that waits was accepted, or put back; `None` also in memory.
    pub oldest: Option<SystemTime>,
}

/// A write that has failed for good, or waits behind one of its key that has.
#[derive(Clone, PartialEq, Eq)]
pub struct DeadLetter {
    key: String,
    letter: Dead,
}

impl DeadLetter {
    /// The key, as attributes and [`Key`](crate::Key) have it.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The path of its function.
    #[must_use]
    pub fn function(&self) -> &str {
        &self.letter.write.function
    }

    /// `failed`, `panicked`, `unreadable arguments`, `unknown function`; `behind` of one that waits.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.letter.why
    }

    /// Its number among those of its partition.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.letter.write.number
    }
}

impl fmt::Debug for DeadLetter {
    /// Says nothing of key and arguments.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadLetter")
            .field("function", &self.function())
            .field("reason", &self.reason())
            .field("number", &self.number())
            .finish_non_exhaustive()
    }
}

impl WriteBehindQueue {
    /// How much there is.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] when the store does not answer; so the others have.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn depth(&self) -> Result<QueueDepth, Error> {
        let (mut all, mut oldest) = (QueueDepth::default(), None);
        for at in partitions(&self.inner, &self.name) {
            let depth = self.inner.store.depth(&at).await?;
            all.waiting += depth.queued;
            all.dead += depth.dead;
            oldest = oldest.into_iter().chain(depth.oldest_ms).min();
        }
        all.oldest = oldest.map(|ms| UNIX_EPOCH + Duration::from_millis(ms));
        Ok(all)
    }

    /// The dead letters, those of each key in their order.
    ///
    /// # Errors
    ///
    /// As [`depth`](Self::depth).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn dead_letters(&self) -> Result<Vec<DeadLetter>, Error> {
        let mut letters = Vec::new();
        let namespace = self.inner.namespace.len() + 1;
        for at in partitions(&self.inner, &self.name) {
            let dead = self.inner.store.dead(&at, LISTED).await?;
            letters.extend(dead.into_iter().map(|letter| {
                DeadLetter {
                    key: letter
                        .write
                        .key
                        .get(namespace..)
                        .unwrap_or_default()
                        .to_owned(),
                    letter,
                }
            }));
        }
        Ok(letters)
    }

    /// Puts all dead letters of a key back to the end of the queue, in their order and under new numbers, to be
    /// tried anew. How many there were.
    ///
    /// # Errors
    ///
    /// As [`depth`](Self::depth).
    ///
    /// # Cancel safety
    ///
    /// Dropped early, it may have been done or not.
    pub async fn retry(&self, key: impl AsRef<str>) -> Result<u64, Error> {
        let (key, at) = self.place(key.as_ref());
        Ok(self.inner.store.retry_dead(&at, &key).await?)
    }

    /// Forgets the oldest dead letter of a key for good: **this write is lost**. The others are still held up, until
    /// they are [put back](Self::retry). With the last of them goes the value that readers have got since. `false`:
    /// there is none.
    ///
    /// # Errors
    ///
    /// As [`depth`](Self::depth).
    ///
    /// # Cancel safety
    ///
    /// Dropped early, it may have been done or not.
    pub async fn drop_first(&self, key: impl AsRef<str>) -> Result<bool, Error> {
        let (key, at) = self.place(key.as_ref());
        Ok(self.inner.store.drop_dead(&at, &key).await?)
    }

    /// Waits until nothing waits to be applied any more, for as long as that takes; dead letters do not count.
    ///
    /// # Errors
    ///
    /// As [`depth`](Self::depth).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn flush(&self) -> Result<(), Error> {
        let mut pause = Backoff::contention();
        while self.depth().await?.waiting > 0 {
            sleep(pause.next()).await;
        }
        Ok(())
    }

    fn place(&self, key: &str) -> (String, crate::store::queue::Partition) {
        let key = key::full_key(&self.inner.namespace, key);
        let at = partition(&self.inner, &self.name, &key);
        (key, at)
    }
}

impl fmt::Debug for WriteBehindQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteBehindQueue")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

//! Queues of writes: how much waits, and dead letters.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::sleep;

use super::OFF;
use crate::engine::handle::{Cache, Inner};
use crate::error::Error;
use crate::store::queue::{Dead, Partition};
use crate::util::backoff::Backoff;
use crate::wire::key;
use crate::write::behind::{partition, partitions};

/// How many dead letters of a partition are told at once.
const LISTED: u64 = 10_000;

impl Cache {
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
                let key = letter.write.key.get(namespace..).unwrap_or_default();
                let key = key.to_owned();
                DeadLetter { key, letter }
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

    fn place(&self, key: &str) -> (String, Partition) {
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

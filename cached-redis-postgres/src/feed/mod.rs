//! The feed: from the write-ahead log of a database to the invalidations of a cache.
//!
//! ```text
//! commit ──► log on disk ──► slot ──► window ──► gate ──► invalidation ──► confirmed to the slot
//!    └── (standbys) ──► visible to others ───────► ┘
//! ```
//!
//! Nothing is confirmed to the slot before the store has confirmed the invalidation, so whatever crashes, it
//! comes again. Nothing is invalidated before the commit is visible, so no reader stores the old value again.
//! Where it cannot be said what was missed, everything goes.

mod prepare;
mod primary;
mod run;
mod session;
mod snapshot;
mod stats;
mod stream;
mod target;
mod window;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cached_redis::Cache;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use self::primary::Primary;
use self::run::Follower;
use self::stats::Record;
pub use self::stats::{FeedState, FeedStats};
use self::target::Target;
use crate::{Error, Lsn};

/// What slot and publication are called by default.
pub(crate) const NAME: &str = "cached_redis";

/// A name that needs no quotes in the protocol of replication, with room for what is put behind it.
pub(crate) fn name(name: String) -> Result<String, Error> {
    let is_known = |c| matches!(c, 'a'..='z' | '0'..='9' | '_');
    match (1..=59).contains(&name.len()) && name.chars().all(is_known) {
        true => Ok(name),
        false => Err(Error::Name(name)),
    }
}

/// How a feed is to be; made by [`Feed::builder`].
#[derive(Clone)]
#[must_use = "it does nothing until it is started"]
pub struct Builder {
    url: String,
    slot: String,
    publication: String,
    gated: bool,
    halt: Option<Arc<Halt>>,
}

/// A step at which a test holds a feed.
#[allow(dead_code, reason = "only tests make one")]
#[doc(hidden)]
#[derive(Debug)]
pub struct Halt {
    step: &'static str,
    /// It is there.
    pub reached: Notify,
    /// It goes on.
    pub go: Notify,
}

impl Builder {
    /// The slot that it reads, `cached_redis` by default: one for each namespace that follows a database. All
    /// processes of a service name the same one; one of them reads it, the others wait to take over.
    pub fn slot(mut self, slot: impl Into<String>) -> Self {
        self.slot = slot.into();
        self
    }

    /// The publication that the slot is read by, `cached_redis` by default. It should have no tables, whose rows
    /// would be sent for nothing.
    pub fn publication(mut self, publication: impl Into<String>) -> Self {
        self.publication = publication.into();
        self
    }

    /// Invalidates as soon as a commit is in the log, whether or not it is visible: what this crate is there to
    /// avoid.
    #[cfg(feature = "testing")]
    #[doc(hidden)]
    pub fn ungated(mut self) -> Self {
        self.gated = false;
        self
    }

    /// Holds the feed when it is at `step` for the first time.
    #[cfg(feature = "testing")]
    #[doc(hidden)]
    pub fn halt_at(mut self, step: &'static str) -> (Self, Arc<Halt>) {
        let halt = Arc::new(Halt {
            step,
            reached: Notify::new(),
            go: Notify::new(),
        });
        self.halt = Some(Arc::clone(&halt));
        (self, halt)
    }

    /// Starts to follow the database, in a task of the runtime that this is called in.
    ///
    /// # Errors
    ///
    /// Those that no waiting helps against: an address or a name that cannot be used, a server that is too old
    /// or whose `wal_level` is not `logical`, a role that may not replicate, a publication that is missing, a slot
    /// that is another's. That the database cannot be reached is none: the feed goes on trying.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, nothing remains.
    pub async fn start(self, cache: &Cache) -> Result<Feed, Error> {
        let target = Target::new(&self.url, name(self.slot)?, name(self.publication)?)?;
        let first = async {
            let primary = Primary::connect(&target).await?;
            primary.slot(&target.slot).await
        };
        match first.await {
            Err(error) if error.is_lasting() => return Err(error),
            // It is told by the task.
            Ok(_) | Err(_) => {}
        }
        let shared = Arc::<Shared>::default();
        let follower = Follower {
            target: target.clone(),
            cache: cache.clone(),
            shared: Arc::clone(&shared),
            gated: self.gated,
            halt: Mutex::new(self.halt),
        };
        Ok(Feed {
            target,
            shared,
            task: tokio::spawn(follower.run()),
        })
    }
}

impl fmt::Debug for Builder {
    /// Without the address, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("slot", &self.slot)
            .field("publication", &self.publication)
            .finish_non_exhaustive()
    }
}

/// Invalidates what transactions of a database have made outdated, whoever committed them.
///
/// Dropped, it stops, and what it had not confirmed comes again to the next one. While it is kept, so is its
/// cache.
#[must_use = "it only follows the database while it is kept"]
pub struct Feed {
    target: Target,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Feed {
    /// A feed from the database at `url`, which is `postgres://user:password@host:5432/database`: the primary
    /// itself, without a pooler in between, and a role with `REPLICATION`.
    pub fn builder(url: impl Into<String>) -> Builder {
        Builder {
            url: url.into(),
            slot: NAME.to_owned(),
            publication: NAME.to_owned(),
            gated: true,
            halt: None,
        }
    }

    /// Waits until all that was committed before `lsn` is invalidated, by whichever process reads the slot. A
    /// service that was given `pg_current_wal_lsn()` by another one, taken after its commit, so reads what that
    /// one has written.
    ///
    /// It waits as long as nobody reads the slot: put a [timeout](tokio::time::timeout) around it.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn wait_for(&self, lsn: Lsn) {
        // It cannot fail: the sender is here.
        let _ = self
            .shared
            .applied
            .subscribe()
            .wait_for(|applied| *applied >= lsn)
            .await;
    }

    /// What it has done.
    #[must_use]
    pub fn stats(&self) -> FeedStats {
        self.shared.record().stats()
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed")
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What the task tells.
#[derive(Default)]
struct Shared {
    record: Mutex<Record>,
    applied: watch::Sender<Lsn>,
}

impl Shared {
    fn record(&self) -> MutexGuard<'_, Record> {
        // Numbers alone: whoever panicked has left none half written.
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the log is now another one than before; then nothing is known of its places.
    fn is_moved_to(&self, history: &str) -> bool {
        let mut record = self.record();
        let before = record.history.replace(history.to_owned());
        let is_moved = before.is_some_and(|before| before != history);
        if is_moved {
            record.stats.applied = None;
            self.applied.send_replace(Lsn::default());
        }
        is_moved
    }

    /// All that ends before it is invalidated.
    fn apply(&self, end: Lsn) {
        self.record().stats.applied = Some(end);
        self.applied.send_if_modified(|applied| {
            let is_later = end > *applied;
            *applied = end.max(*applied);
            is_later
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_cannot_be_used_is_refused_before_anything_is_sent() {
        let cache = Cache::builder().url("memory://").build().await.unwrap();
        for (url, what) in [
            ("nonsense", "is malformed"),
            ("postgres://a:s3cret@/db", "names no host"),
            ("postgres://a:s3cret@one,two/db", "names several hosts"),
            ("postgres://localhost/db", "names no user"),
            ("postgres://a:s3cret@one/db?sslmode=require", "asks for TLS"),
        ] {
            let error = Feed::builder(url)
                .start(&cache)
                .await
                .unwrap_err()
                .to_string();
            assert!(
                error.contains(what) && !error.contains("s3cret"),
                "{url}: {error}"
            );
        }
        for odd in ["", "Slot", "a-b", &"a".repeat(60)] {
            let builder = Feed::builder("postgres://a@127.0.0.1:1/db").slot(odd);
            assert!(
                matches!(builder.start(&cache).await, Err(Error::Name(_))),
                "{odd}"
            );
        }
    }

    #[tokio::test]
    async fn no_password_is_shown() {
        let builder = Feed::builder("postgres://a:s3cret@127.0.0.1:1/db");
        assert!(!format!("{builder:?}").contains("s3cret"));
        let cache = Cache::builder().url("memory://").build().await.unwrap();
        let feed = builder.start(&cache).await.unwrap();
        assert!(!format!("{feed:?}{:?}", feed.stats()).contains("s3cret"));
    }
}

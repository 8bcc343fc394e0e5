//! Writing to a source with a version, one writer at a time.
//!
//! What the field calls centralized version control: lock, update the source, bump the version,
//! invalidate, publish. Lock and version are one here. The fencing token of the lock grows with every grant, so
//! it is the new version, and a source that takes only greater versions refuses a writer that stalled
//! for longer than its lease.

use std::sync::Arc;

use crate::engine::handle::{Cache, Inner};
use crate::error::Error;
use crate::observe::registry::DIRECT;
use crate::write::dispatch::Sent;
use crate::write::invalidate;
use crate::write::removal::Removal;

impl Cache {
    /// Runs `update`, which writes to the source of `key`, under the [lock](Self::lock) of the key, and
    /// invalidates the key however that ends, and publishes that. See [locks](crate::docs::values#locks).
    ///
    /// `update` gets the new version, a number greater than that of every update of the key before.
    /// Written beside the row, it is the check that keeps a stalled writer out as well; a lock alone
    /// cannot:
    ///
    /// ```sql
    /// UPDATE article SET price = $1, version = $2 WHERE id = $3 AND version < $2
    /// ```
    ///
    /// No row updated means that a later writer was faster. `update` says so with an error of its own,
    /// and its error type is made of the cache's errors too, for a lock that could not be had.
    ///
    /// The entry is invalidated when `update` has returned `Ok` or `Err`, has panicked or was dropped:
    /// a write that failed may have been committed. As under `#[invalidates]`, an invalidation that the
    /// store does not confirm is deferred, counted and told, and the result of `update` is returned.
    ///
    /// ```
    /// # use cached_redis::{Cache, Error};
    /// # async fn set_price(_: u64, _: u64) -> Result<(), Error> { Ok(()) }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Error> {
    /// # let cache = Cache::builder().url("memory://").build().await?;
    /// let version = cache
    ///     .update_versioned("price:42", |version| async move {
    ///         set_price(1900, version).await?;
    ///         Ok::<_, Error>(version)
    ///     })
    ///     .await?;
    /// # assert!(version > 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of `update`. Without its having run: made of [`Error::Contended`], when others held the
    /// lock for the [`wait_budget`](crate::Builder::wait_budget), or of [`Error::Store`], when the store
    /// is away.
    ///
    /// # Cancel safety
    ///
    /// Dropped while `update` runs, the key is invalidated and the lock is released.
    pub async fn update_versioned<T, E, F, U>(
        &self,
        key: impl AsRef<str>,
        update: F,
    ) -> Result<T, E>
    where
        E: From<Error>,
        F: FnOnce(u64) -> U,
        U: Future<Output = Result<T, E>>,
    {
        let lock = self.lock(key.as_ref()).await?;
        // Dropped before the lock is.
        let outdated = Outdated::new(&self.inner, self.key(key.as_ref()));
        let result = update(lock.fencing_token()).await;
        outdated.invalidate().await;
        // A lock that was lost has been told, and the version kept the source in order.
        let _ = lock.release().await;
        result
    }
}

/// A key that is invalidated whatever happens.
struct Outdated {
    inner: Arc<Inner>,
    key: Option<String>,
}

impl Outdated {
    fn new(inner: &Arc<Inner>, key: String) -> Self {
        Self {
            inner: Arc::clone(inner),
            key: Some(key),
        }
    }

    async fn invalidate(mut self) {
        if let Some(sent) = self.send() {
            // A failure has been counted and told.
            let _ = sent.await;
        }
    }

    /// `None`: it has been sent, or waits for the commit of an open transaction.
    fn send(&mut self) -> Option<Sent> {
        let site = &DIRECT.site;
        let removal = Removal::of(&self.inner, site, vec![self.key.take()?]);
        invalidate::in_turn(removal.published(true))
    }
}

impl Drop for Outdated {
    fn drop(&mut self) {
        // Nobody is left to wait for it: it is sent all the same.
        drop(self.send());
    }
}

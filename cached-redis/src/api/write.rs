//! Writing without attributes.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::engine::handle::Cache;
use crate::engine::label::Label;
use crate::error::Error;
use crate::observe::registry::DIRECT;
use crate::policy::Policy;
use crate::write::after_commit::AfterCommit;
use crate::write::guard::WriteGuard;
use crate::write::through::{self, Through};

impl Cache {
    /// Runs `write`, which changes the source and returns the new value, and stores that under
    /// `policy` if nobody else has written meanwhile; else, and after an error, the key is invalidated.
    /// What `#[write_through]` does, without the attribute; see
    /// [writing safely](crate::docs::writing#write-through).
    ///
    /// A value whose readers have tags is written by [`tagged`](Self::tagged). Without, where a function
    /// that has tags or a version may read the key, it is invalidated, with a warning.
    ///
    /// ```
    /// # use std::{io, time::Duration};
    /// # use cached_redis::{Cache, Policy};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cache = Cache::builder().url("memory://").build().await?;
    /// const POLICY: Policy = Policy::new().ttl(Duration::from_secs(60));
    ///
    /// let price = cache
    ///     .put_through(&POLICY, "price-of:7", || async { /* UPDATE … RETURNING */ Ok::<_, io::Error>(990_u64) })
    ///     .await?;
    /// assert_eq!(cache.get("price-of:7").await?, Some(price));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of `write`. The store's never: without it, `write` runs, and the key's invalidation is
    /// [deferred](crate::Invalidation::Deferred).
    ///
    /// # Cancel safety
    ///
    /// Dropped while `write` runs, it may have been committed: the key is invalidated.
    pub async fn put_through<T, E, F, L>(
        &self,
        policy: &Policy,
        key: impl AsRef<str>,
        write: F,
    ) -> Result<T, E>
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce() -> L,
        L: Future<Output = Result<T, E>>,
    {
        let through = Through::direct(self, self.key(key), Label::default());
        through::by_hand(through, policy, write).await
    }

    /// Collects what the functions inside a transaction invalidate, to send it when the transaction has
    /// been committed; see [writing safely](crate::docs::writing#transactions).
    pub fn after_commit(&self) -> AfterCommit {
        AfterCommit::new(Some(Arc::clone(&self.inner)))
    }

    /// Begins a write in two phases: from now on until it is finished, `keys` are loaded by everybody
    /// for themselves and not stored, so that even if this process dies right after its commit no
    /// old value outlives it. What `#[invalidates(…, guard)]` does, without the attribute; see
    /// [two-phase writers](crate::docs::guide#two-phase-writers).
    ///
    /// ```
    /// # use cached_redis::Cache;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cached_redis::Error> {
    /// # let cache = Cache::builder().url("memory://").guarded(true).build().await?;
    /// let write = cache.begin_write(["user:42", "team:7"]).await?;
    /// // … change the rows and commit …
    /// write.finish().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When the cache is not [`guarded`](crate::Builder::guarded), or the store could not bar all
    /// keys; then none stays barred. Go on and [invalidate](Self::invalidation) them afterwards,
    /// or give the write up.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the keys are invalidated and none stays barred.
    pub async fn begin_write<K: AsRef<str>>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<WriteGuard, Error> {
        let keys = keys.into_iter().map(|key| self.key(key)).collect();
        Ok(WriteGuard::begin(&self.inner, &DIRECT.site, keys, None).await?)
    }
}

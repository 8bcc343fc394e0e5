//! Writing by hand.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::api::entry::EntryRequest;
use crate::engine::handle::Cache;
use crate::error::Error;
use crate::observe::registry::DIRECT;
use crate::write::after_commit::AfterCommit;
use crate::write::guard::WriteGuard;
use crate::write::through::{self, Through};
use crate::write::{invalidate, update};

impl EntryRequest<'_> {
    /// Stores `value`; `Ok(false)` if an invalidation that came meanwhile, or one of the key or of one of
    /// its tags that is [deferred](crate::Invalidation::Deferred), had precedence, or another `put` or
    /// load; and inside the scope of an [`after_commit`](Cache::after_commit), whose transaction may be
    /// rolled back.
    ///
    /// `put` first takes a lease, and the value must still be current then: an invalidation that ends
    /// before is not noticed. For a value that was read from a source that others write to, use
    /// [`get_or_fill`](Self::get_or_fill) or [`refreshed`](crate::CachedExt::refreshed), and for one that
    /// is written there [`put_through`](Self::put_through); they fence the load, and the write, as well.
    ///
    /// A value whose readers have tags needs [`tags`](Self::tags). Without, where a function that
    /// has tags or a version may read the key, the key is invalidated instead, with a warning, and that is
    /// `Ok(false)` too.
    ///
    /// # Errors
    ///
    /// When the store fails, no layer gives a TTL, there are too many tags, or no codec can keep the value.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the value may or may not be stored.
    pub async fn put<T>(self, value: &T) -> Result<bool, Error>
    where
        T: Serialize + DeserializeOwned,
    {
        invalidate::put(
            &self.cache.inner,
            self.policy,
            &self.key,
            &self.label,
            value,
        )
        .await
    }

    /// Runs `write`, which changes the source and returns the new value, and stores that if nobody
    /// else has written meanwhile; else, and after an error, the key is invalidated.
    /// What `#[write_through]` does, without the attribute; see
    /// [writing safely](crate::docs::writing#write-through).
    ///
    /// A value whose readers have tags needs [`tags`](Self::tags). Without, where a function
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
    ///     .entry("price-of:7")
    ///     .policy(&POLICY)
    ///     .put_through(|| async { /* UPDATE … RETURNING */ Ok::<_, io::Error>(990_u64) })
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
    pub async fn put_through<T, E, F, L>(self, write: F) -> Result<T, E>
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce() -> L,
        L: Future<Output = Result<T, E>>,
    {
        let through = Through::direct(self.cache, self.key, self.label);
        through::by_hand(through, self.policy, write).await
    }

    /// Replaces the value by what `change` makes of it, and returns the new one: an optimistic read-modify-write that loses no update, however many callers in however many
    /// processes there are. See [updating a cached value](crate::docs::values#updating-a-cached-value).
    ///
    /// `change` gets `None` where nothing stands: never stored, past its TTL, evicted or
    /// invalidated. It may
    /// run several times, each time with the current value, so it should do nothing but compute. Its
    /// error gives up: nothing is changed, and the error is returned. `E` is made of the cache's own
    /// errors as well; [`Error`] itself will do where `change` has none.
    ///
    /// Each update gives the entry the whole TTL of the policy anew. [`get`](Self::get) reads it. A
    /// value that lacks one of the [`tags`](Self::tags), or is of another version, is taken for none.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use cached_redis::{Cache, Error, Policy};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Error> {
    /// # let cache = Cache::builder().url("memory://").build().await?;
    /// const VISITS: Policy = Policy::new().ttl(Duration::from_secs(3600));
    ///
    /// for visit in 1..=3 {
    ///     let visits = cache
    ///         .entry("visits:home")
    ///         .policy(&VISITS)
    ///         .update(|visits: Option<u64>| Ok::<_, Error>(visits.unwrap_or(0) + 1))
    ///         .await?;
    ///     assert_eq!(visits, visit);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of `change`, and made of [`Error`], all but `Unconfirmed` with nothing changed:
    ///
    /// * [`Error::Contended`]: others were faster at each of
    ///   [`update_attempts`](crate::Builder::update_attempts), or a load, a guarded write or the removal of a
    ///   pattern held the key for the [`wait_budget`](crate::Builder::wait_budget);
    /// * [`Error::Unconfirmed`]: it may have been stored;
    /// * [`Error::Deferred`]: an invalidation of the key waits for its replay;
    /// * [`Error::Unreadable`]: something that is no `T` stands there;
    /// * [`Error::Unstorable`], [`Error::Setting`]: the value or the policy cannot be used. The former,
    ///   with a warning, also where a function that has tags or a version may read the key: the key is
    ///   invalidated. Such a value needs [`tags`](Self::tags);
    /// * [`Error::Store`]: the store is away or refuses.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the update was made or not, once or not at all.
    pub async fn update<T, E, F>(self, change: F) -> Result<T, E>
    where
        T: Serialize + DeserializeOwned,
        E: From<Error>,
        F: FnMut(Option<T>) -> Result<T, E>,
    {
        update::update(&self.cache.inner, self.policy, self.key, self.label, change).await
    }
}

impl Cache {
    /// Collects what the functions inside a transaction invalidate, to send it when the transaction has
    /// been committed; see [writing safely](crate::docs::transactions#transactions).
    pub fn after_commit(&self) -> AfterCommit {
        AfterCommit::new(Some(Arc::clone(&self.inner)))
    }

    /// Begins a write in two phases: from now on until it is finished, `keys` are loaded by everybody
    /// for themselves and not stored, so that even if this process dies right after its commit no
    /// old value outlives it. What `#[invalidates(…, guard)]` does, without the attribute; see
    /// [two-phase writers](crate::docs::two_phases#two-phase-writers).
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

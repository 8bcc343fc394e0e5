//! Writing and invalidating without attributes.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::api::tagged;
use crate::engine::handle::Cache;
use crate::engine::label::Label;
use crate::error::{Error, Unguarded};
use crate::observe::registry::{self, DIRECT};
use crate::policy::Policy;
use crate::wire::key::Pattern;
use crate::write::after_commit::AfterCommit;
use crate::write::guard::WriteGuard;
use crate::write::invalidate;
use crate::write::invalidation::Invalidation;
use crate::write::removal::Removal;
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
    /// [deferred](Invalidation::Deferred).
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

    /// Removes the entry under `key`. Once this has returned [`Invalidation::Done`], no read that
    /// starts afterwards, in any process, returns a value that was loaded before; after
    /// [`Invalidation::Deferred`] that holds for this process, and for others later.
    ///
    /// # Errors
    ///
    /// None at present: what the store does not confirm is [`Invalidation::Deferred`].
    ///
    /// # Cancel safety
    ///
    /// Polled once, the invalidation is sent even if this future is dropped.
    pub async fn invalidate(&self, key: impl AsRef<str>) -> Result<Invalidation, Error> {
        self.invalidate_many([key]).await
    }

    /// Removes the entries under all `keys`, up to 500 in one round trip; see
    /// [`invalidate`](Self::invalidate).
    ///
    /// # Errors
    ///
    /// As [`invalidate`](Self::invalidate).
    ///
    /// # Cancel safety
    ///
    /// Polled once, the invalidation is sent even if this future is dropped.
    pub async fn invalidate_many<K: AsRef<str>>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<Invalidation, Error> {
        self.invalidate_after(keys, None).await
    }

    /// As [`invalidate_many`](Self::invalidate_many), and for so long nobody stores what is loaded
    /// under `keys`: a source whose replicas lag may still answer with the old value. What
    /// `#[invalidates(…, replica_lag = …)]` does, without the attribute.
    ///
    /// # Errors
    ///
    /// When the cache is not [`guarded`](crate::Builder::guarded), and nothing was sent.
    ///
    /// # Cancel safety
    ///
    /// Polled once, the invalidation is sent even if this future is dropped.
    pub async fn invalidate_lagging<K: AsRef<str>>(
        &self,
        keys: impl IntoIterator<Item = K>,
        replica_lag: Duration,
    ) -> Result<Invalidation, Error> {
        if !self.inner.settings.guarded {
            return Err(Unguarded::NotEnabled.into());
        }
        self.invalidate_after(keys, Some(replica_lag)).await
    }

    async fn invalidate_after<K: AsRef<str>>(
        &self,
        keys: impl IntoIterator<Item = K>,
        hold_off: Option<Duration>,
    ) -> Result<Invalidation, Error> {
        let keys: Vec<_> = keys.into_iter().map(|key| self.key(key)).collect();
        let removal = Removal {
            hold_off,
            ..Removal::of(&self.inner, &DIRECT.site, keys)
        };
        invalidate::send(removal).await
    }

    /// Removes the entries under all keys that match `pattern`, in which `*` stands for any text and
    /// everything else for itself. Once this has returned, all that [`invalidate`](Self::invalidate)
    /// promises holds for each of these keys.
    ///
    /// The store is scanned from one end to the other, whatever the number of keys that match; see
    /// [patterns](crate::docs::guide#patterns). Build the pattern with [`Key`](crate::Key) when it
    /// contains foreign values: a `*` in one of them is then no wildcard.
    ///
    /// ```
    /// # use cached_redis::{Cache, Key};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cached_redis::Error> {
    /// # let cache = Cache::builder().url("memory://").build().await?;
    /// # let name = "a*b";
    /// cache.invalidate_matching("user:42:*").await?;
    /// cache.invalidate_matching(Key::new("search:").value(name).text(":*")).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When the pattern matches every key there is; and as [`invalidate`](Self::invalidate).
    ///
    /// # Cancel safety
    ///
    /// Polled once, the invalidation is sent even if this future is dropped.
    pub async fn invalidate_matching(
        &self,
        pattern: impl AsRef<str>,
    ) -> Result<Invalidation, Error> {
        let pattern = Pattern::new(&self.inner.namespace, pattern.as_ref());
        if pattern.is_everything() {
            return Err(Error::setting("pattern", "matches every key there is"));
        }
        invalidate::invalidate(&self.inner, &DIRECT.site, pattern).await
    }

    /// Removes all entries of one function under `#[redis_cached]`, known by its name alone or with
    /// its module: `"get_user"`, `"users::get_user"`. Once this has returned, all that
    /// [`invalidate`](Self::invalidate) promises holds for each of its keys.
    ///
    /// The entries are those under the keys that its template can make, so functions that share a
    /// template lose theirs as well. The store is scanned from one end to the other, as for a
    /// [pattern](Self::invalidate_matching); of a function with `tags` one command is enough.
    ///
    /// ```standalone_crate
    /// # use cached_redis::{Cache, redis_cached};
    /// #[redis_cached(ttl = 60, key = "user:<id>")]
    /// async fn get_user(id: u64) -> String {
    ///     format!("user {id}")
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cached_redis::Error> {
    /// # let cache = Cache::builder().url("memory://").build().await?;
    /// cache.clear("get_user").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::UnknownFunction`] and [`Error::AmbiguousFunction`]; and as
    /// [`invalidate`](Self::invalidate).
    ///
    /// # Cancel safety
    ///
    /// Polled once, the invalidation is sent even if this future is dropped.
    pub async fn clear(&self, function: &str) -> Result<Invalidation, Error> {
        let function = registry::function(function)?;
        if !function.info.tags.is_empty() {
            return tagged::clear(&self.inner, function).await;
        }
        let template = function.info.template;
        let all = Pattern::of_template(&self.inner.namespace, template);
        invalidate::invalidate(&self.inner, &function.site, all).await
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
    /// keys; then none stays barred. Go on and [`invalidate_many`](Self::invalidate_many) afterwards,
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

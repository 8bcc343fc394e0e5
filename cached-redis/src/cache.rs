//! What users do with a cache.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::behind::InPlace;
use crate::builder::Builder;
use crate::call::Call;
use crate::catalog::Catalog;
use crate::error::Unguarded;
use crate::feed::{Consumer, DurableEvents, Events, InvalidationListener, Publishing};
use crate::guard::WriteGuard;
use crate::handle::{self, Inner};
use crate::key::Pattern;
use crate::read::Task;
use crate::registry::{self, DIRECT};
use crate::shape::{Fallible, FallibleOptional, Kept};
use crate::stats::Stats;
use crate::tag::Tags;
use crate::through::{self, Through};
use crate::{
    AfterCommit, Cache, Error, Invalidation, Mode, Policy, codec, key, matching, read, tagged,
    verdict, write,
};

impl Cache {
    /// Starts configuring a cache.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Makes this the cache of all annotated functions that name no other.
    ///
    /// # Errors
    ///
    /// [`Error::AlreadyInstalled`] if there is one; it stays.
    pub fn install(self) -> Result<(), Error> {
        handle::install(self).map_err(|_| Error::AlreadyInstalled)
    }

    /// Runs `future` with this cache in the place of the installed one: this is how tests run in
    /// parallel. It does not cross `tokio::spawn`; [`Cache::spawn`] does.
    pub fn scope<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        handle::scope(self.clone(), future)
    }

    /// Spawns `future` on the current runtime with this cache in scope.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime, as `tokio::spawn` does.
    pub fn spawn<F>(&self, future: F) -> tokio::task::JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        tokio::spawn(self.scope(future))
    }

    /// The entry under `key`, or the result of `load`, which is then stored under `policy`.
    ///
    /// What the attribute does, without the attribute: one load per key, and a load that an
    /// invalidation has overtaken is not stored. `key` is taken as it is; build it with
    /// [`Key`](crate::Key) when it contains foreign values. Errors are not stored; callers that
    /// waited for a load that failed load for themselves, one after the other.
    ///
    /// ```
    /// # use std::{io, time::Duration};
    /// # use cached_redis::{Cache, Key, Policy};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cache = Cache::builder().url("memory://").build().await?;
    /// const POLICY: Policy = Policy::new().ttl(Duration::from_secs(60));
    ///
    /// let page = "a/b";
    /// let hits = cache
    ///     .get_or_fill(&POLICY, Key::new("hits:").value(page), || async { Ok::<_, io::Error>(7_u64) })
    ///     .await?;
    /// assert_eq!(hits, 7);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of `load`. The store's never: without it, `load` runs.
    ///
    /// # Cancel safety
    ///
    /// Dropped while `load` runs, its lease is released and waiters go on with their own loads.
    pub async fn get_or_fill<T, E, F, L>(
        &self,
        policy: &Policy,
        key: impl AsRef<str>,
        load: F,
    ) -> Result<T, E>
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce() -> L,
        L: Future<Output = Result<T, E>>,
    {
        let call = Call::direct(&DIRECT, self, self.key(key));
        read::read(
            call,
            policy,
            Fallible::new(),
            Kept,
            codec::FromCache,
            Task {
                load: InPlace(load),
                verdict: verdict::store,
            },
        )
        .await
    }

    /// As [`get_or_fill`](Self::get_or_fill), for a value that may be absent: a `None` is kept for
    /// the policy's negative TTL.
    ///
    /// # Errors
    ///
    /// Those of `load`.
    ///
    /// # Cancel safety
    ///
    /// As [`get_or_fill`](Self::get_or_fill).
    pub async fn get_or_fill_optional<T, E, F, L>(
        &self,
        policy: &Policy,
        key: impl AsRef<str>,
        load: F,
    ) -> Result<Option<T>, E>
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce() -> L,
        L: Future<Output = Result<Option<T>, E>>,
    {
        let call = Call::direct(&DIRECT, self, self.key(key));
        read::read(
            call,
            policy,
            FallibleOptional::new(),
            Kept,
            codec::FromCache,
            Task {
                load: InPlace(load),
                verdict: verdict::store,
            },
        )
        .await
    }

    /// The value under `key`, if a live entry of this type is there. A cached absence is `None`, and
    /// so is a key whose invalidation was [deferred](Invalidation::Deferred).
    ///
    /// # Errors
    ///
    /// When the store fails.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn get<T: DeserializeOwned>(&self, key: impl AsRef<str>) -> Result<Option<T>, Error> {
        read::peek(&self.inner, &self.key(key)).await
    }

    /// Stores `value` under `key`; `Ok(false)` if an invalidation that came meanwhile, or one that is
    /// [deferred](Invalidation::Deferred), had precedence, or another `put` or load.
    ///
    /// `put` first takes a lease, and the value must still be current then: an invalidation that ends
    /// before is not noticed. For a value that was read from a source that others write to, use
    /// [`get_or_fill`](Self::get_or_fill) or [`refreshed`](crate::CachedExt::refreshed), and for one that
    /// is written there [`put_through`](Self::put_through); they fence the load, and the write, as well.
    ///
    /// # Errors
    ///
    /// When the store fails, no layer gives a TTL, or no codec can keep the value.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the value may or may not be stored.
    pub async fn put<T>(
        &self,
        policy: &Policy,
        key: impl AsRef<str>,
        value: &T,
    ) -> Result<bool, Error>
    where
        T: Serialize + DeserializeOwned,
    {
        write::put(&self.inner, policy, &self.key(key), &Tags::default(), value).await
    }

    /// Runs `write`, which changes the source and returns the new value, and stores that under
    /// `policy` if nobody else has written meanwhile; else, and after an error, the key is invalidated.
    /// What `#[write_through]` does, without the attribute; see
    /// [writing safely](crate::docs::writing#write-through).
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
    ///     .put_through(&POLICY, "price:7", || async { /* UPDATE … RETURNING */ Ok::<_, io::Error>(990_u64) })
    ///     .await?;
    /// assert_eq!(cache.get("price:7").await?, Some(price));
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
        let through = Through::direct(self, self.key(key));
        through::write(
            through,
            policy,
            Fallible::new(),
            codec::FromCache,
            verdict::store,
            write,
        )
        .await
    }

    /// Collects what the functions inside a transaction invalidate, to send it when the transaction has
    /// been committed; see [writing safely](crate::docs::writing#transactions).
    pub fn after_commit(&self) -> AfterCommit {
        AfterCommit::new(&self.inner)
    }

    /// Removes the entry under `key`. Once this has returned [`Invalidation::Done`], no read that
    /// starts afterwards, in any process, returns a value that was loaded before; after
    /// [`Invalidation::Deferred`] that holds for this process, and for others later.
    ///
    /// # Errors
    ///
    /// When the runtime is ending, so that nothing can be sent or kept.
    ///
    /// # Cancel safety
    ///
    /// Polled once, the invalidation is sent even if this future is dropped.
    pub async fn invalidate(&self, key: impl AsRef<str>) -> Result<Invalidation, Error> {
        self.invalidate_many([key]).await
    }

    /// Removes the entries under all `keys` in one round trip; see [`invalidate`](Self::invalidate).
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
    /// When the store did not confirm; and when the cache is not
    /// [`guarded`](crate::Builder::guarded), and nothing was sent.
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
        let keys = keys.into_iter().map(|key| self.key(key)).collect();
        write::invalidate(&self.inner, &DIRECT.site, keys, hold_off).await
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
        matching::invalidate(&self.inner, &DIRECT.site, pattern).await
    }

    /// Removes all entries of one function under `#[redis_cached]`, known by its name alone or with
    /// its module: `"get_user"`, `"users::get_user"`. Once this has returned, all that
    /// [`invalidate`](Self::invalidate) promises holds for each of its keys.
    ///
    /// The entries are those under the keys that its template can make, so functions that share a
    /// template lose theirs as well. The store is scanned from one end to the other, as for a
    /// [pattern](Self::invalidate_matching).
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
        matching::invalidate(&self.inner, &function.site, all).await
    }

    /// Waits until the store has confirmed all deferred invalidations and events, but not longer than
    /// [`flush_timeout`](crate::Builder::flush_timeout). For the end of a program: those that are
    /// left when the last clone of a cache is dropped are lost.
    ///
    /// # Errors
    ///
    /// [`Error::Unflushed`] when some are left; they go on being tried.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn flush(&self) -> Result<(), Error> {
        let Inner {
            journal, outbox, ..
        } = &*self.inner;
        journal.hurry();
        let all = async {
            journal.until(false).await;
            outbox.until_empty().await;
        };
        // Whether that was in time is seen from what is left.
        let _ = timeout(self.inner.settings.flush_timeout, all).await;
        match self.inner.pending() {
            pending if pending.is_empty() => Ok(()),
            pending => Err(Error::Unflushed { pending }),
        }
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

    /// How much the function of this name, with or without its module, uses this cache.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownFunction`] and [`Error::AmbiguousFunction`].
    pub fn mode(&self, function: &str) -> Result<Mode, Error> {
        let function = registry::function(function)?;
        Ok(self.inner.modes.of(&function.site))
    }

    /// Changes how much a function uses this cache, from its next call on: see [`Mode`].
    ///
    /// # Errors
    ///
    /// [`Error::UnknownFunction`] and [`Error::AmbiguousFunction`].
    pub fn set_mode(&self, function: &str, mode: Mode) -> Result<(), Error> {
        self.inner.modes.set(function, mode)
    }

    /// This cache with invalidations that are published, so that other services hear of them: see
    /// [events](crate::docs::events). What `#[invalidates(…, publish)]` does, without the attribute.
    ///
    /// ```
    /// # use cached_redis::{Cache, Notice};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cached_redis::Error> {
    /// # let cache = Cache::builder().url("memory://").build().await?;
    /// let mut events = cache.events().await;
    /// cache.publishing().invalidate("price:42").await?;
    ///
    /// let Some(Notice::Invalidated(event)) = events.next().await else { panic!() };
    /// assert_eq!(event.keys, ["price:42"]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn publishing(&self) -> Publishing<'_> {
        Publishing::new(self)
    }

    /// The invalidations that are published in this namespace from now on, by any process and this
    /// cache as well; each at most once. See [events](crate::docs::events).
    ///
    /// On Redis it has a connection of its own, which is made again whenever it is lost. That it
    /// cannot be made yet is no error: the first notice then is a [`Notice::Gap`](crate::Notice::Gap).
    ///
    /// # Cancel safety
    ///
    /// Dropped early, nothing remains.
    pub async fn events(&self) -> Events {
        let channel = self.inner.outbox.channel();
        let (mailbox, subscriber) = self.inner.store.listen(channel).await;
        Events::new(mailbox, subscriber)
    }

    /// The published invalidations of this namespace as one consumer of a group; each waits until it was
    /// acknowledged, so a service that was down misses nothing. The processes that publish must have
    /// [`event_stream`](Builder::event_stream) on. See [events](crate::docs::events).
    ///
    /// On Redis it has a connection of its own, which is made again whenever it is lost. Where the group
    /// is to begin with the next event and could not be made yet, the first notice is a
    /// [`Notice::Gap`](crate::Notice::Gap).
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the group may have been made.
    pub async fn durable_events(&self, consumer: Consumer) -> DurableEvents {
        DurableEvents::open(self, consumer).await
    }

    /// Invalidates what the messages on a channel name, until the listener is dropped: the way for
    /// programs in any language. See [events](crate::docs::events#invalidating-from-elsewhere).
    ///
    /// A message is the text of one key, without the namespace, or JSON:
    /// `{"keys": ["user:42"], "tags": ["team:7"], "patterns": ["user:42:*"]}`. On Redis the listener has
    /// a connection of its own, which is made again whenever it is lost; what is sent meanwhile is
    /// missed, told by a warning and counted as `ingestion_gaps`.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, nothing remains.
    pub async fn listen_for_invalidations(&self, channel: &str) -> InvalidationListener {
        InvalidationListener::open(&self.inner, channel).await
    }

    /// What the events of this cache have in their field `by`: a random text, new for each cache.
    #[must_use]
    pub fn source(&self) -> &str {
        self.inner.outbox.source()
    }

    /// What happened since the cache was built, per function.
    pub fn stats(&self) -> Stats {
        self.inner.stats()
    }

    /// Every annotated function of the program.
    pub fn catalog(&self) -> Catalog {
        Catalog::collect()
    }

    pub(crate) fn key(&self, key: impl AsRef<str>) -> String {
        key::full_key(&self.inner.namespace, key.as_ref())
    }
}

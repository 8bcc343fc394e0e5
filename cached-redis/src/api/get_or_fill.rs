//! Reading and storing without attributes.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::api::warm::Warm;
use crate::engine::batched::Batched;
use crate::engine::handle::Cache;
use crate::engine::label::Label;
use crate::engine::shape::{ErrorSharing, Fallible, FallibleOptional, Kept, Shape};
use crate::engine::verdict::{self, Verdict};
use crate::error::Error;
use crate::observe::registry::DIRECT;
use crate::policy::Policy;
use crate::read::batch::{self, Batch, Each};
use crate::read::call::Call;
use crate::read::flow::{self, Task};
use crate::read::renew::{Background, Detached, InPlace};
use crate::wire::codec::FromCache;
use crate::wire::form::Whole;
use crate::write::invalidate;

/// Answers a call that no attribute made.
pub(crate) async fn by_hand<S, F>(call: Call, policy: &Policy, shape: S, load: F) -> S::Return
where
    S: Shape<Value: Serialize + DeserializeOwned>,
    Kept: ErrorSharing<S::Error>,
    F: Background<S, Kept, FromCache, fn(&S::Ok) -> Verdict>,
{
    let verdict: fn(&S::Ok) -> Verdict = verdict::store;
    flow::read(call, policy, shape, Kept, FromCache, Task { load, verdict }).await
}

impl Cache {
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
        by_hand(call, policy, Fallible::new(), InPlace(load)).await
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
        by_hand(call, policy, FallibleOptional::new(), InPlace(load)).await
    }

    /// As [`get_or_fill`](Self::get_or_fill), for a load that owns all that it needs: what `policy` lets
    /// happen behind a value that is served ([`stale_while_revalidate`](Policy::stale_while_revalidate),
    /// [`refresh_ahead`](Policy::refresh_ahead), [`early_expiry`](Policy::early_expiry),
    /// [`soft_timeout`](Policy::soft_timeout)) happens in a task of its own, and no caller waits for it.
    ///
    /// ```
    /// # use std::{io, time::Duration};
    /// # use cached_redis::{Cache, Policy};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cache = Cache::builder().url("memory://").build().await?;
    /// const POLICY: Policy = Policy::new()
    ///     .ttl(Duration::from_secs(60))
    ///     .stale_while_revalidate(Duration::from_secs(600));
    ///
    /// let city = "Bern".to_owned();
    /// let weather = cache
    ///     .get_or_fill_behind(&POLICY, "weather", move || async move {
    ///         Ok::<_, io::Error>(format!("sun over {city}"))
    ///     })
    ///     .await?;
    /// # assert_eq!(weather, "sun over Bern");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of `load`, where there is no value that could be served.
    ///
    /// # Cancel safety
    ///
    /// As [`get_or_fill`](Self::get_or_fill); what runs in a task of its own goes on.
    pub async fn get_or_fill_behind<T, E, F, L>(
        &self,
        policy: &Policy,
        key: impl AsRef<str>,
        load: F,
    ) -> Result<T, E>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        E: Send + 'static,
        F: FnOnce() -> L + Send + 'static,
        L: Future<Output = Result<T, E>> + Send + 'static,
    {
        let call = Call::direct(&DIRECT, self, self.key(key));
        by_hand(call, policy, Fallible::new(), Detached(|| load)).await
    }

    /// The values of many `ids`, each from the entry under its `key`; those that are missing are
    /// loaded together, by one call of `load`, and stored under `policy`. What
    /// [batches](crate::docs::guide#batches) do, without the attribute.
    ///
    /// `load` gives a `HashMap` or a `BTreeMap`; an id that is not in it is kept as absent, for the
    /// policy's negative TTL. Ids of one key share its entry. Without ids there is no load. It may be
    /// called again, with other ids: when a load of somebody else that was waited for came to nothing.
    ///
    /// ```
    /// # use std::{collections::HashMap, io, time::Duration};
    /// # use cached_redis::{Cache, Key, Policy};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cache = Cache::builder().url("memory://").build().await?;
    /// const POLICY: Policy = Policy::new().ttl(Duration::from_secs(60));
    ///
    /// let squares = cache
    ///     .get_or_fill_many(&POLICY, [2_u64, 3], |id| Key::new("square:").value(id), |missing| async move {
    ///         let squares = missing.into_iter().map(|id| (id, id * id));
    ///         Ok::<HashMap<_, _>, io::Error>(squares.collect())
    ///     })
    ///     .await?;
    /// assert_eq!(squares[&3], 9);
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
    /// As [`get_or_fill`](Self::get_or_fill), for all ids.
    pub async fn get_or_fill_many<M, E, F, L, R>(
        &self,
        policy: &Policy,
        ids: impl IntoIterator<Item = M::Id>,
        mut key: impl FnMut(&M::Id) -> R,
        load: F,
    ) -> Result<M, E>
    where
        M: Batched<Value: Serialize + DeserializeOwned>,
        F: FnMut(Vec<M::Id>) -> L,
        L: Future<Output = Result<M, E>>,
        R: AsRef<str>,
    {
        let ids = ids.into_iter().collect();
        let batch = Batch::direct(self, ids, |id| self.key(key(id)));
        let task = batch::Task {
            errors: Kept,
            codec: FromCache,
            verdict: verdict::store,
            load,
        };
        batch::read(
            batch,
            policy,
            Each::new(Fallible::<M, E>::new(), Whole, None),
            task,
        )
        .await
    }

    /// The value under `key`, if a live entry of this type is there. A cached absence is `None`, and
    /// so is a key whose invalidation was [deferred](crate::Invalidation::Deferred).
    ///
    /// # Errors
    ///
    /// When the store fails.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn get<T>(&self, key: impl AsRef<str>) -> Result<Option<T>, Error>
    where
        T: Serialize + DeserializeOwned,
    {
        flow::peek(&self.inner, &self.key(key)).await
    }

    /// Stores `value` under `key`; `Ok(false)` if an invalidation that came meanwhile, or one that is
    /// [deferred](crate::Invalidation::Deferred), had precedence, or another `put` or load; and inside
    /// the scope of an [`after_commit`](Self::after_commit), whose transaction may be rolled back.
    ///
    /// `put` first takes a lease, and the value must still be current then: an invalidation that ends
    /// before is not noticed. For a value that was read from a source that others write to, use
    /// [`get_or_fill`](Self::get_or_fill) or [`refreshed`](crate::CachedExt::refreshed), and for one that
    /// is written there [`put_through`](Self::put_through); they fence the load, and the write, as well.
    ///
    /// A value whose readers have tags is put by [`tagged`](Self::tagged). Without, where a function that
    /// has tags or a version may read the key, the key is invalidated instead, with a warning, and that is
    /// `Ok(false)` too.
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
        invalidate::put(
            &self.inner,
            policy,
            &self.key(key),
            &Label::default(),
            value,
        )
        .await
    }

    /// Calls an annotated function for each of `items`, with this cache in scope, so that later
    /// readers find its values: await what this returns. See
    /// [warming up](crate::docs::guide#warming-up).
    ///
    /// ```
    /// # use std::convert::Infallible;
    /// # use cached_redis::{Cache, redis_cached};
    /// #[redis_cached(ttl = 3600, key = "square:<n>")]
    /// async fn square(n: u64) -> Result<u64, Infallible> {
    ///     Ok(n * n)
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cached_redis::Error> {
    /// # let cache = Cache::builder().url("memory://").build().await?;
    /// let warm_up = cache.warm(1..=100, |n| square(n)).concurrency(8).await;
    /// assert_eq!(warm_up.calls.loaded, 100);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// None: the error of a call does not stop the others. They are counted, and the first ones kept.
    ///
    /// # Cancel safety
    ///
    /// Dropped, the calls that run are dropped with it, and what was stored stays.
    pub fn warm<'a, I, F>(&self, items: I, call: F) -> Warm<'a, I::IntoIter, F>
    where
        I: IntoIterator,
    {
        Warm::new(self, items.into_iter(), call)
    }
}

//! Reading and storing without attributes.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::behind::{Detached, InPlace};
use crate::call::Call;
use crate::read::Task;
use crate::registry::DIRECT;
use crate::shape::{Fallible, FallibleOptional, Kept};
use crate::tag::Tags;
use crate::{Cache, Error, Policy, codec, read, verdict, write};

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
        let task = Task {
            load: Detached(|| load),
            verdict: verdict::store,
        };
        let codec = codec::FromCache;
        read::read(call, policy, Fallible::new(), Kept, codec, task).await
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
    pub async fn get<T: DeserializeOwned>(&self, key: impl AsRef<str>) -> Result<Option<T>, Error> {
        read::peek(&self.inner, &self.key(key)).await
    }

    /// Stores `value` under `key`; `Ok(false)` if an invalidation that came meanwhile, or one that is
    /// [deferred](crate::Invalidation::Deferred), had precedence, or another `put` or load.
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
}

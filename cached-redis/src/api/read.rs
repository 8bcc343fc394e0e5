//! Reading by hand.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::api::entry::{Detached, EntryRequest, Presence};
use crate::engine::plan::Plan;
use crate::engine::shape::Kept;
use crate::engine::verdict::{self, Verdict};
use crate::error::Error;
use crate::read::call::Call;
use crate::read::load::{self, InPlace, Load};
use crate::read::{flow, peek};
use crate::wire::codec::FromCache;

impl<V: Presence> EntryRequest<'_, V> {
    /// The value of the entry, or the result of `load`, which is then stored.
    ///
    /// One load per key, and a load that an invalidation has overtaken is not stored. Errors are not stored;
    /// callers that waited for a load that failed load for themselves, one after the other.
    ///
    /// # Errors
    ///
    /// Those of `load`. The store's never: without it, `load` runs.
    ///
    /// # Cancel safety
    ///
    /// Dropped while `load` runs, its lease is released and waiters go on with their own loads.
    pub async fn get_or_fill<T, E, F, L>(self, load: F) -> Result<V::Ok<T>, E>
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce() -> L,
        L: Future<Output = Result<V::Ok<T>, E>>,
    {
        self.read(InPlace(load)).await
    }
}

impl<V: Presence> EntryRequest<'_, V, Detached> {
    /// As without [`detached`](EntryRequest::detached), for a `load` that owns all that it needs.
    ///
    /// # Errors
    ///
    /// Those of `load`, where there is no value that could be served.
    ///
    /// # Cancel safety
    ///
    /// Dropped while `load` runs for it, its lease is released and waiters go on with their own loads; what
    /// runs in a task of its own goes on.
    pub async fn get_or_fill<T, E, F, L>(self, load: F) -> Result<V::Ok<T>, E>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        E: Send + 'static,
        F: FnOnce() -> L + Send + 'static,
        L: Future<Output = Result<V::Ok<T>, E>> + Send + 'static,
        V: 'static,
        V::Ok<T>: Send,
    {
        self.read(load::Detached(|| load)).await
    }
}

impl EntryRequest<'_> {
    /// The value, if a live entry of this type is there. A cached absence is `None`, and
    /// so is a key whose invalidation was [deferred](crate::Invalidation::Deferred).
    ///
    /// # Errors
    ///
    /// When the store fails.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn get<T>(self) -> Result<Option<T>, Error>
    where
        T: Serialize + DeserializeOwned,
    {
        peek::peek(&self.cache.inner, &self.key, &self.label).await
    }
}

impl<V: Presence, L> EntryRequest<'_, V, L> {
    async fn read<T, E, F>(self, load: F) -> Result<V::Ok<T>, E>
    where
        T: Serialize + DeserializeOwned,
        F: Load<Plan<V::Shape<T, E>, Kept, FromCache, fn(&V::Ok<T>) -> Verdict>>,
    {
        let call = Call::direct(self.cache, self.key, self.label);
        let plan = Plan {
            shape: V::shape(),
            errors: Kept,
            codec: FromCache,
            verdict: verdict::store as fn(&_) -> _,
        };
        flow::read(call, self.policy, plan, load).await
    }
}

//! Reading many entries by hand.

use std::fmt::{self, Display};
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::api::entry::{Detached, InPlace};
use crate::engine::handle::Cache;
use crate::engine::id_map::IdMap;
use crate::engine::label::Label;
use crate::engine::plan::Plan;
use crate::engine::shape::{Fallible, Kept};
use crate::engine::verdict::{self, Verdict};
use crate::observe::registry::DIRECT;
use crate::policy::Policy;
use crate::read::batch::{self, Batch, Each, Loads};
use crate::read::load;
use crate::wire::codec::FromCache;
use crate::wire::form::Whole;
use crate::wire::version::source_version;

impl Cache {
    /// The entries of many `ids`, each under its `key`, to be read with options. What
    /// [batches](crate::docs::batches#batches) do, without the attribute. Ids of one key share its entry.
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
    ///     .entries([2_u64, 3], |id| Key::new("square:").value(id))
    ///     .policy(&POLICY)
    ///     .get_or_fill(|missing| async move {
    ///         let squares = missing.into_iter().map(|id| (id, id * id));
    ///         Ok::<HashMap<_, _>, io::Error>(squares.collect())
    ///     })
    ///     .await?;
    /// assert_eq!(squares[&3], 9);
    /// # Ok(())
    /// # }
    /// ```
    pub fn entries<K, R: AsRef<str>>(
        &self,
        ids: impl IntoIterator<Item = K>,
        mut key: impl FnMut(&K) -> R,
    ) -> EntriesRequest<'_, K> {
        let ids: Vec<_> = ids.into_iter().collect();
        EntriesRequest {
            cache: self,
            keys: ids
                .iter()
                .map(|id| (self.key(key(id)), Label::default()))
                .collect(),
            ids,
            policy: &DIRECT.info.policy,
            form: PhantomData,
        }
    }
}

/// Many entries, and how they are read; made by [`Cache::entries`]. `L` says where a load runs.
#[must_use = "it does nothing by itself"]
pub struct EntriesRequest<'a, K, L = InPlace> {
    cache: &'a Cache,
    ids: Vec<K>,
    keys: Vec<(String, Label)>,
    policy: &'a Policy,
    form: PhantomData<fn() -> L>,
}

impl<'a, K, L> EntriesRequest<'a, K, L> {
    /// How what is stored lives. By default as the [builder](crate::Builder) says; nothing is stored where
    /// neither gives a TTL.
    pub fn policy(mut self, policy: &'a Policy) -> Self {
        self.policy = policy;
        self
    }

    /// What the entry of each id carries: invalidating one of its `tags` drops it; none by default. See
    /// [`EntryRequest::tags`](crate::request::EntryRequest::tags).
    pub fn tags<T: AsRef<str>, I: IntoIterator<Item = T>>(
        self,
        mut tags: impl FnMut(&K) -> I,
    ) -> Self {
        let namespace = &self.cache.inner.namespace;
        self.labelled(|label, id| label.tags.extend(namespace, tags(id)))
    }

    /// The source's current version of each id: an entry of another one is a miss, and what is stored is of this
    /// one; none by default. See [`EntryRequest::version`](crate::request::EntryRequest::version).
    pub fn version<D: Display>(self, mut version: impl FnMut(&K) -> D) -> Self {
        self.labelled(|label, id| label.version = Some(source_version(&version(id))))
    }

    /// A load owns all that it needs: what the policy lets happen behind values that are served happens in a task
    /// of its own. See [`EntryRequest::detached`](crate::request::EntryRequest::detached).
    pub fn detached(self) -> EntriesRequest<'a, K, Detached> {
        EntriesRequest {
            cache: self.cache,
            ids: self.ids,
            keys: self.keys,
            policy: self.policy,
            form: PhantomData,
        }
    }

    fn labelled(mut self, mut say: impl FnMut(&mut Label, &K)) -> Self {
        for ((_, label), id) in self.keys.iter_mut().zip(&self.ids) {
            say(label, id);
        }
        self
    }

    async fn read<M, E, F>(self, load: F) -> Result<M, E>
    where
        M: IdMap<Id = K, Value: Serialize + DeserializeOwned>,
        F: Loads<Plan<Each<Fallible<M, E>, Whole>, Kept, FromCache, fn(&M::Value) -> Verdict>>,
    {
        let batch = Batch::direct(self.cache, self.ids, self.keys);
        let plan = Plan {
            shape: Each::new(Fallible::<M, E>::new(), Whole, None),
            errors: Kept,
            codec: FromCache,
            verdict: verdict::store as fn(&_) -> _,
        };
        batch::read(batch, self.policy, plan, load).await
    }
}

impl<K> EntriesRequest<'_, K> {
    /// The value of each id from its entry; those that are missing are loaded together, by one call of
    /// `load`, and stored.
    ///
    /// `load` gives a `HashMap` or a `BTreeMap`; an id that is not in it is kept as absent, for the
    /// policy's negative TTL. Without ids there is no load. It may be called again, with other ids: when a
    /// load of somebody else that was waited for came to nothing.
    ///
    /// # Errors
    ///
    /// Those of `load`. The store's never: without it, `load` runs.
    ///
    /// # Cancel safety
    ///
    /// Dropped while `load` runs, its leases are released and waiters go on with their own loads.
    pub async fn get_or_fill<M, E, F, L>(self, load: F) -> Result<M, E>
    where
        M: IdMap<Id = K, Value: Serialize + DeserializeOwned>,
        F: FnMut(Vec<K>) -> L,
        L: Future<Output = Result<M, E>>,
    {
        self.read(load::InPlace(load)).await
    }
}

impl<K> EntriesRequest<'_, K, Detached> {
    /// As without [`detached`](EntriesRequest::detached), for a `load` that owns all that it needs.
    ///
    /// # Errors
    ///
    /// Those of `load`, where there are no values that could be served.
    ///
    /// # Cancel safety
    ///
    /// Dropped while `load` runs for it, its leases are released and waiters go on with their own loads; what
    /// runs in a task of its own goes on.
    pub async fn get_or_fill<M, E, F, L>(self, load: F) -> Result<M, E>
    where
        K: Send + 'static,
        M: IdMap<Id = K, Value: Serialize + DeserializeOwned + Send + 'static> + Send + 'static,
        E: Send + 'static,
        F: FnMut(Vec<K>) -> L + Clone + Send + 'static,
        L: Future<Output = Result<M, E>> + Send + 'static,
    {
        self.read(load::Detached(move || load.clone())).await
    }
}

impl<K, L> fmt::Debug for EntriesRequest<'_, K, L> {
    /// Says nothing of the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EntriesRequest")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

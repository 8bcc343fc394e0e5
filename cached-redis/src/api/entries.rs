//! Reading many entries by hand.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::engine::handle::Cache;
use crate::engine::id_map::IdMap;
use crate::engine::shape::{Fallible, Kept};
use crate::engine::verdict;
use crate::observe::registry::DIRECT;
use crate::policy::Policy;
use crate::read::batch::{self, Batch, Each, Task};
use crate::read::load::InPlace;
use crate::wire::codec::FromCache;
use crate::wire::form::Whole;

impl Cache {
    /// The entries of many `ids`, each under its `key`, to be read with options. What
    /// [batches](crate::docs::guide#batches) do, without the attribute. Ids of one key share its entry.
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
            keys: ids.iter().map(|id| self.key(key(id))).collect(),
            ids,
            policy: &DIRECT.info.policy,
        }
    }
}

/// Many entries, and how they are read; made by [`Cache::entries`].
#[must_use = "it does nothing by itself"]
pub struct EntriesRequest<'a, K> {
    cache: &'a Cache,
    ids: Vec<K>,
    keys: Vec<String>,
    policy: &'a Policy,
}

impl<'a, K> EntriesRequest<'a, K> {
    /// How what is stored lives. By default as the [builder](crate::Builder) says; nothing is stored where
    /// neither gives a TTL.
    pub fn policy(mut self, policy: &'a Policy) -> Self {
        self.policy = policy;
        self
    }

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
        let batch = Batch::direct(self.cache, self.ids, self.keys);
        let each = Each::new(Fallible::<M, E>::new(), Whole, None);
        let task = Task {
            errors: Kept,
            codec: FromCache,
            verdict: verdict::store,
            load: InPlace(load),
        };
        batch::read(batch, self.policy, each, task).await
    }
}

impl<K> fmt::Debug for EntriesRequest<'_, K> {
    /// Says nothing of the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EntriesRequest")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

//! One call of a batch: its ids, each with its key.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::iter;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::handle::{Cache, Inner};
use crate::observe::event::Event;
use crate::observe::instance::Instance;
use crate::observe::registry::{DIRECT, Function};
use crate::policy::Policy;
use crate::read::call::Call;
use crate::read::timeout::Timer;
use crate::wire::key::KeyWriter;

/// A call of a batch that is being prepared.
#[derive(Debug)]
#[must_use]
pub struct Batch<K> {
    pub(super) call: Call,
    pub(super) ids: Vec<K>,
    /// In the order of the ids; `None` when there is nothing to ask.
    pub(super) keys: Option<Vec<String>>,
}

/// What a batch asks for.
pub(super) struct Target<K> {
    pub(super) inner: Arc<Inner>,
    pub(super) function: &'static Function,
    pub(super) origin: Option<u64>,
    /// Each key once, and the ids that it answers.
    pub(super) keys: Vec<String>,
    pub(super) ids: Vec<Ids<K>>,
}

/// The ids that one entry answers: whose keys are the same, share it.
pub(super) struct Ids<K> {
    id: K,
    others: Vec<K>,
}

/// The full key of an entry, and the ids that it answers.
pub(super) struct Item<'a, K> {
    pub(super) key: &'a str,
    pub(super) ids: Ids<K>,
}

impl<K> Target<K> {
    pub(super) fn items(ids: Vec<Ids<K>>, keys: &[String]) -> Vec<Item<'_, K>> {
        let items = ids.into_iter().zip(keys);
        items.map(|(ids, key)| Item { key, ids }).collect()
    }
}

impl<K> Ids<K> {
    pub(super) fn iter(&self) -> impl Iterator<Item = &K> {
        iter::once(&self.id).chain(&self.others)
    }

    pub(super) fn into_iter(self) -> impl Iterator<Item = K> {
        iter::once(self.id).chain(self.others)
    }
}

impl<K> Batch<K> {
    /// The call of a batch whose keys were given by hand.
    pub(crate) fn direct(cache: &Cache, ids: Vec<K>, keys: Vec<String>) -> Self {
        let call = Call::on(&DIRECT, Instance::DIRECT, cache);
        let keys = Some(keys).filter(|_| call.cache().is_some());
        Self { call, ids, keys }
    }
}

impl Call {
    /// Makes this the call of a batch; renders the key of each id, if there is anything to ask.
    pub fn batch<K>(self, ids: Vec<K>, mut render: impl FnMut(&mut KeyWriter, &K)) -> Batch<K> {
        let keys = self.cache().map(|cache| {
            let key = |id| {
                let mut writer = KeyWriter::new(&cache.inner.namespace);
                render(&mut writer, id);
                writer.finish()
            };
            let keys: Option<Vec<_>> = ids.iter().map(key).collect();
            if keys.is_none() {
                cache.inner.emit(&self.function.site, &Event::KeyFailed);
            }
            keys
        });
        Batch {
            keys: keys.flatten(),
            call: self,
            ids,
        }
    }
}

impl<K> Batch<K> {
    /// Limits the time of this call.
    #[must_use]
    pub fn timer(&self, after: Duration) -> Timer {
        self.call.timer(after)
    }

    /// What the attribute says of the life of entries.
    pub(crate) fn policy(&self) -> &'static Policy {
        &self.call.function.info.policy
    }

    /// What to ask for; else the ids as they were given. `same`: whether two ids are one.
    pub(super) fn target(self, same: fn(&K, &K) -> bool) -> Result<Target<K>, Vec<K>> {
        let Self { call, ids, keys } = self;
        let (Some(cache), Some(keys)) = (call.cache(), keys) else {
            return Err(ids);
        };
        let (keys, ids) = grouped(ids.into_iter().zip(keys), same);
        Ok(Target {
            inner: Arc::clone(&cache.inner),
            function: call.function,
            origin: call.origin,
            keys,
            ids,
        })
    }
}

/// Each key once, and beside it each of its ids once.
fn grouped<K>(
    pairs: impl Iterator<Item = (K, String)>,
    same: fn(&K, &K) -> bool,
) -> (Vec<String>, Vec<Ids<K>>) {
    let (mut keys, mut all) = (Vec::new(), Vec::<Ids<K>>::new());
    let mut places = HashMap::new();
    for (id, key) in pairs {
        match places.entry(key) {
            Entry::Occupied(place) => {
                let ids: &mut Ids<K> = &mut all[*place.get()];
                if !ids.iter().any(|known| same(known, &id)) {
                    ids.others.push(id);
                }
            }
            Entry::Vacant(place) => {
                keys.push(place.key().clone());
                place.insert(all.len());
                let others = Vec::new();
                all.push(Ids { id, others });
            }
        }
    }
    (keys, all)
}

//! One call of a batch: its ids, each with its key.

use std::collections::HashMap;
use std::iter;
use std::sync::Arc;
use std::time::Duration;

use quick_cache::DefaultHashBuilder;

use super::key::Key;
use crate::engine::handle::{Cache, Inner};
use crate::engine::label::Label;
use crate::observe::event::Event;
use crate::observe::instance::Instance;
use crate::observe::registry::{DIRECT, Function};
use crate::policy::Policy;
use crate::read::call::Call;
use crate::read::timeout::Timer;
use crate::wire::key::KeyWriter;
use crate::wire::tag::{self, Tags};

/// A call of a batch that is being prepared.
#[derive(Debug)]
#[must_use]
pub struct Batch<K> {
    pub(super) call: Call,
    pub(super) ids: Vec<K>,
    /// In the order of the ids; `None` when there is nothing to ask.
    pub(super) requests: Option<Vec<Request>>,
}

/// What is asked for one id.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) key: Key,
    pub(super) tags: Tags,
    /// That of the source, where the function can tell it.
    pub(super) version: Option<u64>,
    /// Whether it could not, so that nobody can tell what an entry is worth; or there are too many tags.
    pub(super) is_bypassed: bool,
}

/// What a batch asks for.
pub(super) struct Target<K> {
    pub(super) inner: Arc<Inner>,
    pub(super) function: &'static Function,
    pub(super) origin: Option<u64>,
    /// Each key once, and the ids that it answers.
    pub(super) requests: Vec<Request>,
    pub(super) ids: Vec<Ids<K>>,
}

/// The ids that one entry answers: whose keys are the same, share it.
#[derive(Clone)]
pub(super) struct Ids<K> {
    pub(super) id: K,
    pub(super) others: Vec<K>,
}

/// What is asked for one entry, and the ids that it answers.
pub(super) struct Item<'a, K> {
    pub(super) request: &'a Request,
    pub(super) ids: Ids<K>,
}

impl<K> Target<K> {
    pub(super) fn items(ids: Vec<Ids<K>>, requests: &[Request]) -> Vec<Item<'_, K>> {
        let items = ids.into_iter().zip(requests);
        items.map(|(ids, request)| Item { request, ids }).collect()
    }
}

impl<'a, K> Item<'a, K> {
    /// Its key and tags.
    pub(super) fn asked(&self) -> (&'a str, &'a Tags) {
        (&self.request.key, &self.request.tags)
    }
}

impl<K> Ids<K> {
    fn of(id: K) -> Self {
        let others = Vec::new();
        Self { id, others }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &K> {
        iter::once(&self.id).chain(&self.others)
    }

    pub(super) fn into_iter(self) -> impl Iterator<Item = K> {
        iter::once(self.id).chain(self.others)
    }
}

impl<K> Batch<K> {
    /// The call of a batch whose keys were given by hand, each with its label.
    pub(crate) fn direct(cache: &Cache, ids: Vec<K>, keys: Vec<(String, Label)>) -> Self {
        let call = Call::on(&DIRECT, Instance::DIRECT, cache);
        let (mut text, mut ends) = (String::new(), Vec::with_capacity(keys.len()));
        for (key, _) in &keys {
            text.push_str(key);
            ends.push(text.len());
        }
        let keys = Key::parts(text, ends).zip(keys);
        let requests = keys.map(|(key, (_, label))| Request {
            tags: label.tags,
            version: label.version,
            ..Request::of(key)
        });
        let requests = call.cache().map(|_| requests.collect());
        Self {
            call,
            ids,
            requests,
        }
    }
}

impl Call {
    /// Makes this the call of a batch; renders the key of each id, if there is anything to ask.
    pub fn batch<K>(self, ids: Vec<K>, mut render: impl FnMut(&mut KeyWriter, &K)) -> Batch<K> {
        let requests = self.cache().and_then(|cache| {
            let own = cache.inner.function_tag(self.function);
            let mut ends = Vec::with_capacity(ids.len());
            let text = ids.iter().try_fold(String::new(), |text, id| {
                let mut writer = KeyWriter::within(text, &cache.inner.namespace);
                render(&mut writer, id);
                let text = writer.finish()?;
                ends.push(text.len());
                Some(text)
            });
            let request = |key| {
                let mut request = Request::of(key);
                own.iter().for_each(|own| request.tags.add(own.to_string()));
                request
            };
            let requests = text.map(|text| Key::parts(text, ends).map(request).collect());
            self.rendered(&cache.inner, requests)
        });
        Batch {
            requests,
            call: self,
            ids,
        }
    }
}

impl<K> Batch<K> {
    /// Renders a tag of each id, after the keys: see [`Call::tag`].
    pub fn tag(&mut self, mut render: impl FnMut(&mut KeyWriter, &K)) {
        let (Some(cache), Some(requests)) = (self.call.cache(), self.requests.take()) else {
            return;
        };
        let tagged = |(mut request, id): (Request, _)| {
            let mut writer = KeyWriter::marked(&cache.inner.namespace, tag::TAG);
            render(&mut writer, id);
            request.tags.add(writer.finish()?);
            Some(request)
        };
        let requests = requests.into_iter().zip(&self.ids).map(tagged).collect();
        self.requests = self.call.rendered(&cache.inner, requests);
    }

    /// Whether the cache will be asked.
    #[must_use]
    pub fn asks(&self) -> bool {
        self.requests.is_some()
    }

    /// As they were given.
    #[must_use]
    pub fn ids(&self) -> &[K] {
        &self.ids
    }

    /// The source's versions, in the order of the ids. One whose version is not known is loaded without the
    /// cache.
    pub fn versions(&mut self, versions: impl Iterator<Item = Option<u64>>) {
        for (request, version) in self.requests.iter_mut().flatten().zip(versions) {
            request.version = version;
            request.is_bypassed = version.is_none();
            if let (None, Some(cache)) = (version, self.call.cache()) {
                cache
                    .inner
                    .emit(&self.call.function.site, &Event::NoVersion);
            }
        }
    }
}

impl Request {
    fn of(key: Key) -> Self {
        Self {
            key,
            tags: Tags::default(),
            version: None,
            is_bypassed: false,
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
        let Self {
            call,
            ids,
            requests,
        } = self;
        let (Some(cache), Some(requests)) = (call.cache(), requests) else {
            return Err(ids);
        };
        let (mut requests, ids) = grouped(ids, requests, same);
        for request in &mut requests {
            if request.tags.are_too_many() {
                request.is_bypassed = true;
                cache.inner.emit(&call.function.site, &Event::TooManyTags);
            }
        }
        Ok(Target {
            inner: Arc::clone(&cache.inner),
            function: call.function,
            origin: call.origin,
            requests,
            ids,
        })
    }
}

/// Each key once, with the tags of all of its ids, and beside it each of those once. A key whose ids are of
/// different versions has none that could be compared.
fn grouped<K>(
    ids: Vec<K>,
    all: Vec<Request>,
    same: fn(&K, &K) -> bool,
) -> (Vec<Request>, Vec<Ids<K>>) {
    let Some(places) = places(&all) else {
        return (all, ids.into_iter().map(Ids::of).collect());
    };
    let mut requests = Vec::<Request>::with_capacity(all.len());
    let mut groups = Vec::<Ids<K>>::with_capacity(all.len());
    for ((id, request), place) in ids.into_iter().zip(all).zip(places) {
        let Some(known) = requests.get_mut(place) else {
            requests.push(request);
            groups.push(Ids::of(id));
            continue;
        };
        known.tags.merge(&request.tags);
        known.is_bypassed |= request.is_bypassed || known.version != request.version;
        let ids = &mut groups[place];
        if !ids.iter().any(|known| same(known, &id)) {
            ids.others.push(id);
        }
    }
    (requests, groups)
}

/// The place of the key of each among those that differ; `None`: all do.
fn places(requests: &[Request]) -> Option<Vec<usize>> {
    let hasher = DefaultHashBuilder::default();
    let mut known = HashMap::with_capacity_and_hasher(requests.len(), hasher);
    let places = requests.iter().map(|request| {
        let next = known.len();
        *known.entry(&*request.key).or_insert(next)
    });
    let places = places.collect();
    (known.len() < requests.len()).then_some(places)
}

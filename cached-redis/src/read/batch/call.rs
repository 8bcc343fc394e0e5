//! One call of a batch: its ids, each with its key.

use std::collections::HashMap;
use std::time::Duration;

use quick_cache::DefaultHashBuilder;

use super::ids::Ids;
use super::key::Key;
use crate::engine::handle::Cache;
use crate::engine::label::Label;
use crate::observe::event::Event;
use crate::observe::instance::Instance;
use crate::observe::registry::DIRECT;
use crate::policy::Policy;
use crate::read::call::Call;
use crate::read::timeout::Timer;
use crate::wire::key::{KeyWriter, Render};
use crate::wire::tag::{self, Tags};

/// By how many bytes the keys of a batch may be longer than the first one before their text has to grow, and for how
/// many bytes of them room is made at once: the first one may be far longer than all others.
const LONGER: usize = 4;
const MOST_ROOM: usize = 64 * 1024;

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
pub(super) struct Asked {
    pub(super) call: Call,
    /// Each key once; `None` when there is nothing to ask.
    pub(super) requests: Option<Vec<Request>>,
}

impl Asked {
    fn new(call: Call, mut requests: Option<Vec<Request>>) -> Self {
        let all = requests.iter_mut().flatten();
        for request in all.filter(|request| request.tags.are_too_many()) {
            request.is_bypassed = true;
            if let Some(cache) = call.cache() {
                cache.inner.emit(&call.function.site, &Event::TooManyTags);
            }
        }
        Self { call, requests }
    }
}

/// What is asked for one entry.
#[derive(Clone, Copy)]
pub(super) struct Item<'a> {
    pub(super) request: &'a Request,
    /// Its place among all.
    pub(super) place: usize,
}

impl<'a> Item<'a> {
    pub(super) fn all(requests: &'a [Request]) -> impl Iterator<Item = Self> {
        let all = requests.iter().enumerate();
        all.map(|(place, request)| Self { request, place })
    }

    /// Its key and tags.
    pub(super) fn asked(self) -> (&'a str, &'a Tags) {
        (&self.request.key, &self.request.tags)
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
        let mut each = ids.iter();
        let requests = self.requests(ids.len(), &mut |writer: &mut KeyWriter| {
            if let Some(id) = each.next() {
                render(writer, id);
            }
        });
        Batch {
            requests,
            call: self,
            ids,
        }
    }

    /// By reference, so that it is compiled once: `render` is of the next one each time.
    fn requests(&self, ids: usize, render: &mut dyn Render) -> Option<Vec<Request>> {
        let inner = &self.cache()?.inner;
        let own = inner.function_tag(self.function);
        let mut ends = Vec::with_capacity(ids);
        let text = (0..ids).try_fold(String::new(), |text, _| {
            let mut writer = KeyWriter::within(text, &inner.namespace);
            render.render(&mut writer);
            let mut text = writer.finish()?;
            if ends.is_empty() {
                let all = ids.saturating_mul(text.len() + LONGER);
                text.reserve(all.min(MOST_ROOM));
            }
            ends.push(text.len());
            Some(text)
        });
        let request = |key| {
            let mut request = Request::of(key);
            own.iter().for_each(|own| request.tags.add(own.to_string()));
            request
        };
        let requests = text.map(|text| Key::parts(text, ends).map(request).collect());
        self.rendered(inner, requests)
    }

    /// The same of a tag of each.
    fn tagged(&self, requests: Vec<Request>, render: &mut dyn Render) -> Option<Vec<Request>> {
        let inner = &self.cache()?.inner;
        let tagged = |mut request: Request| {
            let mut writer = KeyWriter::marked(&inner.namespace, tag::TAG);
            render.render(&mut writer);
            request.tags.add(writer.finish()?);
            Some(request)
        };
        self.rendered(inner, requests.into_iter().map(tagged).collect())
    }
}

impl<K> Batch<K> {
    /// Renders a tag of each id, after the keys: see [`Call::tag`].
    pub fn tag(&mut self, mut render: impl FnMut(&mut KeyWriter, &K)) {
        let Some(requests) = self.requests.take() else {
            return;
        };
        let mut each = self.ids.iter();
        self.requests = self.call.tagged(requests, &mut |writer: &mut KeyWriter| {
            if let Some(id) = each.next() {
                render(writer, id);
            }
        });
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

    /// What to ask for, and the ids that each entry of that answers. `same`: whether two ids are one.
    pub(super) fn split(mut self, same: fn(&K, &K) -> bool) -> (Asked, Ids<K>) {
        let places = self.requests.as_mut().and_then(group);
        let asked = Asked::new(self.call, self.requests);
        (asked, Ids::grouped(self.ids, places, same))
    }
}

/// Makes them each key once, with the tags of all of its ids; and where each was among them before. A key whose ids
/// are of different versions has none that could be compared. `None`: all keys differ.
fn group(all: &mut Vec<Request>) -> Option<Vec<usize>> {
    let places = places(all)?;
    let mut requests = Vec::<Request>::with_capacity(all.len());
    for (request, place) in all.drain(..).zip(&places) {
        let Some(known) = requests.get_mut(*place) else {
            requests.push(request);
            continue;
        };
        known.tags.merge(&request.tags);
        known.is_bypassed |= request.is_bypassed || known.version != request.version;
    }
    *all = requests;
    Some(places)
}

/// The place of the key of each among those that differ; `None`: all do.
fn places(requests: &[Request]) -> Option<Vec<usize>> {
    // Numbers in their order have keys in this one, and none of them twice.
    if requests.is_sorted_by(|one, next| one.key.order() < next.key.order()) {
        return None;
    }
    let hasher = DefaultHashBuilder::default();
    let mut known = HashMap::with_capacity_and_hasher(requests.len(), hasher);
    let places = requests.iter().map(|request| {
        let next = known.len();
        *known.entry(&*request.key).or_insert(next)
    });
    let places = places.collect();
    (known.len() < requests.len()).then_some(places)
}

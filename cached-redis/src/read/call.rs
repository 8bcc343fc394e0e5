//! One call of an annotated function: which cache it asks, under which key, and how.

use std::sync::Arc;

use crate::engine::handle::{self, Cache, Handle, Inner};
use crate::engine::label::Label;
use crate::engine::{context, mode};
use crate::observe::event::Event;
use crate::observe::instance::Instance;
use crate::observe::registry::{DIRECT, Function};
use crate::read::control::{self, Mode, Wish};
use crate::wire::key::{CallKey, KeyWriter, room};
use crate::wire::tag::{self, Tags};

/// A call that is being prepared.
#[derive(Debug)]
#[must_use]
pub struct Call {
    pub(crate) function: &'static Function,
    pub(crate) wish: Wish,
    /// How much the function uses this cache.
    pub(crate) mode: mode::Mode,
    cache: Option<Handle>,
    /// What its entries are compared by, beside their type.
    pub(crate) origin: Option<u64>,
    key: Option<CallKey>,
    /// That of the source, as read before anything else, where the function can tell it.
    pub(crate) version: Option<u64>,
    pub(crate) tags: Tags,
}

impl Call {
    /// A call that asks the cache in scope, or else the installed one.
    pub fn new(function: &'static Function, instance: Instance) -> Self {
        Self::with(function, instance, handle::current())
    }

    /// A call that asks this cache.
    pub fn on(function: &'static Function, instance: Instance, cache: &Cache) -> Self {
        let cache = Handle::Owned(cache.clone());
        Self::with(function, instance, Some(cache))
    }

    fn with(function: &'static Function, instance: Instance, cache: Option<Handle>) -> Self {
        let met = cache
            .as_ref()
            .and_then(|cache| function.meet(&cache.inner, instance));
        let cache = cache.filter(|_| met.is_some());
        let mode = cache
            .as_ref()
            .map(|cache| cache.inner.modes.of(&function.site));
        let mode = mode.unwrap_or_default();
        Self {
            function,
            wish: control::take(),
            mode,
            cache: cache.filter(|_| mode != mode::Mode::Off),
            origin: met.and_then(|met| met.origin),
            key: None,
            version: None,
            tags: Tags::default(),
        }
    }

    /// The condition: when it does not hold, the function simply runs.
    pub fn only_if(mut self, condition: bool) -> Self {
        self.cache = self.cache.filter(|_| condition);
        self
    }

    /// Renders the key, if there is anything to ask.
    pub fn key(&mut self, render: impl Fn(&mut KeyWriter)) {
        self.render_key(&render);
    }

    /// By reference, so that it is compiled once.
    fn render_key(&mut self, render: &dyn Fn(&mut KeyWriter)) {
        let Some(cache) = self
            .cache
            .as_ref()
            .filter(|_| self.wish.mode != Mode::Uncached)
        else {
            return;
        };
        let mut writer = KeyWriter::of_call(&cache.inner.namespace);
        render(&mut writer);
        self.key = self.rendered(&cache.inner, writer.finish().map(CallKey));
        if self.key.is_some()
            && let Some(own) = cache.inner.function_tag(self.function)
        {
            let mut text = room::text();
            text.push_str(&own);
            self.tags = Tags::of_call();
            self.tags.add(text);
        }
    }

    /// What was rendered; tells of a value that could not be.
    pub(crate) fn rendered<T>(&self, inner: &Inner, rendered: Option<T>) -> Option<T> {
        if rendered.is_none() {
            context::opaque();
            inner.emit(&self.function.site, &Event::KeyFailed);
        }
        rendered
    }

    /// Renders a tag, after the key. A call that lacks one could not be invalidated by it, so it is
    /// not cached.
    pub fn tag(&mut self, render: impl Fn(&mut KeyWriter)) {
        self.render_tag(&render);
    }

    fn render_tag(&mut self, render: &dyn Fn(&mut KeyWriter)) {
        let Some(cache) = self.cache.as_ref().filter(|_| self.key.is_some()) else {
            return;
        };
        let mut writer = KeyWriter::of_call(&cache.inner.namespace).under(tag::TAG);
        render(&mut writer);
        match self.rendered(&cache.inner, writer.finish()) {
            Some(tag) => self.tags.add(tag),
            None => self.key = None,
        }
    }

    /// Whether the cache will be asked.
    pub fn asks(&self) -> bool {
        self.target().is_some() && self.wish.mode != Mode::Uncached
    }

    /// The source's version. When it is not known, nobody can tell what an entry is worth, and the
    /// function simply runs.
    pub fn version(&mut self, version: Option<u64>) {
        self.version = version;
        if let (None, Some(cache)) = (version, &self.cache) {
            self.key = None;
            cache.inner.emit(&self.function.site, &Event::NoVersion);
        }
    }

    /// Hands its tags on, whose generations nobody has read, to the load that it is a part of.
    pub(crate) fn carry(&self) {
        if let Some(cache) = &self.cache {
            context::carry(&cache.inner.flights, self.tags.keys().iter().cloned());
        }
    }

    /// A call for an entry that was named by hand.
    pub(crate) fn direct(cache: &Cache, key: String, label: Label) -> Self {
        let mut call = Self::on(&DIRECT, Instance::DIRECT, cache);
        call.key = (call.wish.mode != Mode::Uncached).then_some(CallKey(key));
        (call.tags, call.version) = (label.tags, label.version);
        call
    }

    /// The cache that this call asks, if any.
    pub(crate) fn cache(&self) -> Option<&Cache> {
        let asks = self.wish.mode != Mode::Uncached;
        self.cache.as_deref().filter(|_| asks)
    }

    /// The cache and the key; `None` when the function shall simply run.
    pub(crate) fn target(&self) -> Option<(&Arc<Inner>, &str)> {
        Some((&self.cache.as_ref()?.inner, self.key.as_deref()?))
    }
}

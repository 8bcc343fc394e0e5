//! One call of an annotated function: which cache it asks, under which key, and how.

use std::sync::Arc;

use crate::engine::handle::{self, Cache, Handle, Inner};
use crate::engine::label::Label;
use crate::engine::{context, mode};
use crate::observe::event::Event;
use crate::observe::instance::Instance;
use crate::observe::registry::{DIRECT, Function};
use crate::read::control::{self, Mode, Wish};
use crate::wire::key::{CallKey, KeyWriter, Render, room};
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

    #[inline]
    fn with(function: &'static Function, instance: Instance, cache: Option<Handle>) -> Self {
        let (mut mode, mut origin) = (mode::Mode::default(), None);
        let cache = cache.filter(|cache| {
            let met = function.meet(&cache.inner, instance);
            if let Some(met) = met {
                (mode, origin) = (cache.inner.modes.of(&function.site), met.origin);
            }
            met.is_some() && mode != mode::Mode::Off
        });
        Self {
            function,
            wish: control::take(),
            mode,
            cache,
            origin,
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
    pub fn key(&mut self, mut render: impl Fn(&mut KeyWriter)) {
        self.render_key(&mut render);
    }

    /// By reference, so that it is compiled once.
    fn render_key(&mut self, render: &mut dyn Render) {
        let Some(cache) = &self.cache else { return };
        if self.wish.mode == Mode::Uncached {
            return;
        }
        let inner = &cache.inner;
        let mut writer = KeyWriter::of_call(&inner.namespace);
        render.render(&mut writer);
        self.key = self.rendered(inner, writer.finish().map(CallKey));
        if self.key.is_some() && !self.function.info.tags.is_empty() {
            let tag = inner.function_tag(self.function);
            self.tags = tag.map_or_else(Tags::default, |tag| own(&tag));
        }
    }

    /// What was rendered; tells of a value that could not be.
    #[inline]
    pub(crate) fn rendered<T>(&self, inner: &Inner, rendered: Option<T>) -> Option<T> {
        if rendered.is_none() {
            context::opaque();
            inner.emit(&self.function.site, &Event::KeyFailed);
        }
        rendered
    }

    /// Renders a tag, after the key. A call that lacks one could not be invalidated by it, so it is
    /// not cached.
    pub fn tag(&mut self, mut render: impl Fn(&mut KeyWriter)) {
        self.render_tag(&mut render);
    }

    fn render_tag(&mut self, render: &mut dyn Render) {
        let Some(cache) = self.cache.as_ref().filter(|_| self.key.is_some()) else {
            return;
        };
        let mut writer = KeyWriter::of_call(&cache.inner.namespace).under(tag::TAG);
        render.render(&mut writer);
        match self.rendered(&cache.inner, writer.finish()) {
            Some(tag) => self.tags.add(tag),
            None => self.key = None,
        }
    }

    /// Whether nothing is asked of it but its value.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.mode == mode::Mode::On
            && self.wish.mode == Mode::Cached
            && !self.wish.is_told()
            && self.version.is_none()
            && !self.tags.are_too_many()
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
    #[inline]
    pub(crate) fn cache(&self) -> Option<&Cache> {
        let asks = self.wish.mode != Mode::Uncached;
        self.cache.as_deref().filter(|_| asks)
    }

    /// The cache and the key; `None` when the function shall simply run.
    #[inline]
    pub(crate) fn target(&self) -> Option<(&Arc<Inner>, &str)> {
        Some((&self.cache.as_ref()?.inner, self.key.as_deref()?))
    }
}

/// The tag that all entries of a function have.
fn own(tag: &str) -> Tags {
    let (mut tags, mut text) = (Tags::of_call(), room::text());
    text.push_str(tag);
    tags.add(text);
    tags
}

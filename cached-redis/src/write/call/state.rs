//! One call of a function under `#[invalidates]`, or under `#[write_through]`: which keys it makes outdated, and when
//! they are invalidated.

use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::join_all;

use crate::engine::encode::EncodedEntry;
use crate::engine::handle::{self, Cache};
use crate::error::Unguarded;
use crate::observe::event::Event;
use crate::observe::registry::{When, Writer};
use crate::util::boxed::Boxed;
use crate::wire::key::{KeyWriter, Render};
use crate::wire::targets::Targets;
use crate::write::attempt::Part;
use crate::write::attributes::Attributes;
use crate::write::guard::WriteGuard;
use crate::write::invalidate;
use crate::write::removal::Removal;

/// See the module. Dropped, it sends what has not been sent.
pub(in crate::write) struct State {
    writer: &'static Writer,
    cache: Option<Cache>,
    /// What is to be invalidated in one phase.
    targets: Targets,
    /// Whether a key could not be rendered.
    incomplete: bool,
    guard: Option<WriteGuard>,
    /// Those of all attributes of the function, if this is not its only one.
    attributes: Option<Arc<Attributes>>,
    /// Whether another attribute is around, which removes what this one collects.
    is_inner: bool,
}

impl State {
    /// In the cache in scope, or else the installed one.
    pub(in crate::write) fn new(writer: &'static Writer) -> Self {
        Self::within(writer, handle::current().map(|cache| Cache::clone(&cache)))
    }

    /// In this cache.
    pub(in crate::write) fn on(writer: &'static Writer, cache: &Cache) -> Self {
        Self::within(writer, Some(cache.clone()))
    }

    /// The cache that it invalidates in.
    pub(in crate::write) fn cache(&self) -> Option<&Cache> {
        self.cache.as_ref()
    }

    /// The key of a write-through; `None` if it could not be rendered.
    pub(in crate::write) fn only_key(&self) -> Option<&str> {
        let barred = || self.guard.as_ref()?.keys().first();
        let key = self.targets.keys.first().or_else(barred);
        key.map(String::as_str)
    }

    fn within(writer: &'static Writer, cache: Option<Cache>) -> Self {
        if let Some(Cache { inner }) = &cache
            && writer.info.needs_guarded()
            && !inner.settings.guarded
        {
            inner.emit(&writer.site, &Event::Unguarded(&Unguarded::NotEnabled));
        }
        let attributes = Attributes::enter(writer.info.path);
        Self {
            writer,
            cache,
            targets: Targets::default(),
            incomplete: false,
            guard: None,
            is_inner: attributes.is_some(),
            attributes,
        }
    }

    /// Adds a target, or a tag, which has a mark.
    pub(in crate::write) fn key(&mut self, mark: &str, render: &mut dyn Render) {
        let Some(cache) = &self.cache else { return };
        let mut key = KeyWriter::marked(&cache.inner.namespace, mark);
        render.render(&mut key);
        self.add(key.finish());
    }

    fn add(&mut self, key: Option<String>) {
        match (key, &self.cache) {
            (Some(key), _) => self.targets.keys.push(key),
            (None, Some(cache)) => {
                self.incomplete = true;
                cache.inner.emit(&self.writer.site, &Event::LostKey);
            }
            (None, None) => {}
        }
    }

    /// Adds a target with a `*` in its text.
    pub(super) fn pattern(&mut self, render: &mut dyn Render) {
        let Some(cache) = &self.cache else { return };
        let namespace = &cache.inner.namespace;
        let mut text = KeyWriter::new(namespace);
        render.render(&mut text);
        // With empty values, nothing but stars may be left.
        match text.finish_pattern(namespace) {
            Some(pattern) if !pattern.is_everything() => self.targets.patterns.push(pattern),
            _ => cache.inner.emit(&self.writer.site, &Event::LostKey),
        }
    }

    /// Adds a target that was given by hand.
    pub(in crate::write) fn full_key(&mut self, key: String) {
        self.targets.keys.push(key);
    }

    /// Renders a part of a target whose rest is known only from the result. The function may move
    /// its parameters away before that.
    pub(super) fn fragment(&self, render: &mut dyn Render) -> String {
        let Some(cache) = &self.cache else {
            return String::new();
        };
        let mut part = KeyWriter::bare();
        render.render(&mut part);
        part.into_fragment().unwrap_or_else(|unusable| {
            cache.inner.emit(&self.writer.site, &Event::LostKey);
            unusable
        })
    }

    pub(in crate::write) async fn begin(&mut self) {
        match (self.bar().await, &self.cache) {
            // The latter is told for every write as soon as it is made.
            (Ok(()) | Err(Unguarded::NotEnabled), _) | (_, None) => {}
            (Err(reason), Some(cache)) => cache
                .inner
                .emit(&self.writer.site, &Event::Unguarded(&reason)),
        }
    }

    pub(super) async fn require(&mut self) -> Option<Unguarded> {
        let reason = match self.incomplete {
            true => Unguarded::Key,
            false => self.bar().await.err()?,
        };
        if let Some(cache) = &self.cache {
            let refused = Event::WriteRefused(&reason);
            cache.inner.emit(&self.writer.site, &refused);
        }
        self.targets.keys.clear();
        Some(reason)
    }

    /// Until the keys are barred they stay here, so that a caller who is dropped meanwhile
    /// invalidates them.
    async fn bar(&mut self) -> Result<(), Unguarded> {
        let Some(cache) = self
            .cache
            .as_ref()
            .filter(|_| !self.targets.keys.is_empty())
        else {
            return Ok(());
        };
        let (site, lag) = (&self.writer.site, self.writer.info.replica_lag);
        let keys = self.targets.keys.clone();
        let guard = match self.writer.through {
            true => WriteGuard::bar(&cache.inner, site, keys, lag).await?,
            false => WriteGuard::begin(&cache.inner, site, keys, lag).await?,
        };
        self.guard = Some(match self.writer.info.publish {
            true => guard.publish(),
            false => guard,
        });
        self.targets.keys.clear();
        Ok(())
    }

    pub(in crate::write) fn attributes(&mut self) -> Arc<Attributes> {
        Arc::clone(
            self.attributes
                .get_or_insert_with(|| Attributes::new(self.writer.info.path)),
        )
    }

    pub(super) fn before(&mut self) -> Boxed<'static, ()> {
        let own = self.own();
        let removal = own.map(|own| match &self.attributes {
            Some(attributes) => attributes.before(own),
            None => own,
        });
        ended(sent(removal))
    }

    /// Invalidates after the function has returned, if it should; a guarded write ends in any case.
    pub(super) fn finish(&mut self, ok: bool) -> Boxed<'static, ()> {
        if self.writer.info.when == When::Ok && !ok {
            self.targets = Targets::default();
        }
        ended(self.send())
    }

    /// The cache, if the write has begun, so that it can end with its value.
    pub(in crate::write) fn begun(&self) -> Option<&Cache> {
        self.cache.as_ref().filter(|_| self.guard.is_some())
    }

    /// Ends a write-through, with its value if there is one to store.
    pub(in crate::write) fn put(&mut self, written: Option<EncodedEntry>) -> Boxed<'static, ()> {
        self.guard = self.guard.take().map(|guard| guard.with(written));
        ended(self.send())
    }

    /// Sends what has not been sent, if there is something.
    fn send(&mut self) -> Option<Boxed<'static, ()>> {
        let own = self.own();
        let only = match self.attributes.take() {
            Some(attributes) if self.is_inner => attributes.leave(own),
            Some(attributes) => {
                let all = attributes.close(own).into_iter();
                // Together: one after the other, each that is not answered would take a deadline of its own.
                return Some(Box::pin(
                    join_all(all.filter_map(invalidate::in_turn)).map(drop),
                ));
            }
            None => own,
        };
        sent(only)
    }

    /// What this attribute has made outdated.
    fn own(&mut self) -> Option<Removal> {
        let inner = &self.cache.as_ref()?.inner;
        let (site, info) = (&self.writer.site, &self.writer.info);
        let part = Part {
            site,
            targets: std::mem::take(&mut self.targets),
            publish: info.publish,
        };
        let guard = self.guard.take();
        (guard.is_some() || !part.targets.is_empty()).then(|| Removal {
            hold_off: info.replica_lag,
            guards: guard.into_iter().collect(),
            settles: self.writer.settled,
            ..Removal::only(inner, part)
        })
    }
}

/// A failure has been counted and told; the function's own result is what the caller gets.
fn sent(removal: Option<Removal>) -> Option<Boxed<'static, ()>> {
    let sent = removal.and_then(invalidate::in_turn)?;
    Some(Box::pin(sent.map(drop)))
}

fn ended(sent: Option<Boxed<'static, ()>>) -> Boxed<'static, ()> {
    sent.unwrap_or_else(|| Box::pin(async {}))
}

impl Drop for State {
    fn drop(&mut self) {
        // Nobody is left to wait for it: it is sent all the same.
        drop(self.send());
    }
}

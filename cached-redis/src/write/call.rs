//! One call of a function under `#[invalidates]`: which keys it makes outdated, and when they are
//! invalidated.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::engine::encode::EncodedEntry;
use crate::engine::handle::{self, Cache};
use crate::error::Unguarded;
use crate::observe::event::Event;
use crate::observe::registry::{When, Writer};
use crate::util::boxed::Boxed;
use crate::wire::key::KeyWriter;
use crate::wire::tag::TAG;
use crate::wire::targets::Targets;
use crate::write::attempt::Part;
use crate::write::attributes::Attributes;
use crate::write::dispatch::Sent;
use crate::write::guard::WriteGuard;
use crate::write::invalidate;
use crate::write::removal::Removal;

/// One call of a function under `#[invalidates]`, or under `#[write_through]`.
///
/// Dropped before [`finish`](Self::finish), by a panic or because the caller is gone, it counts as
/// "may have been committed" and invalidates.
#[derive(Debug)]
#[must_use]
pub struct Write {
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

impl Write {
    /// A write that invalidates in the cache in scope, or else the installed one.
    pub fn new(writer: &'static Writer) -> Self {
        Self::with(writer, handle::current().map(|cache| Cache::clone(&cache)))
    }

    /// A write that invalidates in this cache.
    pub fn on(writer: &'static Writer, cache: &Cache) -> Self {
        Self::with(writer, Some(cache.clone()))
    }

    /// The cache that it invalidates in.
    pub(crate) fn cache(&self) -> Option<&Cache> {
        self.cache.as_ref()
    }

    /// The key of a write-through; `None` if it could not be rendered.
    pub(crate) fn only_key(&self) -> Option<&str> {
        let barred = || self.guard.as_ref()?.keys().first();
        let key = self.targets.keys.first().or_else(barred);
        key.map(String::as_str)
    }

    fn with(writer: &'static Writer, cache: Option<Cache>) -> Self {
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

    /// Adds a target.
    pub fn key(&mut self, render: impl Fn(&mut KeyWriter)) {
        self.render("", &render);
    }

    /// By reference, so that it is compiled once.
    fn render(&mut self, mark: &str, render: &dyn Fn(&mut KeyWriter)) {
        let Some(cache) = &self.cache else { return };
        let mut key = KeyWriter::marked(&cache.inner.namespace, mark);
        render(&mut key);
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
    pub fn pattern(&mut self, render: impl Fn(&mut KeyWriter)) {
        self.render_pattern(&render);
    }

    fn render_pattern(&mut self, render: &dyn Fn(&mut KeyWriter)) {
        let Some(cache) = &self.cache else { return };
        let namespace = &cache.inner.namespace;
        let mut text = KeyWriter::new(namespace);
        render(&mut text);
        // With empty values, nothing but stars may be left.
        match text.finish_pattern(namespace) {
            Some(pattern) if !pattern.is_everything() => self.targets.patterns.push(pattern),
            _ => cache.inner.emit(&self.writer.site, &Event::LostKey),
        }
    }

    /// Adds a target that was given by hand.
    pub(crate) fn full_key(&mut self, key: String) {
        self.targets.keys.push(key);
    }

    /// Adds a tag.
    pub fn tag(&mut self, render: impl Fn(&mut KeyWriter)) {
        self.render(TAG, &render);
    }

    /// Renders a part of a target whose rest is known only from the result. The function may move
    /// its parameters away before that.
    pub fn fragment(&mut self, render: impl Fn(&mut KeyWriter)) -> String {
        self.render_fragment(&render)
    }

    fn render_fragment(&mut self, render: &dyn Fn(&mut KeyWriter)) -> String {
        let Some(cache) = &self.cache else {
            return String::new();
        };
        let mut part = KeyWriter::bare();
        render(&mut part);
        part.into_fragment().unwrap_or_else(|unusable| {
            cache.inner.emit(&self.writer.site, &Event::LostKey);
            unusable
        })
    }

    /// Begins a guarded write. Where that fails, it goes on in one phase.
    pub fn begin(&mut self) -> Boxed<'_, ()> {
        Box::pin(async {
            match (self.bar().await, &self.cache) {
                // The latter is told for every write as soon as it is made.
                (Ok(()) | Err(Unguarded::NotEnabled), _) | (_, None) => {}
                (Err(reason), Some(cache)) => cache
                    .inner
                    .emit(&self.writer.site, &Event::Unguarded(&reason)),
            }
        })
    }

    /// Begins a guarded write, or says why the function must not run.
    pub fn require(&mut self) -> Boxed<'_, Option<Unguarded>> {
        Box::pin(async {
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
        })
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

    /// For the attributes in the body of the function, which end with this one.
    pub fn attributes(&mut self) -> Arc<Attributes> {
        Arc::clone(
            self.attributes
                .get_or_insert_with(|| Attributes::new(self.writer.info.path)),
        )
    }

    /// Invalidates before the function runs.
    pub fn before(&mut self) -> Ended {
        let own = self.own();
        let removal = own.map(|own| match &self.attributes {
            Some(attributes) => attributes.before(own),
            None => own,
        });
        Ended(removal.and_then(invalidate::in_turn).into_iter().collect())
    }

    /// Invalidates after the function has returned, if it should; a guarded write ends in any case.
    pub fn finish(mut self, ok: bool) -> Ended {
        if self.writer.info.when == When::Ok && !ok {
            self.targets = Targets::default();
        }
        Ended(self.send())
    }

    /// The cache, if the write has begun, so that it can end with its value.
    pub(crate) fn begun(&self) -> Option<&Cache> {
        self.cache.as_ref().filter(|_| self.guard.is_some())
    }

    /// Ends a write-through, with its value if there is one to store.
    pub(crate) fn put(mut self, written: Option<EncodedEntry>) -> Ended {
        self.guard = self.guard.take().map(|guard| guard.with(written));
        Ended(self.send())
    }

    fn send(&mut self) -> Vec<Sent> {
        let own = self.own();
        let only = match self.attributes.take() {
            Some(attributes) if self.is_inner => attributes.leave(own),
            Some(attributes) => {
                let all = attributes.close(own).into_iter();
                return all.filter_map(invalidate::in_turn).collect();
            }
            None => own,
        };
        only.and_then(invalidate::in_turn).into_iter().collect()
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

/// What a write has sent at its end, to be waited for.
#[must_use]
pub struct Ended(Vec<Sent>);

impl fmt::Debug for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ended").finish_non_exhaustive()
    }
}

impl Future for Ended {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        // Together: one after the other, each that is not answered would take a deadline of its own. A failure
        // has been counted and told; the function's own result is what the caller gets.
        self.0
            .retain_mut(|sent| Pin::new(sent).poll(context).is_pending());
        match self.0.is_empty() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}

impl Drop for Write {
    fn drop(&mut self) {
        // Nobody is left to wait for it: it is sent all the same.
        drop(self.send());
    }
}

//! One call of a function under `#[invalidates]`: which keys it makes outdated, and when they are
//! invalidated.

use crate::engine::encode::Packed;
use crate::engine::handle::{self, Cache};
use crate::error::Unguarded;
use crate::observe::event::Event;
use crate::observe::registry::{When, Writer};
use crate::wire::key::{KeyWriter, Pattern};
use crate::wire::tag::TAG;
use crate::write::dispatch::Sent;
use crate::write::guard::WriteGuard;
use crate::write::removal::Removal;
use crate::write::{after_commit, invalidate};

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
    keys: Vec<String>,
    patterns: Vec<Pattern>,
    /// Whether a key could not be rendered.
    incomplete: bool,
    guard: Option<WriteGuard>,
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
        self.keys.first().map(String::as_str)
    }

    fn with(writer: &'static Writer, cache: Option<Cache>) -> Self {
        if let Some(Cache { inner }) = &cache
            && writer.info.needs_guarded()
            && !inner.settings.guarded
        {
            inner.emit(&writer.site, &Event::Unguarded(&Unguarded::NotEnabled));
        }
        Self {
            writer,
            cache,
            keys: Vec::new(),
            patterns: Vec::new(),
            incomplete: false,
            guard: None,
        }
    }

    /// Adds a target.
    pub fn key(&mut self, render: impl FnOnce(&mut KeyWriter)) {
        let Some(cache) = &self.cache else { return };
        let mut key = KeyWriter::new(&cache.inner.namespace);
        render(&mut key);
        self.add(key.finish());
    }

    fn add(&mut self, key: Option<String>) {
        match (key, &self.cache) {
            (Some(key), _) => self.keys.push(key),
            (None, Some(cache)) => {
                self.incomplete = true;
                cache.inner.emit(&self.writer.site, &Event::LostKey);
            }
            (None, None) => {}
        }
    }

    /// Adds a target with a `*` in its text.
    pub fn pattern(&mut self, render: impl FnOnce(&mut KeyWriter)) {
        let Some(cache) = &self.cache else { return };
        let namespace = &cache.inner.namespace;
        let mut text = KeyWriter::new(namespace);
        render(&mut text);
        // With empty values, nothing but stars may be left.
        match text.finish_pattern(namespace) {
            Some(pattern) if !pattern.is_everything() => self.patterns.push(pattern),
            _ => cache.inner.emit(&self.writer.site, &Event::LostKey),
        }
    }

    /// Adds a target that was given by hand.
    pub(crate) fn full_key(&mut self, key: String) {
        self.keys.push(key);
    }

    /// Adds a tag.
    pub fn tag(&mut self, render: impl FnOnce(&mut KeyWriter)) {
        let Some(cache) = &self.cache else { return };
        let mut key = KeyWriter::marked(&cache.inner.namespace, TAG);
        render(&mut key);
        self.add(key.finish());
    }

    /// Renders a part of a target whose rest is known only from the result. The function may move
    /// its parameters away before that.
    pub fn fragment(&mut self, render: impl FnOnce(&mut KeyWriter)) -> String {
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
    pub async fn begin(&mut self) {
        match (self.bar().await, &self.cache) {
            // The latter is told for every write as soon as it is made.
            (Ok(()) | Err(Unguarded::NotEnabled), _) | (_, None) => {}
            (Err(reason), Some(cache)) => cache
                .inner
                .emit(&self.writer.site, &Event::Unguarded(&reason)),
        }
    }

    /// Begins a guarded write, or says why the function must not run.
    pub async fn require(&mut self) -> Option<Unguarded> {
        let reason = match self.incomplete {
            true => Unguarded::Key,
            false => self.bar().await.err()?,
        };
        if let Some(cache) = &self.cache {
            let refused = Event::WriteRefused(&reason);
            cache.inner.emit(&self.writer.site, &refused);
        }
        self.keys.clear();
        Some(reason)
    }

    /// Until the keys are barred they stay here, so that a caller who is dropped meanwhile
    /// invalidates them.
    async fn bar(&mut self) -> Result<(), Unguarded> {
        let Some(cache) = self.cache.as_ref().filter(|_| !self.keys.is_empty()) else {
            return Ok(());
        };
        let (site, lag) = (&self.writer.site, self.writer.info.replica_lag);
        let keys = self.keys.clone();
        let guard = match self.writer.through {
            true => WriteGuard::bar(&cache.inner, site, keys, lag).await?,
            false => WriteGuard::begin(&cache.inner, site, keys, lag).await?,
        };
        self.guard = Some(match self.writer.info.publish {
            true => guard.publish(),
            false => guard,
        });
        self.keys.clear();
        Ok(())
    }

    /// Invalidates before the function runs.
    pub async fn before(&mut self) {
        self.send_and_wait().await;
    }

    /// Invalidates after the function has returned, if it should; a guarded write ends in any case.
    pub async fn finish(mut self, ok: bool) {
        if let Some(guard) = self.ending() {
            // A failure has been counted and told.
            let _ = guard.finish().await;
        }
        if self.writer.info.when == When::Ok && !ok {
            self.keys.clear();
            self.patterns.clear();
        }
        self.send_and_wait().await;
    }

    /// The cache, if the write has begun, so that it can end with its value.
    pub(crate) fn begun(&self) -> Option<&Cache> {
        self.cache.as_ref().filter(|_| self.guard.is_some())
    }

    /// Ends a write-through, with its value if there is one to store.
    pub(crate) async fn put(mut self, written: Option<Packed>) {
        if let Some(guard) = self.guard.take() {
            // As above.
            let _ = guard.close(written).await;
        }
        self.send_and_wait().await;
    }

    /// The guard, if it ends with this call and not with the commit of a transaction.
    fn ending(&mut self) -> Option<WriteGuard> {
        let guard = self.guard.take()?;
        match &self.cache {
            Some(cache) => after_commit::keep(&cache.inner, guard).err(),
            None => Some(guard),
        }
    }

    async fn send_and_wait(&mut self) {
        if let Some(sent) = self.send() {
            // A failure has been counted and told; the function's own result is what the caller gets.
            let _ = sent.await;
        }
    }

    fn send(&mut self) -> Option<Sent> {
        let keys = std::mem::take(&mut self.keys);
        let patterns = std::mem::take(&mut self.patterns);
        let some = !keys.is_empty() || !patterns.is_empty();
        let inner = &self.cache.as_ref().filter(|_| some)?.inner;
        let (site, info) = (&self.writer.site, &self.writer.info);
        let removal = Removal {
            hold_off: info.replica_lag,
            publish: info.publish.then_some(site),
            ..Removal::of(site, keys, patterns)
        };
        invalidate::in_turn(inner, removal)
    }
}

impl Drop for Write {
    fn drop(&mut self) {
        // Nobody is left to wait for it: it is sent all the same.
        drop((self.ending(), self.send()));
    }
}

//! The write flow: invalidate, put.
//!
//! An invalidation removes the entry *or the lease* under its key. A load that began before it then
//! finds its lease gone and cannot store its result, however late it arrives.
//!
//! Invalidations are sent from tasks of their own. A write that was committed must be seen even if
//! its caller is dropped, because a client hung up, at that very moment. Those that the store does not
//! confirm go on in the [`journal`](crate::journal), before anybody learns that they ended. A write in
//! two phases, which is seen even if its process dies at that moment, is in [`guard`](crate::guard).

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::task::JoinHandle;

use crate::error::{StoreError, Unguarded};
use crate::event::Event;
use crate::guard::WriteGuard;
use crate::handle::{self, Cache, Inner};
use crate::journal::Attempt;
use crate::key::KeyWriter;
use crate::lease::Lease;
use crate::pack::Packer;
use crate::registry::{DIRECT, Site, When, Writer};
use crate::store::Store as _;
use crate::{Error, Invalidation, Policy, codec};

/// Removes what stands under `keys`, in one round trip: every invalidation, at once or replayed, comes
/// down to this. Where tombstones may stand it spares them, and leaves one for the time of the hold-off.
pub(crate) async fn remove(
    inner: &Inner,
    keys: &[String],
    hold_off: Option<Duration>,
) -> Result<(), StoreError> {
    let answer = match inner.settings.guarded {
        true => inner.store.invalidate_guarded(keys, hold_off).await,
        false => inner.store.invalidate(keys).await,
    };
    // Their fills are refused from now on, so nobody should wait for them any more.
    keys.iter().for_each(|key| inner.flights.abandon(key));
    answer
}

/// Invalidates `keys`, in one round trip.
pub(crate) async fn invalidate(
    inner: &Arc<Inner>,
    site: &'static Site,
    keys: Vec<String>,
    hold_off: Option<Duration>,
) -> Result<Invalidation, Error> {
    let sent = Sending::new(inner, site, keys, hold_off).spawn().await;
    // An error means that the runtime is shutting down.
    sent.map_err(|_| StoreError::Unavailable.into())
}

/// An invalidation on its way. However it ends, it is told: a task that a runtime drops at its
/// shutdown drops this too, with its keys still inside.
pub(crate) struct Sending {
    inner: Arc<Inner>,
    site: &'static Site,
    keys: Vec<String>,
    hold_off: Option<Duration>,
}

impl Sending {
    pub(crate) fn new(
        inner: &Arc<Inner>,
        site: &'static Site,
        keys: Vec<String>,
        hold_off: Option<Duration>,
    ) -> Self {
        Self {
            inner: Arc::clone(inner),
            site,
            keys,
            hold_off,
        }
    }

    fn spawn(self) -> JoinHandle<Invalidation> {
        let runtime = self.inner.runtime.clone();
        runtime.spawn(self.send())
    }

    pub(crate) async fn send(self) -> Invalidation {
        let attempt = self.inner.journal.begin();
        let answer = remove(&self.inner, &self.keys, self.hold_off).await;
        self.answered(attempt, answer)
    }

    /// Ends with what the store has answered.
    pub(crate) fn answered(
        mut self,
        attempt: Attempt,
        answer: Result<(), StoreError>,
    ) -> Invalidation {
        let keys = std::mem::take(&mut self.keys);
        let confirmed = answer.and_then(|()| {
            let settled = self.inner.journal.confirm(attempt, &keys);
            settled.ok_or(StoreError::Lost)
        });
        match confirmed {
            Ok(settled) => self.done(keys.len(), settled),
            Err(error) => self.defer(attempt, &keys, &error),
        }
    }

    fn done(&self, keys: usize, settled: usize) -> Invalidation {
        if keys > 0 {
            self.inner.emit(self.site, &Event::Invalidated(keys));
        }
        if settled > 0 {
            self.inner.emit(self.site, &Event::Replayed(settled));
        }
        Invalidation::Done
    }

    /// Reads of these keys bypass the cache from here on, so before anybody learns of the end.
    fn defer(&self, attempt: Attempt, keys: &[String], error: &StoreError) -> Invalidation {
        if self.inner.journal.keep(attempt, keys, self.hold_off) {
            self.inner.emit(self.site, &Event::JournalOverflow);
        }
        let event = Event::Deferred(keys.len(), error);
        self.inner.emit(self.site, &event);
        Invalidation::Deferred
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        if !self.keys.is_empty() {
            let event = Event::Lost(self.keys.len(), &StoreError::Unavailable);
            self.inner.emit(self.site, &event);
        }
    }
}

/// Stores a value that is current now: takes the lease first, so that an invalidation from here on
/// has precedence over it.
pub(crate) async fn put<T>(
    inner: &Arc<Inner>,
    policy: &Policy,
    key: &str,
    value: &T,
) -> Result<bool, Error>
where
    T: Serialize + DeserializeOwned,
{
    policy.check("policy")?;
    if inner.settings.lacks_ttl(policy) {
        return Err(Error::setting(
            "policy",
            "no TTL: neither the policy nor the builder gives one",
        ));
    }
    if inner.journal.pass(key).is_none() {
        return Ok(false);
    }
    let Some(lease) = Lease::seize(inner, key).await? else {
        inner.emit(&DIRECT.site, &Event::Refused);
        return Ok(false);
    };
    let packer = Packer {
        inner,
        function: &DIRECT,
        policy,
        codec: codec::FromCache,
    };
    let packed = packer
        .pack(Some(value), Duration::ZERO, lease.epoch())
        .ok_or(Error::Unstorable)?;
    let won = lease.fill(packed.entry, packed.life).await?;
    inner.emit(
        &DIRECT.site,
        if won { &Event::Fill } else { &Event::Refused },
    );
    Ok(won)
}

/// One call of a function under `#[invalidates]`.
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
            incomplete: false,
            guard: None,
        }
    }

    /// Adds a target.
    pub fn key(&mut self, render: impl FnOnce(&mut KeyWriter)) {
        let Some(cache) = &self.cache else { return };
        let mut key = KeyWriter::new(&cache.inner.namespace);
        render(&mut key);
        match key.finish() {
            Some(key) => self.keys.push(key),
            None => {
                self.incomplete = true;
                cache.inner.emit(&self.writer.site, &Event::LostKey);
            }
        }
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
        let guard = WriteGuard::begin(&cache.inner, site, self.keys.clone(), lag).await?;
        self.guard = Some(guard);
        self.keys.clear();
        Ok(())
    }

    /// Invalidates before the function runs.
    pub async fn before(&mut self) {
        self.send_and_wait().await;
    }

    /// Invalidates after the function has returned, if it should; a guarded write ends in any case.
    pub async fn finish(mut self, ok: bool) {
        if let Some(guard) = self.guard.take() {
            // A failure has been counted and told.
            let _ = guard.finish().await;
        }
        if self.writer.info.when == When::Ok && !ok {
            self.keys.clear();
        }
        self.send_and_wait().await;
    }

    async fn send_and_wait(&mut self) {
        if let Some(task) = self.send() {
            // A failure has been counted and told; the function's own result is what the caller gets.
            let _ = task.await;
        }
    }

    fn send(&mut self) -> Option<JoinHandle<Invalidation>> {
        let keys = std::mem::take(&mut self.keys);
        let cache = self.cache.as_ref().filter(|_| !keys.is_empty())?;
        let (site, lag) = (&self.writer.site, self.writer.info.replica_lag);
        Some(Sending::new(&cache.inner, site, keys, lag).spawn())
    }
}

impl Drop for Write {
    fn drop(&mut self) {
        // Nobody is left to wait for it; the task runs to its end all the same.
        drop(self.send());
    }
}

//! Invalidations that wait for the commit of a transaction.
//!
//! One that is sent before the commit is too early: a reader in between finds nothing, loads what was
//! there before and stores it again, and nobody removes that any more. So what functions inside a
//! transaction would invalidate is collected, and sent when the transaction has been committed.
//!
//! ```text
//! scope ── collect a key ──────────► commit of the source ──► commit: sent, answered or journaled
//!               └── reads of it here bypass the cache ───────────────────────────┘ released
//! ```
//!
//! The keys are released last: a read of this process that looks at the store again finds that what
//! stood there is gone, or its key in the journal. A read inside the scope may go through the open
//! transaction, so what it loads of a collected key is its own: it is neither stored nor shared.
//!
//! A guarded write that ends inside the scope stays barred until the commit, or until there will be
//! none. A write-through only invalidates: its transaction may be of an older snapshot than what others
//! have committed since, so what it returns need not be what stands in the source.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::guard::WriteGuard;
use crate::handle::Inner;
use crate::journal::Hold;
use crate::key::Pattern;
use crate::registry::DIRECT;
use crate::write::Invalidation;
use crate::{Error, StoreError, key, matching};

/// Collects the invalidations of a transaction and sends them at its commit; made by
/// [`Cache::after_commit`](crate::Cache::after_commit).
///
/// Dropped without [`commit`](Self::commit), nothing is sent. While a key is collected, reads of it in
/// this process bypass the cache.
#[must_use = "dropped, it sends nothing"]
pub struct AfterCommit {
    collector: Arc<Collector>,
    /// Whether the transaction may be committed by now.
    in_doubt: bool,
}

struct Collector {
    inner: Arc<Inner>,
    targets: Mutex<Targets>,
}

/// What is to be done at the commit.
struct Targets {
    keys: Hold,
    hold_off: Option<Duration>,
    /// Whether others are to hear of it: one that asks for it does so for all.
    publish: bool,
    guards: Vec<WriteGuard>,
}

tokio::task_local! {
    static SCOPE: Scope;
}

/// The collectors of a task, the innermost first.
#[derive(Clone)]
struct Scope {
    collector: Arc<Collector>,
    outer: Option<Arc<Scope>>,
}

impl AfterCommit {
    pub(crate) fn new(inner: &Arc<Inner>) -> Self {
        let collector = Collector {
            inner: Arc::clone(inner),
            targets: Mutex::new(Targets::new(inner)),
        };
        Self {
            collector: Arc::new(collector),
            in_doubt: false,
        }
    }

    /// Collects `key`.
    pub fn invalidate(&self, key: impl AsRef<str>) {
        self.invalidate_many([key]);
    }

    /// Collects all `keys`.
    pub fn invalidate_many<K: AsRef<str>>(&self, keys: impl IntoIterator<Item = K>) {
        let namespace = &self.collector.inner.namespace;
        let keys = keys
            .into_iter()
            .map(|key| key::full_key(namespace, key.as_ref()));
        self.collector.add(keys, None, false);
    }

    /// Runs `future`. What functions under `#[invalidates]` and `#[write_through]`, and the methods of
    /// this cache, would invalidate on its way is collected instead; the methods answer
    /// [`Invalidation::Collected`]. Of scopes inside one another the innermost collects. It does not
    /// cross `tokio::spawn`.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, what `future` would then invalidate is collected too.
    pub async fn scope<F: Future>(&self, future: F) -> F::Output {
        let outer = SCOPE.try_with(Clone::clone).ok().map(Arc::new);
        let collector = Arc::clone(&self.collector);
        SCOPE.scope(Scope { collector, outer }, future).await
    }

    /// Sends all that was collected, in one round trip. To be called when the transaction has been
    /// committed, or may have been. What was collected is counted under `(direct)`.
    ///
    /// # Errors
    ///
    /// When the runtime is ending, so that nothing can be sent or kept.
    ///
    /// # Cancel safety
    ///
    /// Polled once, everything is sent even if this future is dropped.
    pub async fn commit(self) -> Result<Invalidation, Error> {
        let sent = self.collector.send().await;
        // An error means that the runtime is shutting down.
        sent.map_err(|_| StoreError::Unavailable.into())
    }

    /// Awaits `commit`, the commit of the transaction, and then sends all that was collected, however
    /// that has ended: a commit that failed for its caller may have been done. A failure is counted and
    /// told as that of a function under `#[invalidates]`.
    ///
    /// # Cancel safety
    ///
    /// Polled once, everything is sent even if this future is dropped, or `commit` panics.
    pub async fn commit_with<F: Future>(mut self, commit: F) -> F::Output {
        self.in_doubt = true;
        let committed = commit.await;
        // It has been counted and told.
        let _ = self.commit().await;
        committed
    }
}

impl Drop for AfterCommit {
    fn drop(&mut self) {
        if self.in_doubt && !self.collector.lock().is_empty() {
            // Nobody is left to wait for it; the task runs to its end all the same.
            drop(self.collector.send());
        }
        // A future that was leaked in its scope may keep the collector, but no key.
        drop(self.collector.take());
    }
}

impl fmt::Debug for AfterCommit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AfterCommit").finish_non_exhaustive()
    }
}

impl Collector {
    fn add(
        &self,
        keys: impl IntoIterator<Item = String>,
        hold_off: Option<Duration>,
        publish: bool,
    ) {
        let mut targets = self.lock();
        targets.publish |= publish;
        // The longest for all, which costs loads and nothing else.
        targets.hold_off = targets.hold_off.max(hold_off);
        keys.into_iter().for_each(|key| targets.keys.add(key));
    }

    fn take(&self) -> Targets {
        std::mem::replace(&mut *self.lock(), Targets::new(&self.inner))
    }

    /// In a task of its own, so that it arrives though the caller is dropped.
    fn send(&self) -> JoinHandle<Invalidation> {
        let Targets {
            keys,
            hold_off,
            publish,
            guards,
        } = self.take();
        let (site, inner) = (&DIRECT.site, &self.inner);
        // Before the task: one that never runs must tell that they are lost.
        let sending =
            matching::sending(inner, site, keys.keys(), keys.patterns(), hold_off, publish);
        inner.runtime.spawn(async move {
            let guards: Vec<_> = guards.into_iter().map(|guard| guard.close(None)).collect();
            let mut sent = sending.await;
            for guard in guards {
                if !matches!(guard.await, Ok(Some(Invalidation::Done))) {
                    sent = Invalidation::Deferred;
                }
            }
            drop(keys);
            sent
        })
    }

    fn lock(&self) -> MutexGuard<'_, Targets> {
        self.targets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Targets {
    fn new(inner: &Inner) -> Self {
        Self {
            keys: Hold::new(&inner.journal),
            hold_off: None,
            publish: false,
            guards: Vec::new(),
        }
    }

    fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.guards.is_empty()
    }
}

impl Scope {
    fn find(&self, inner: &Arc<Inner>) -> Option<&Arc<Collector>> {
        if Arc::ptr_eq(&self.collector.inner, inner) {
            return Some(&self.collector);
        }
        self.outer.as_ref()?.find(inner)
    }
}

/// What collects for this cache, in this task.
fn collector(inner: &Arc<Inner>) -> Option<Arc<Collector>> {
    let found = SCOPE.try_with(|scope| scope.find(inner).map(Arc::clone));
    found.ok().flatten()
}

/// Whether invalidations of this cache wait for a commit, in this task.
pub(crate) fn is_open(inner: &Arc<Inner>) -> bool {
    collector(inner).is_some()
}

/// Collects `keys`; gives them back if nobody does.
pub(crate) fn collect(
    inner: &Arc<Inner>,
    keys: Vec<String>,
    hold_off: Option<Duration>,
    publish: bool,
) -> Result<(), Vec<String>> {
    let Some(collector) = collector(inner) else {
        return Err(keys);
    };
    collector.add(keys, hold_off, publish);
    Ok(())
}

/// The same for all keys that match `patterns`.
pub(crate) fn collect_patterns(
    inner: &Arc<Inner>,
    patterns: Vec<Pattern>,
    publish: bool,
) -> Result<(), Vec<Pattern>> {
    let Some(collector) = collector(inner) else {
        return Err(patterns);
    };
    let mut targets = collector.lock();
    targets.publish |= publish;
    let keys = &mut targets.keys;
    patterns
        .into_iter()
        .for_each(|pattern| keys.add_pattern(pattern));
    Ok(())
}

/// Keeps `guard` until the commit; gives it back if nobody does.
pub(crate) fn keep(inner: &Arc<Inner>, guard: WriteGuard) -> Result<(), WriteGuard> {
    let Some(collector) = collector(inner) else {
        return Err(guard);
    };
    collector.lock().guards.push(guard);
    Ok(())
}

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
//! stood there is gone, or its key in the journal.
//!
//! A read inside the scope may go through the open transaction, whatever its key and its cache. What
//! it sees may be rolled back, so it is its own: neither stored nor shared, nor compared with what is
//! ([`is_open`](crate::engine::transaction::is_open) is asked wherever one of these begins). Nor does it wait for anybody's load, which may
//! be waiting for a lock that this very transaction holds.
//!
//! A guarded write that ends inside the scope stays barred until the commit, or until there will be
//! none. A write-through only invalidates: its transaction may be of an older snapshot than what others
//! have committed since, so what it returns need not be what stands in the source.

use std::fmt;
use std::sync::Arc;

use futures_util::future::join_all;
use tokio::task::LocalKey;

use crate::engine::handle::{self, Inner};
use crate::engine::transaction;
use crate::error::Error;
use crate::observe::registry::DIRECT;
use crate::util::within::{Local, Within};
use crate::wire::key;
use crate::wire::message::Names;
use crate::write::dispatch::Sent;
use crate::write::invalidation::Invalidation;
use crate::write::removal::{Collection, Removal};
use crate::write::request::InvalidationRequest;

/// Collects the invalidations of a transaction and sends them at its commit; made by
/// [`Cache::after_commit`](crate::Cache::after_commit) and [`after_commit`].
///
/// Dropped without [`commit`](Self::commit), nothing is sent. While a key is collected, reads of it in
/// this process bypass the cache.
#[must_use = "dropped, it sends nothing"]
pub struct AfterCommit {
    transaction: Arc<Transaction>,
    /// Whether the transaction may be committed by now.
    in_doubt: bool,
}

/// What an [`AfterCommit`] has collected for one cache. Keys and patterns are without the namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Collected {
    /// That of the cache.
    pub namespace: String,
    /// The keys, also those of writes in two phases.
    pub keys: Vec<String>,
    /// The tags. One that begins with `#fn:` stands for all entries of a function that was cleared; a request
    /// takes it as it is.
    pub tags: Vec<String>,
    /// The patterns of keys.
    pub patterns: Vec<String>,
}

impl Collected {
    fn of(removal: &Removal) -> Self {
        let namespace = removal.inner.namespace.clone();
        let names = Names::of(&removal.targets(), &namespace);
        Self {
            namespace,
            keys: names.keys,
            tags: names.tags,
            patterns: names.patterns,
        }
    }
}

/// What one transaction has collected.
struct Transaction {
    /// The cache that it was made for, if any.
    own: Option<Arc<Inner>>,
    collection: Collection,
}

tokio::task_local! {
    static SCOPE: Scope;
}

/// The transactions of a task, the innermost first.
#[derive(Clone)]
struct Scope {
    transaction: Arc<Transaction>,
    outer: Option<Arc<Scope>>,
}

impl Local for Scope {
    fn key() -> &'static LocalKey<Self> {
        &SCOPE
    }
}

/// [`Cache::after_commit`](crate::Cache::after_commit) of the cache in scope, or else of the installed
/// one. Without either it collects what is invalidated in caches that are named.
///
/// ```standalone_crate
/// use cached_redis::{Cache, after_commit, invalidates};
///
/// #[invalidates("stock:<book>")]
/// async fn take(book: u64) {} // UPDATE … in an open transaction
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cached_redis::Error> {
/// Cache::builder().url("memory://").build().await?.install()?; // once
///
/// let after = after_commit();
/// after.scope(take(7)).await;
/// after.commit_with(async { /* COMMIT */ }).await;
/// # Ok(())
/// # }
/// ```
pub fn after_commit() -> AfterCommit {
    AfterCommit::new(handle::current().map(|cache| Arc::clone(&cache.inner)))
}

impl AfterCommit {
    pub(crate) fn new(own: Option<Arc<Inner>>) -> Self {
        let collection = Collection::default();
        Self {
            transaction: Arc::new(Transaction { own, collection }),
            in_doubt: false,
        }
    }

    /// Collects `key`: short for [`collect`](Self::collect) of one key of the cache that it was made for.
    pub fn invalidate(&self, key: impl AsRef<str>) {
        if let Some(inner) = &self.transaction.own {
            let key = key::full_key(&inner.namespace, key.as_ref());
            self.add(Removal::of(inner, &DIRECT.site, vec![key]));
        }
    }

    /// Collects what a request asks for, of whatever cache, instead of sending it.
    ///
    /// # Errors
    ///
    /// As [`InvalidationRequest::send`]; then nothing is collected.
    pub fn collect(&self, request: InvalidationRequest<'_>) -> Result<(), Error> {
        self.add(request.removal()?);
        Ok(())
    }

    fn add(&self, removal: Removal) {
        // Until its commit, which takes it, it collects.
        self.transaction.collection.add(removal);
    }

    /// What was collected until now, for each cache: to be written down inside of the transaction, for
    /// somebody else to send, should this process end before it has.
    #[must_use]
    pub fn collected(&self) -> Vec<Collected> {
        self.transaction.collection.each(Collected::of)
    }

    /// Runs `future`. What functions under `#[invalidates]` and `#[write_through]`, and the methods of
    /// caches, would invalidate on its way is collected instead; the methods answer
    /// [`Invalidation::Collected`]. Of scopes inside one another the innermost of the same cache
    /// collects, and where there is none, the innermost. What is read on its way is neither kept nor
    /// shared. It does not cross `tokio::spawn`.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, what `future` would then invalidate is collected too.
    pub async fn scope<F: Future>(&self, future: F) -> F::Output {
        let outer = SCOPE.try_with(Clone::clone).ok().map(Arc::new);
        let transaction = Arc::clone(&self.transaction);
        let scope = Scope { transaction, outer };
        Within::new(Some(scope), transaction::open(future)).await
    }

    /// Sends all that was collected, for each cache as one removal: up to 500 keys in one round trip. To be
    /// called when the transaction has been committed, or may have been. Each writer is counted for the keys
    /// that it was the first to collect, or to publish.
    ///
    /// # Errors
    ///
    /// None at present: what the store does not confirm is [`Invalidation::Deferred`].
    ///
    /// # Cancel safety
    ///
    /// Polled once, everything is sent even if this future is dropped.
    pub async fn commit(self) -> Result<Invalidation, Error> {
        // Together: one after the other, each that is not answered would take a deadline of its own.
        let ended = join_all(self.transaction.send()).await.into_iter();
        Ok(ended.fold(Invalidation::Done, Invalidation::and))
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
        if self.in_doubt {
            // Nobody is left to wait for them: they are sent all the same.
            drop(self.transaction.send());
        }
        // A future that was leaked in its scope may keep the transaction, but no key.
        drop(self.transaction.collection.close());
    }
}

impl fmt::Debug for AfterCommit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AfterCommit").finish_non_exhaustive()
    }
}

impl Transaction {
    /// From tasks of their own, so that it arrives though the caller is dropped.
    fn send(&self) -> Vec<Sent> {
        let all = self.collection.close().into_iter();
        all.map(Removal::sent).collect()
    }
}

impl Scope {
    /// The innermost that was made for this cache.
    fn of(&self, inner: &Arc<Inner>) -> Option<&Arc<Transaction>> {
        let own = self.transaction.own.as_ref();
        if own.is_some_and(|own| Arc::ptr_eq(own, inner)) {
            return Some(&self.transaction);
        }
        self.outer.as_ref()?.of(inner)
    }
}

/// What collects for this cache, in this task.
fn transaction(inner: &Arc<Inner>) -> Option<Arc<Transaction>> {
    let innermost = |scope: &Scope| {
        let found = scope.of(inner).unwrap_or(&scope.transaction);
        Arc::clone(found)
    };
    SCOPE.try_with(innermost).ok()
}

/// Collects what is to be removed; gives it back if nobody does.
pub(crate) fn collect(removal: Removal) -> Option<Removal> {
    match transaction(&removal.inner) {
        Some(transaction) => transaction.collection.add(removal),
        None => Some(removal),
    }
}

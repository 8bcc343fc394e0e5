//! What users do with a cache.

use tokio::time::timeout;

use crate::api::builder::Builder;
use crate::api::catalog::Catalog;
use crate::engine::handle::{self, Cache, Inner};
use crate::engine::mode::Mode;
use crate::error::Error;
use crate::error::pending::Pending;
use crate::observe::registry;
use crate::observe::stats::Stats;
use crate::store::health::Health;
use crate::wire::key;

impl Cache {
    /// Starts configuring a cache.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Makes this the cache of all annotated functions that name no other.
    ///
    /// # Errors
    ///
    /// [`Error::AlreadyInstalled`] if there is one; it stays.
    pub fn install(self) -> Result<(), Error> {
        handle::install(self).map_err(|_| Error::AlreadyInstalled)
    }

    /// The [installed](Self::install) one, if there is one.
    #[must_use]
    pub fn installed() -> Option<Self> {
        handle::installed()
    }

    /// The cache that annotated functions ask here: the one in [scope](Self::scope), or else the
    /// installed one; `None` if there is neither.
    ///
    /// ```
    /// # use cached_redis::Cache;
    /// /// Needs no cache to be handed through the application.
    /// async fn forget(user: u64) -> Result<(), cached_redis::Error> {
    ///     if let Some(cache) = Cache::current() {
    ///         cache.invalidate(format!("user:{user}")).await?;
    ///     }
    ///     Ok(())
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cached_redis::Error> {
    /// let cache = Cache::builder().url("memory://").build().await?;
    /// cache.scope(forget(42)).await
    /// # }
    /// ```
    #[must_use]
    pub fn current() -> Option<Self> {
        handle::scoped().or_else(handle::installed)
    }

    /// Runs `future` with this cache in the place of the installed one: this is how tests run in
    /// parallel. It does not cross `tokio::spawn`; [`Cache::spawn`] does.
    pub fn scope<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        handle::scope(self.clone(), future)
    }

    /// Spawns `future` on the current runtime with this cache in scope.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime, as `tokio::spawn` does.
    pub fn spawn<F>(&self, future: F) -> tokio::task::JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        tokio::spawn(self.scope(future))
    }

    /// What all keys of this cache begin with: see [`Builder::namespace`].
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.inner.namespace
    }

    /// Waits until the store has confirmed all deferred invalidations and events, and until nothing is
    /// under way in the background that calls have left there: fills, refreshes, invalidations. Not longer
    /// than [`flush_timeout`](crate::Builder::flush_timeout).
    ///
    /// For the end of a program. What is left there when its runtime ends is lost: an invalidation, so that
    /// others read what it should have removed until its TTL; or a fill, so that the next program
    /// [waits](crate::docs::loads#programs-that-end) for its lease.
    ///
    /// # Errors
    ///
    /// [`Error::Unflushed`] when something is left; it goes on being tried.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn flush(&self) -> Result<(), Error> {
        let Inner {
            journal, outbox, ..
        } = &*self.inner;
        journal.hurry();
        let all = async {
            // Before the others: what fails there is deferred.
            self.inner.runtime.work.done().await;
            journal.until(false).await;
            outbox.until_empty().await;
        };
        let all = self.inner.runtime.tended(all);
        let flushed = timeout(self.inner.settings.flush_timeout, all).await;
        let pending = Pending {
            // In time there were none, and others may have begun since.
            tasks: flushed.map_or_else(|_| self.inner.runtime.work.tasks(), |()| 0),
            ..self.inner.pending()
        };
        match pending.is_empty() {
            true => Ok(()),
            false => Err(Error::Unflushed { pending }),
        }
    }

    /// How much the function of this name, with or without its module, uses this cache now: what an operator has
    /// set for all processes, or else what this one has.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownFunction`] and [`Error::AmbiguousFunction`].
    pub fn mode(&self, function: &str) -> Result<Mode, Error> {
        let function = registry::function(function)?;
        Ok(self.inner.modes.of(&function.site))
    }

    /// Changes how much a function uses this cache, from its next call on: see [`Mode`]. What an operator
    /// [has set](crate::operator::Operator::set_mode) has precedence, for its time.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownFunction`] and [`Error::AmbiguousFunction`].
    pub fn set_mode(&self, function: &str, mode: Mode) -> Result<(), Error> {
        self.inner.modes.set(function, mode)
    }

    /// What happened since the cache was built, per function.
    pub fn stats(&self) -> Stats {
        self.inner.stats()
    }

    /// Whether there is a connection to the store, since when, and what went wrong last: for a health
    /// endpoint. It asks nobody. A cache without a connection holds no function up, so none of this is a
    /// reason to take the program out of service.
    ///
    /// ```
    /// # use cached_redis::Cache;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cached_redis::Error> {
    /// let cache = Cache::builder().url("memory://").build().await?;
    /// let health = cache.health();
    /// assert!(health.connected && health.last_error.is_none());
    /// println!("cache: {health}"); // connected for 0 s
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn health(&self) -> Health {
        self.inner.health()
    }

    /// Every annotated function of the program, with [advice](Catalog::advice) for this cache.
    pub fn catalog(&self) -> Catalog {
        Catalog::collect().advised(&self.inner)
    }

    pub(crate) fn key(&self, key: impl AsRef<str>) -> String {
        key::full_key(&self.inner.namespace, key.as_ref())
    }
}

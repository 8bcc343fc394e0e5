//! What a load says about its own result, from inside.
//!
//! While a cached function's body runs, a task-local leads to what it says: [`current`]. Cached
//! functions that it calls meanwhile say something too: a value past its TTL, which one of them was
//! served, would be frozen into a fresh entry of the outer function, so that one is not stored.
//!
//! The task-local does not cross `tokio::spawn`; a [`Current`] that was taken before does.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

tokio::task_local! {
    static LOADING: Arc<Loading>;
}

/// One running load.
#[derive(Debug, Default)]
pub(crate) struct Loading {
    said: Mutex<Said>,
    /// Whether what inner calls are served is no matter of this load.
    alone: bool,
}

/// What a load said about its result.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// How long it is fresh; zero: not to be stored.
    pub(crate) ttl: Option<Duration>,
    pub(crate) do_not_store: bool,
    /// An inner call was served a value past its TTL.
    pub(crate) stale: bool,
}

impl Said {
    /// Whether the result is not to be stored, whatever it is.
    pub(crate) fn forbids(&self) -> bool {
        self.do_not_store || self.stale
    }
}

impl Loading {
    /// Runs `load` so that it can speak; what it gave and what it said. `alone`: inner calls cannot.
    ///
    /// The future is made here: as an argument it would have its place twice, and nested loads would
    /// double in size at each level.
    pub(crate) async fn run<F: Future>(alone: bool, load: impl FnOnce() -> F) -> (F::Output, Said) {
        let loading = Arc::new(Self {
            said: Mutex::default(),
            alone,
        });
        let output = LOADING.scope(Arc::clone(&loading), load()).await;
        let said = std::mem::take(&mut *loading.lock());
        (output, said)
    }

    fn lock(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the load that this call is a part of, if there is one, that the call was served a value past
/// its TTL.
pub(crate) fn served_stale() {
    // Without the task-local there is nobody to tell.
    let _ = LOADING.try_with(|outer| {
        if !outer.alone {
            outer.lock().stale = true;
        }
    });
}

/// The load that runs here: inside of a function under `#[redis_cached]`, or of the closure given to
/// [`get_or_fill`](crate::Cache::get_or_fill), it can say what becomes of its result.
///
/// Elsewhere, and where the function runs without a cache, what is said has no effect.
///
/// ```
/// use std::time::Duration;
/// use cached_redis::{Cache, CachedExt as _, Status, current, redis_cached};
///
/// #[redis_cached(ttl = 3600, key = "rate:<currency>")]
/// async fn rate(currency: &str) -> f64 {
///     let (rate, is_final) = (1.25, currency == "EUR");
///     match is_final {
///         true => current().ttl(Duration::from_secs(86_400)),
///         false => current().do_not_store(),
///     }
///     rate
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cached_redis::Error> {
/// let cache = Cache::builder().url("memory://").build().await?;
/// cache
///     .scope(async {
///         rate("CHF").await;
///         let (_, info) = rate("CHF").with_info().await;
///         assert_eq!(info.status(), Status::Miss);
///     })
///     .await;
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn current() -> Current {
    Current(LOADING.try_with(Arc::clone).ok())
}

/// The load that runs here; see [`current`].
#[derive(Clone, Debug)]
pub struct Current(Option<Arc<Loading>>);

impl Current {
    /// How long the result stays fresh, in the place of the function's `ttl`; jitter applies to it.
    /// Zero: it is not stored. The last one said counts.
    pub fn ttl(&self, ttl: Duration) {
        self.say(|said| said.ttl = Some(ttl));
    }

    /// The result is not stored. An old value that could still be served goes.
    pub fn do_not_store(&self) {
        self.say(|said| said.do_not_store = true);
    }

    /// Whether anybody listens: the function runs on behalf of a cache.
    #[must_use]
    pub fn is_cached(&self) -> bool {
        self.0.is_some()
    }

    fn say(&self, what: impl FnOnce(&mut Said)) {
        if let Some(loading) = &self.0 {
            what(&mut loading.lock());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_load_hears_of_itself_and_of_inner_calls_but_not_of_theirs() {
        let inner = async { current().do_not_store() };
        let outer = async {
            let ((), said) = Loading::run(false, || inner).await;
            assert!(said.forbids());
            current().ttl(Duration::from_secs(1));
        };
        let ((), said) = Loading::run(false, || outer).await;
        assert_eq!(
            (said.ttl, said.forbids()),
            (Some(Duration::from_secs(1)), false)
        );
        let ((), said) = Loading::run(false, || async { served_stale() }).await;
        assert!(said.forbids());
        let ((), said) = Loading::run(true, || async { served_stale() }).await;
        assert!(!said.forbids());
    }

    #[test]
    fn outside_of_a_load_nobody_listens() {
        assert!(!current().is_cached());
        current().do_not_store();
        served_stale();
    }
}

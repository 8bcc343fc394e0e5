//! A task that reports the numbers of a cache to the `metrics` facade.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::engine::handle::{Cache, Inner};
use crate::error::Error;
use crate::store::sample::StoreSample;
use crate::util::background::Background;
use crate::util::lock::Mutex;

/// The namespaces that are reported in this process.
static REPORTED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Reports as long as it is there; [`Cache::report_metrics`] makes it.
#[must_use = "reports end when it is dropped"]
pub struct Reporting {
    namespace: String,
    _task: Background,
}

impl fmt::Debug for Reporting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reporting")
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

impl Drop for Reporting {
    fn drop(&mut self) {
        REPORTED.lock().remove(&self.namespace);
    }
}

impl Cache {
    /// Gives all numbers to the recorder of the `metrics` facade, at once and each time that `every` is over, with
    /// a [sample](Self::store_sample) of the store where there is a connection. 5 s is a good choice.
    ///
    /// The recorder may be installed before or after. Reports end when what this gives is dropped, with the cache,
    /// and with the Tokio runtime that this is called in.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] when `every` is zero, or outside of a Tokio runtime; [`Error::SameNamespace`] when another
    /// cache of this process reports under the same namespace: the two would overwrite each other's numbers.
    pub fn report_metrics(&self, every: Duration) -> Result<Reporting, Error> {
        Error::require(!every.is_zero(), "every", "must not be zero")?;
        let runtime = tokio::runtime::Handle::try_current();
        let runtime =
            runtime.map_err(|_| Error::setting("runtime", "reports need a Tokio runtime"))?;
        let namespace = self.inner.namespace.clone();
        if !REPORTED.lock().insert(namespace.clone()) {
            return Err(Error::SameNamespace { namespace });
        }
        let cache = Arc::downgrade(&self.inner);
        let task = runtime.spawn(async move {
            let mut ticks = interval(every);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                let Some(cache) = cache.upgrade() else {
                    return;
                };
                report(&cache).await;
            }
        });
        Ok(Reporting {
            namespace,
            _task: Background(task),
        })
    }
}

async fn report(cache: &Inner) {
    // What is away is told by other numbers.
    if let Ok(servers) = cache.store.sample().await {
        *cache.sample.lock() = Some(StoreSample::now(servers));
    }
    cache.stats().report();
}

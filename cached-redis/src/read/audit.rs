//! Whether what the cache serves is what the source has: the promise, measured in production.
//!
//! A share of the hits (`audit`), or every read in shadow mode, is compared with a load of its own. A
//! difference alone says nothing: a write may have been committed between the two, and its
//! invalidation be on its way. So after a moment the entry is looked at again, and only a value that
//! **still** stands counts as stale. After the idea of Polaris, "Cache made consistent", Meta 2022.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::engine::encode::Encoder;
use crate::engine::handle::Inner;
use crate::engine::shape::{ErrorSharing, Shape};
use crate::engine::transaction;
use crate::engine::verdict::Verdict;
use crate::observe::event::Event;
use crate::observe::registry::Function;
use crate::policy::Policy;
use crate::protocol::freshness::Freshness;
use crate::read::flow::{self, Reader, Task};
use crate::read::renew::Load;
use crate::wire::codec::{Choice, same_values};
use crate::wire::entry::{Live, Token};
use crate::wire::tag::Tags;

/// How long a committed write has to bring its invalidation to the store.
const GRACE: Duration = Duration::from_millis(100);

impl<S, E, C> Reader<'_, S, E, C>
where
    S: Shape<Value: Serialize + DeserializeOwned>,
    E: ErrorSharing<S::Error> + Copy,
    C: Choice,
{
    /// Loads, and compares with the result what the cache has served.
    pub(crate) async fn audit<F: Load<S::Return>>(&self, served: &Live, load: F) {
        // An error of the source says nothing of the entry.
        if let (Ok(ok), _) = self.load(load, None).await {
            self.compare(served, &ok);
        }
    }

    /// Runs the function for its result; what the cache would have served is compared with it.
    pub(crate) async fn shadow<U, F>(&self, task: Task<U, F>) -> Result<S::Ok, S::Error>
    where
        U: FnOnce(&S::Ok) -> Verdict,
        F: Load<S::Return>,
    {
        if transaction::is_open() {
            return self.refresh(task, false).await;
        }
        // A store that fails is told of where the result is to be stored.
        let standing = match self.standing().await.ok().flatten() {
            Some((live, Freshness::Fresh)) => live,
            // Served all the same, but due to be loaded anew.
            Some((_, Freshness::Early | Freshness::Revalidate)) => {
                return self.refresh(task, true).await;
            }
            Some((_, Freshness::IfError | Freshness::Dead)) | None => {
                return self.refresh(task, false).await;
            }
        };
        self.emit(&Event::ShadowHit);
        let (result, _) = self.load_unstamped(task.load).await;
        if let Ok(ok) = &result {
            self.compare(&standing, ok);
        }
        result
    }

    fn compare(&self, standing: &Live, loaded: &S::Ok) {
        let same = equals(&self.encoder, standing, S::value(loaded));
        audited(
            self.inner,
            self.encoder.function,
            (self.key, self.tags),
            standing,
            same,
        );
    }
}

/// Whether a hit belongs to the share that is audited.
pub(crate) fn is_drawn(policy: &Policy) -> bool {
    // An open transaction sees what is not for others to be compared with.
    let is_drawn = |share| fastrand::f64() < share && !transaction::is_open();
    policy.audit.is_some_and(is_drawn)
}

/// Whether an entry is what was loaded.
pub(crate) fn equals<T, C>(encoder: &Encoder<'_, C>, standing: &Live, loaded: Option<&T>) -> bool
where
    T: Serialize + DeserializeOwned,
    C: Choice,
{
    match (encoder.decode::<T>(standing), loaded) {
        (Some(Some(standing)), Some(loaded)) => same_values(&standing, loaded),
        (Some(None), None) => true,
        _ => false,
    }
}

/// Tells what came of a comparison, with a second look at an entry that is not the same. Nobody waits for it.
pub(crate) fn audited(
    inner: &Arc<Inner>,
    function: &'static Function,
    (key, tags): (&str, &Tags),
    standing: &Live,
    same: bool,
) {
    if same {
        return inner.emit(&function.site, &Event::Audited { fresh: true });
    }
    let (cache, key) = (Arc::clone(inner), key.to_owned());
    let (tags, token) = (tags.clone(), standing.header.token);
    inner.runtime.spawn(async move {
        let fresh = !persists(&cache, &key, &tags, token).await;
        cache.emit(&function.site, &Event::Audited { fresh });
    });
}

/// Whether the entry is still served when a writer has had its time.
async fn persists(inner: &Inner, key: &str, tags: &Tags, token: Token) -> bool {
    tokio::time::sleep(GRACE).await;
    let live = flow::standing(inner, key, tags).await;
    matches!(live, Ok(Some(live)) if live.header.token == token)
}

//! Whether what the cache serves is what the source has: the promise, measured in production.
//!
//! A share of the hits (`audit`), or every read in shadow mode, is compared with a load of its own. A
//! difference alone says nothing: a write may have been committed between the two, and its
//! invalidation be on its way. So after a moment the entry is looked at again, and only a value that
//! **still** stands counts as stale. After the idea of Polaris, "Cache made consistent", Meta 2022.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::handle::Inner;
use crate::engine::transaction;
use crate::observe::event::Event;
use crate::observe::registry::Function;
use crate::policy::Policy;
use crate::read::peek;
use crate::wire::entry::{Header, Live, Token};
use crate::wire::tag::Tags;

/// How long a committed write has to bring its invalidation to the store.
const GRACE: Duration = Duration::from_millis(100);

/// Whether a hit belongs to the share that is audited.
pub(crate) fn is_drawn(policy: &Policy, header: &Header) -> bool {
    // An open transaction sees what is not for others to be compared with.
    let is_drawn = |share| {
        // What is pending is newer than its source.
        fastrand::f64() < share && !transaction::is_open() && !header.is_pending()
    };
    policy.audit.is_some_and(is_drawn)
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
    let live = peek::standing(inner, key, tags).await;
    matches!(live, Ok(Some(live)) if live.header.token == token)
}

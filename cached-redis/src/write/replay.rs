//! The task that repeats what was not confirmed.
//!
//! It sleeps while nothing is kept. Else it removes all of it, as one thing, until that is confirmed;
//! after a failure it pauses, but not past the next connection. In a cluster, where a part of the servers
//! may be away, what was deferred together is one thing.

use std::sync::{Arc, Weak};

use futures_util::future::join_all;

use crate::engine::handle::Inner;
use crate::engine::remove;
use crate::error::StoreError;
use crate::observe::event::Event;
use crate::observe::registry::DIRECT;
use crate::protocol::journal::{Journal, Settled, Target, Work};
use crate::store::{Answer, Store as _};
use crate::util::backoff::Backoff;

/// How many parts go at once where they go apart.
const AT_ONCE: usize = 64;

/// Starts the task.
pub(crate) fn house(inner: &Arc<Inner>) {
    let (journal, cache) = (Arc::clone(&inner.journal), Arc::downgrade(inner));
    let begin = move || replay(Arc::clone(&journal), Weak::clone(&cache));
    inner.runtime.house(begin);
}

/// Runs until the cache is gone, which it does not keep alive.
async fn replay(journal: Arc<Journal>, cache: Weak<Inner>) {
    let mut backoff = Backoff::long();
    loop {
        journal.until(true).await;
        let Some(inner) = cache.upgrade() else { return };
        let result = round(&inner).await;
        drop(inner);
        let goes_on = match result {
            Ok(()) => true,
            Err(error) => {
                tracing::debug!(%error, "deferred invalidations still wait for the store");
                journal.hurried(backoff.next()).await
            }
        };
        if goes_on {
            backoff = Backoff::long();
        }
    }
}

/// One attempt at all that is to be removed.
async fn round(inner: &Inner) -> Answer<()> {
    let work = match inner.store.is_shared_out() {
        true => inner.journal.next_apart(),
        false => inner.journal.next().into_iter().collect(),
    };
    let mut done = Ok(());
    for some in work.chunks(AT_ONCE) {
        let attempts = some.iter().map(|work| attempt(inner, work));
        done = join_all(attempts).await.into_iter().fold(done, Answer::and);
    }
    done
}

async fn attempt(inner: &Inner, work: &Work) -> Answer<()> {
    let journal = &inner.journal;
    let settled = match &work.target {
        // What can go only as a whole is not sent in part, again and again.
        Target::Some(targets) if !inner.store.reaches(&targets.keys) => {
            return Err(StoreError::Unavailable);
        }
        Target::Some(targets) => {
            let patterns = targets.patterns.iter();
            let swept = patterns.map(|pattern| (pattern, &DIRECT.site)).collect();
            remove::remove(inner, &targets.keys, swept, work.hold_off).await?;
            journal.confirm(work.attempt, targets)
        }
        Target::Namespace => {
            remove::namespace(inner, work.hold_off).await?;
            journal.confirm_all(work.attempt)
        }
    };
    let Settled { deferred, repeated } = settled.ok_or(StoreError::Lost)?;
    if deferred > 0 {
        inner.emit(&DIRECT.site, &Event::Replayed(deferred));
    }
    if repeated > 0 {
        inner.emit(&DIRECT.site, &Event::Repeated(repeated));
    }
    Ok(())
}

//! The task that repeats what was not confirmed.
//!
//! It sleeps while nothing is kept. Else it goes on batch by batch, oldest first, until all is
//! confirmed; after a failure it pauses, but not past the next connection.

use std::sync::{Arc, Weak};

use super::Journal;
use crate::error::StoreError;
use crate::event::Event;
use crate::handle::Inner;
use crate::registry::DIRECT;
use crate::store::redis::backoff::Backoff;
use crate::{sweep, write};

/// How many keys go in one command.
pub(crate) const BATCH: usize = 500;

/// Runs until the cache is gone, which it does not keep alive.
pub(crate) async fn run(journal: Arc<Journal>, cache: Weak<Inner>) {
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

/// One attempt at what is to be removed next.
async fn round(inner: &Inner) -> Result<(), StoreError> {
    let journal = &inner.journal;
    let Some(work) = journal.next(BATCH) else {
        return Ok(());
    };
    let settled = match &work.keys {
        Some(keys) => {
            write::remove(inner, keys, work.hold_off).await?;
            journal.confirm(work.attempt, keys)
        }
        None => {
            sweep::namespace(inner, work.hold_off).await?;
            journal.confirm_all(work.attempt)
        }
    };
    let keys = settled.ok_or(StoreError::Lost)?;
    inner.emit(&DIRECT.site, &Event::Replayed(keys));
    Ok(())
}

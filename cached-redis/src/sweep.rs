//! Removes every key that matches a pattern.
//!
//! What may hold a value from before the sweep, an entry or the lease of a load, stood under its key
//! when the scan began. A scan gives every key that stands from its beginning to its end, and what
//! comes to stand meanwhile was loaded later. All of that holds on one server only: whoever relies
//! on a sweep must know that the server has not changed meanwhile.
//!
//! A load of this process that had no lease yet when the scan began is no danger either: it takes its
//! lease before it starts, so it will read what is current then. And one that had lost its lease
//! cannot store its result. Nobody should wait for that one, though, and no scan finds it; so the
//! flights that are in the air when the sweep begins are abandoned by their keys. That also closes
//! the flights of loads that are about to begin, which costs a look at their leases and nothing else.

use std::time::Duration;

use crate::error::StoreError;
use crate::event::Event;
use crate::handle::Inner;
use crate::key::Pattern;
use crate::registry::{DIRECT, Site};
use crate::store::Store as _;
use crate::write;

/// How many keys go in one command.
pub(crate) const BATCH: usize = 500;

/// Removes all entries and leases of the cache's namespace.
pub(crate) async fn namespace(inner: &Inner, hold_off: Option<Duration>) -> Result<(), StoreError> {
    let all = Pattern::everything(&inner.namespace);
    sweep(inner, &DIRECT.site, &all, hold_off).await
}

/// Removes all entries and leases that match `pattern`, and tells how many.
pub(crate) async fn sweep(
    inner: &Inner,
    site: &Site,
    pattern: &Pattern,
    hold_off: Option<Duration>,
) -> Result<(), StoreError> {
    let mut keys = 0;
    let answer = remove_all(inner, pattern, hold_off, &mut keys).await;
    let done = answer.is_ok();
    inner.emit(site, &Event::Swept { keys, done });
    answer
}

async fn remove_all(
    inner: &Inner,
    pattern: &Pattern,
    hold_off: Option<Duration>,
    removed: &mut usize,
) -> Result<(), StoreError> {
    inner.flights.abandon_if(|key| pattern.matches(key));
    let (mut found, mut cursor) = (Vec::new(), 0);
    loop {
        let (keys, next) = inner.store.scan(pattern.beginning(), cursor).await?;
        found.extend(keys.into_iter().filter(|key| pattern.matches(key)));
        // Few may match of all that is scanned: they wait for a whole batch.
        let rest = if next == 0 { 0 } else { found.len() % BATCH };
        for batch in found.split_off(rest).chunks(BATCH) {
            write::remove(inner, batch, hold_off).await?;
            *removed += batch.len();
            tracing::debug!(
                keys = batch.len(),
                removed,
                "a batch of a sweep was removed"
            );
        }
        if next == 0 {
            return Ok(());
        }
        cursor = next;
    }
}

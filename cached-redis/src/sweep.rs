//! Removes every key with a given beginning.
//!
//! What may hold a value from before the sweep, an entry or the lease of a load, stood under its key
//! when the scan began. A scan gives every key that stands from its beginning to its end, and what
//! comes to stand meanwhile was loaded later. All of that holds on one server only: whoever relies
//! on a sweep must know that the server has not changed meanwhile.

use std::time::Duration;

use crate::error::StoreError;
use crate::failover;
use crate::handle::Inner;
use crate::store::Store as _;
use crate::write;

/// How many keys go in one command.
pub(crate) const BATCH: usize = 500;

/// Removes all entries and leases of the cache's namespace; gives the number of keys.
pub(crate) async fn namespace(
    inner: &Inner,
    hold_off: Option<Duration>,
) -> Result<usize, StoreError> {
    sweep(inner, &format!("{}:", inner.namespace), hold_off).await
}

async fn sweep(
    inner: &Inner,
    prefix: &str,
    hold_off: Option<Duration>,
) -> Result<usize, StoreError> {
    let epoch = failover::epoch_key(&inner.namespace);
    let (mut removed, mut cursor) = (0, 0);
    loop {
        let (mut keys, next) = inner.store.scan(prefix, cursor).await?;
        keys.retain(|key| *key != epoch);
        for batch in keys.chunks(BATCH) {
            write::remove(inner, batch, hold_off).await?;
        }
        removed += keys.len();
        if next == 0 {
            return Ok(removed);
        }
        cursor = next;
    }
}

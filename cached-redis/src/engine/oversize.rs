//! Values that are too large for the store.
//!
//! A server refuses a string that is longer than its `proto-max-bulk-len` by closing the connection,
//! which all operations share, and the lease of that fill stays until it runs out. So a value above
//! [`max_value_bytes`](crate::Builder::max_value_bytes) is not sent at all. And a key whose value was
//! too large, for either of them, takes no lease for a while: its readers load without one, and share
//! the loads that overlap, instead of waiting one after the other for what is never stored.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::engine::handle::Inner;
use crate::error::StoreError;
use crate::observe::event::Event;
use crate::observe::registry::Site;
use crate::store::size::LEAST_LIMIT;
use crate::util::lock::Mutex;

/// For how long a key takes no lease.
const REST: Duration = Duration::from_secs(30);

/// Keys beyond this number take leases.
const KEYS: usize = 10_000;

/// The keys of one cache that take no lease, until when.
#[derive(Default)]
pub(crate) struct Oversize {
    /// All that a miss looks at where no value was ever too large.
    any: AtomicBool,
    keys: Mutex<HashMap<String, Instant>>,
}

impl Oversize {
    /// Whether `key` is to take no lease.
    pub(crate) fn rests(&self, key: &str) -> bool {
        self.any.load(Ordering::Relaxed) && {
            let keys = self.keys.lock();
            keys.get(key).is_some_and(|until| *until > Instant::now())
        }
    }

    fn rest(&self, key: &str) {
        let now = Instant::now();
        let mut keys = self.keys.lock();
        if keys.len() >= KEYS {
            keys.retain(|_, until| *until > now);
        }
        if keys.len() < KEYS {
            keys.insert(key.to_owned(), now + REST);
        }
        self.any.store(true, Ordering::Relaxed);
    }
}

impl Inner {
    /// Takes note of a value of so many bytes that could not be stored under `key`; what to tell.
    pub(crate) fn not_stored<'a>(
        &self,
        site: &Site,
        key: &str,
        size: usize,
        error: &'a StoreError,
    ) -> Event<'a> {
        match error {
            StoreError::TooLarge => {}
            error if error.is_barred() || error.is_apart() => return Event::Refused,
            // The refusal may be lost with the connection.
            StoreError::Lost if size >= LEAST_LIMIT => {}
            error => return Event::Failed(error),
        }
        self.oversize.rest(key);
        Event::TooLarge(site.too_large.first())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_key_rests_for_a_while_and_no_more_than_so_many_do() {
        let oversize = Oversize::default();
        assert!(!oversize.rests("k"));
        oversize.rest("k");
        assert!(oversize.rests("k") && !oversize.rests("other"));
        for key in 0..KEYS {
            oversize.rest(&key.to_string());
        }
        assert!(!oversize.rests(&(KEYS - 1).to_string()), "there is no room");
        tokio::time::advance(REST).await;
        assert!(!oversize.rests("k"));
        oversize.rest("late");
        assert!(oversize.rests("late"), "there is room again");
    }
}

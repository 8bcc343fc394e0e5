//! Values that are too large for the store.
//!
//! A server refuses a string that is longer than its `proto-max-bulk-len` by closing the connection,
//! which all operations share, and the lease of that fill stays until it runs out. So a value above
//! [`max_value_bytes`](crate::Builder::max_value_bytes) is not sent at all. And a key whose value was
//! too large, for either of them, takes no lease for a while: its readers load without one, and share
//! the loads that overlap, instead of waiting one after the other for what is never stored.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::StoreError;
use crate::event::Event;
use crate::handle::Inner;
use crate::registry::Site;

pub(crate) const DEFAULT_MOST: u64 = 64 << 20;

/// From what leaves room for a header to the longest string of Redis.
pub(crate) const MOST: RangeInclusive<u64> = 1 << 10..=512 << 20;

/// The least `proto-max-bulk-len` that a server takes: what is smaller is refused for other reasons.
const LEAST_LIMIT: usize = 1 << 20;

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
            let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
            keys.get(key).is_some_and(|until| *until > Instant::now())
        }
    }

    fn rest(&self, key: &str) {
        let now = Instant::now();
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
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
            error if error.is_barred() => return Event::Refused,
            // The refusal may be lost with the connection.
            StoreError::Lost if size >= LEAST_LIMIT => {}
            error => return Event::Failed(error),
        }
        self.oversize.rest(key);
        Event::TooLarge(site.too_large.first())
    }
}

/// What a server answered to a step that carried so many bytes.
pub(crate) fn judged<T>(answer: Result<T, StoreError>, size: usize) -> Result<T, StoreError> {
    match answer {
        Err(StoreError::Server { code }) if code == "ERR" && size >= LEAST_LIMIT => {
            Err(StoreError::TooLarge)
        }
        answer => answer,
    }
}

/// Refuses what is not to be sent.
pub(crate) fn check(size: usize, most: u64) -> Result<(), StoreError> {
    match size as u64 <= most {
        true => Ok(()),
        false => Err(StoreError::TooLarge),
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

    #[test]
    fn a_refusal_is_one_of_the_size_only_where_a_server_may_have_such_a_limit() {
        let refused = |code: &str| {
            let code = code.to_owned();
            Err::<(), _>(StoreError::Server { code })
        };
        assert_eq!(
            judged(refused("ERR"), LEAST_LIMIT),
            Err(StoreError::TooLarge)
        );
        assert_eq!(judged(refused("ERR"), LEAST_LIMIT - 1), refused("ERR"));
        assert_eq!(judged(refused("OOM"), LEAST_LIMIT), refused("OOM"));
    }
}

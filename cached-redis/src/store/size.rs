//! How large an entry may be.

use std::ops::RangeInclusive;

use crate::error::StoreError;
use crate::store::Answer;

/// From what leaves room for a header to the longest string of Redis.
pub(crate) const MOST: RangeInclusive<u64> = 1 << 10..=512 << 20;

/// The least `proto-max-bulk-len` that a server takes: what is smaller is refused for other reasons.
pub(crate) const LEAST_LIMIT: usize = 1 << 20;

/// What a server answered to a step that carried so many bytes.
pub(crate) fn judged<T>(answer: Answer<T>, size: usize) -> Answer<T> {
    match answer {
        Err(StoreError::Server { code }) if code == "ERR" && size >= LEAST_LIMIT => {
            Err(StoreError::TooLarge)
        }
        answer => answer,
    }
}

/// Refuses what is not to be sent.
pub(crate) fn check(size: usize, most: u64) -> Answer<()> {
    match size as u64 <= most {
        true => Ok(()),
        false => Err(StoreError::TooLarge),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

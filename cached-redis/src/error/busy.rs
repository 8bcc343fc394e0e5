//! Why a write was not accepted.

use crate::error::StoreError;

/// Why a write was not accepted into its queue.
///
/// A function under `#[write_behind]` returns it, made into its own error by `From`. Nothing was changed, but for
/// [`Busy::Store`] with [`StoreError::Timeout`] or [`StoreError::Lost`]: then the write may have been accepted.
///
/// ```
/// # #[derive(Debug)]
/// enum DbError {
///     NotNow(cached_redis::error::Busy),
/// }
///
/// impl From<cached_redis::error::Busy> for DbError {
///     fn from(busy: cached_redis::error::Busy) -> Self {
///         Self::NotNow(busy)
///     }
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Busy {
    /// As many writes wait as may. It may succeed when some of them were applied.
    #[error("as many writes wait as the queue may hold")]
    Full,
    /// The oldest write of its partition waits for longer than `max_lag`. It may succeed when that was applied.
    #[error("the oldest write of the queue waits for too long")]
    Late,
    /// As many writes of this key wait behind a dead letter as may: an operator has to look at it.
    #[error("writes of this key are held up by one that has failed")]
    Blocked,
    /// A write in two phases bars the key, or many keys are being removed together. It may succeed later.
    #[error("another writer bars the key")]
    Barred,
    /// The cache was built without [`write_behind`](crate::Builder::write_behind). Fix the configuration.
    #[error("the cache was built without `write_behind(true)`")]
    NotEnabled,
    /// A part of the key could not be rendered.
    #[error("the key of the write could not be rendered")]
    Key,
    /// The value or an argument cannot be stored.
    #[error("the value or an argument of the write cannot be stored")]
    Unstorable,
    /// The store could not accept it. It may succeed later.
    #[error("the write could not be queued: {0}")]
    Store(#[from] StoreError),
}

//! Messages as other programs send them.

use bytes::Bytes;

use crate::engine::handle::Cache;
use crate::error::Error;
use crate::store::{Outlet, Store as _};

/// Sends a message on a channel of the cache's store, as `PUBLISH` does: what
/// [`Cache::listen_for_invalidations`] hears from programs that know nothing of the cache, on
/// `memory://` too, where no other program can.
///
/// ```
/// use cached_redis::{Cache, testing};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cached_redis::Error> {
/// let cache = Cache::builder().url("memory://").build().await?;
/// let listener = cache.listen_for_invalidations("cache_invalidation").await;
/// testing::publish(&cache, "cache_invalidation", "user:42").await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// When the store fails.
///
/// # Cancel safety
///
/// Dropped early, the message may or may not be sent.
pub async fn publish(cache: &Cache, channel: &str, message: impl AsRef<[u8]>) -> Result<(), Error> {
    let outlet = Outlet {
        channel: channel.to_owned(),
        retention: None,
    };
    let message = Bytes::copy_from_slice(message.as_ref());
    Ok(cache.inner.store.publish(&outlet, message).await?)
}

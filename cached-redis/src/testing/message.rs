//! Messages as other programs send them.

use bytes::Bytes;

use crate::api::events::MESSAGE;
use crate::engine::handle::Cache;
use crate::error::Error;
use crate::store::{Outlet, Retention, Store as _};

/// How many entries a stream keeps, about.
const KEPT: u64 = 100_000;

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

/// Appends a message to a stream of the cache's store, as `XADD stream * message …` does: what
/// [`Cache::consume_invalidations`] gets from programs that know nothing of the cache, on `memory://` too.
/// Whoever listens on a channel of that name hears it as well.
///
/// ```
/// use cached_redis::events::Consumer;
/// use cached_redis::{Cache, testing};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cached_redis::Error> {
/// let cache = Cache::builder().url("memory://").build().await?;
/// let consumer = Consumer::new("shop", "shop-1");
/// let consumer = cache.consume_invalidations("cache_invalidations", consumer).await;
/// testing::append(&cache, "cache_invalidations", "user:42").await?;
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
/// Dropped early, the message may or may not be appended.
pub async fn append(cache: &Cache, stream: &str, message: impl AsRef<[u8]>) -> Result<(), Error> {
    let outlet = Outlet {
        channel: stream.to_owned(),
        retention: Some(Retention {
            log: stream.to_owned(),
            most: KEPT,
            field: MESSAGE,
        }),
    };
    let message = Bytes::copy_from_slice(message.as_ref());
    Ok(cache.inner.store.publish(&outlet, message).await?)
}

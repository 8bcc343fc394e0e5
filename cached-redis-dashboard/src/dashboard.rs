//! What users hold.

use std::sync::Arc;

use bytes::Bytes;
use cached_redis::Cache;
use http::{Request, Response};

use crate::builder::{Builder, Settings};
use crate::respond;
use crate::watch::Watch;

/// A page that shows how a cache gets on, and what it asks for.
///
/// Cheap to clone; all clones are one dashboard.
#[derive(Clone)]
pub struct Dashboard {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) cache: Cache,
    pub(crate) settings: Settings,
    pub(crate) watch: Watch,
}

impl Dashboard {
    /// One that only shows, and names no keys: short for [`builder`](Self::builder) without settings.
    #[must_use]
    pub fn new(cache: Cache) -> Self {
        Self::new_with(cache, Settings::default())
    }

    /// Starts configuring one.
    pub fn builder(cache: Cache) -> Builder {
        Builder::new(cache)
    }

    pub(crate) fn new_with(cache: Cache, settings: Settings) -> Self {
        let watch = Watch::new(cache.clone());
        watch.begin();
        let inner = Arc::new(Inner {
            cache,
            settings,
            watch,
        });
        Self { inner }
    }

    /// Answers a request, whoever carries it. Its path is the one below the place where the dashboard is:
    /// `/` is the page.
    ///
    /// Every answer says of itself that it is not to be kept, framed or guessed at; what is refused, and why, is
    /// told as JSON with `error` and `message`.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use cached_redis::Cache;
    /// use cached_redis_dashboard::Dashboard;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let cache = Cache::builder().url("memory://").build().await?;
    /// let dashboard = Dashboard::new(cache);
    ///
    /// let request = http::Request::get("/").body(Bytes::new())?;
    /// let page = dashboard.respond(request).await;
    /// assert_eq!(page.status(), 200);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// Dropped early, an action that was begun goes on.
    pub async fn respond(&self, request: Request<Bytes>) -> Response<Bytes> {
        self.inner.watch.begin();
        respond::respond(&self.inner, request).await
    }
}

impl std::fmt::Debug for Dashboard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dashboard").finish_non_exhaustive()
    }
}

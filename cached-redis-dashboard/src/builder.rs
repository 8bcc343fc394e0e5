//! What may be set, and what is wrong with it.

use std::sync::Arc;

use cached_redis::Cache;
use http::Uri;
use http::request::Parts;

use crate::action::Action;
use crate::dashboard::Dashboard;

/// Who may do what: asked for each action.
pub(crate) type Authority = Arc<dyn Fn(&Action, &Parts) -> bool + Send + Sync>;

/// Settings of a [`Dashboard`]; made by [`Dashboard::builder`].
#[must_use = "it does nothing until it is built"]
pub struct Builder {
    cache: Cache,
    settings: Settings,
}

/// What is the same for all requests.
#[derive(Clone, Default)]
pub(crate) struct Settings {
    pub(crate) authority: Option<Authority>,
    pub(crate) show_keys: bool,
    pub(crate) origin: Option<String>,
}

/// Why a dashboard could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The setting [`origin`](Builder::origin) is no origin.
    #[error(
        "`{origin}` is no origin: write scheme, host and, unless it is the usual one, the port, such as `https://ops.example.com`"
    )]
    Origin {
        /// What was given.
        origin: String,
    },
}

impl Builder {
    pub(crate) fn new(cache: Cache) -> Self {
        Self {
            cache,
            settings: Settings::default(),
        }
    }

    /// Allows [actions](Action), each for those to whom `authority` gives it. Without it, which is the
    /// default, there are none: the page only shows.
    ///
    /// It gets the head of the request with its extensions. What takes a question to a database belongs into
    /// a middleware in front, which leaves its answer there.
    ///
    /// ```
    /// # use cached_redis::Cache;
    /// # use cached_redis_dashboard::{Action, Dashboard};
    /// /// Left in the request by the application's own login.
    /// #[derive(Clone)]
    /// struct User {
    ///     is_operator: bool,
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cache = Cache::builder().url("memory://").build().await?;
    /// let dashboard = Dashboard::builder(cache)
    ///     .authorize(|_: &Action, request| {
    ///         let user = request.extensions.get::<User>();
    ///         user.is_some_and(|user| user.is_operator)
    ///     })
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn authorize(
        mut self,
        authority: impl Fn(&Action, &Parts) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.settings.authority = Some(Arc::new(authority));
        self
    }

    /// Whether events show the names of keys, tags and patterns; `false` by default, since these may hold
    /// data of users. Otherwise they are counted.
    pub fn show_keys(mut self, show_keys: bool) -> Self {
        self.settings.show_keys = show_keys;
        self
    }

    /// The origin from which browsers see the page, such as `https://ops.example.com`. Actions from
    /// any other are refused.
    ///
    /// By default it is what the `Host` of a request says: enough unless a proxy changes that. Set, it also
    /// keeps out pages that have their own name resolve to this server (DNS rebinding).
    pub fn origin(mut self, origin: impl Into<String>) -> Self {
        self.settings.origin = Some(origin.into());
        self
    }

    /// Builds the dashboard. Within a Tokio runtime it begins to watch at once, so that whoever opens the
    /// page sees what has happened before; else with its first request.
    ///
    /// # Errors
    ///
    /// [`Error::Origin`] if the origin is none.
    pub fn build(self) -> Result<Dashboard, Error> {
        match self.settings.origin {
            Some(origin) if !is_origin(&origin) => Err(Error::Origin { origin }),
            _ => Ok(Dashboard::new_with(self.cache, self.settings)),
        }
    }
}

/// As browsers write it: lower case, and nothing after the host but a port.
fn is_origin(origin: &str) -> bool {
    let Ok(uri) = origin.parse::<Uri>() else {
        return false;
    };
    let named = matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some();
    // A parsed path is never empty, so the end is looked at in the text.
    let alone = uri.path_and_query().is_none_or(|path| path == "/") && !origin.ends_with('/');
    named && alone && !origin.contains('@') && !origin.bytes().any(|byte| byte.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::is_origin;

    #[test]
    fn an_origin_is_what_browsers_send() {
        for origin in [
            "https://ops.example.com",
            "http://127.0.0.1:3000",
            "http://[::1]:80",
        ] {
            assert!(is_origin(origin), "{origin}");
        }
        for other in [
            "",
            "ops.example.com",
            "https://ops.example.com/",
            "https://a/b",
            "ftp://a",
        ] {
            assert!(!is_origin(other), "{other}");
        }
        for other in [
            "https://u:p@a",
            "https://A",
            "https://a?b",
            "null",
            "https://",
            "*",
        ] {
            assert!(!is_origin(other), "{other}");
        }
    }
}

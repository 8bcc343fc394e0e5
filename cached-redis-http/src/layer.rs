//! The layer, which is chosen for each route, and its service.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use cached_redis::CachedExt as _;
use http::request::Parts;
use http::{HeaderName, Method, Request, Response};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use crate::answer::answer;
use crate::asked::{ASKED, Asked};
use crate::build::BuildId;
use crate::cdn::Cdn;
use crate::settings::Settings;

/// Gives responses to `GET` and `HEAD` a weak `ETag` of what their handlers read from the cache, and answers 304 where
/// the client has it already. See [the crate](crate) for the rules, and for what a route has to be.
#[derive(Clone, Debug)]
#[must_use]
pub struct ConditionalGetLayer {
    settings: Arc<Settings>,
}

impl ConditionalGetLayer {
    /// For the responses of this build.
    pub fn new(build: BuildId) -> Self {
        let settings = Arc::new(Settings::new(build));
        Self { settings }
    }

    /// Request headers that the response depends on, beside `Cookie` and `Authorization`, which always count. They are
    /// part of the tag, and `Vary` names them.
    pub fn vary(self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.with(|settings| settings.vary(names))
    }

    /// What else the response depends on, as bytes: the digest of templates that are read at run time, a setting, the
    /// user that a middleware has put into the extensions of the request. May be said more than once.
    pub fn input<V: AsRef<[u8]>>(
        self,
        input: impl Fn(&Parts) -> V + Send + Sync + 'static,
    ) -> Self {
        self.with(|settings| settings.input(input))
    }

    /// Cookies that responses do **not** depend on, such as those of analytics, which change with every request; a name
    /// that ends in `*` stands for all that begin so. By default each cookie counts.
    pub fn ignore_cookies<N: Into<String>>(self, names: impl IntoIterator<Item = N>) -> Self {
        self.with(|settings| settings.ignored.extend(names.into_iter().map(Into::into)))
    }

    /// Lets the browser use a response without asking, for as long as this and as everything that was read stays
    /// fresh; in whole seconds. By default it has to ask each time.
    ///
    /// **The promise ends here**: what a browser keeps, no invalidation reaches.
    pub fn max_age(self, max_age: Duration) -> Self {
        self.with(|settings| settings.max_age = Some(max_age))
    }

    /// Lets a CDN keep responses to requests without credentials, and tells it by what names they are to be purged.
    /// See [`Cdn`].
    pub fn cdn(self, cdn: Cdn) -> Self {
        self.with(|settings| settings.cdn = Some(cdn))
    }

    fn with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(Arc::make_mut(&mut self.settings));
        self
    }
}

impl<S> Layer<S> for ConditionalGetLayer {
    type Service = ConditionalGet<S>;

    fn layer(&self, inner: S) -> ConditionalGet<S> {
        ConditionalGet {
            inner,
            settings: Arc::clone(&self.settings),
        }
    }
}

/// A service under a [`ConditionalGetLayer`].
#[derive(Clone)]
pub struct ConditionalGet<S> {
    inner: S,
    settings: Arc<Settings>,
}

impl<S, A, B> Service<Request<A>> for ConditionalGet<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    S::Future: Send + 'static,
    B: Body + Default,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<B>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Box::pin(self.inner.call(request));
        }
        let (parts, body) = request.into_parts();
        let asked = Arc::new(Asked::new(&self.settings, &parts));
        let handler = self.inner.call(Request::from_parts(parts, body));
        Box::pin(ASKED.scope(Arc::clone(&asked), async move {
            let (response, reads) = handler.with_reads().await;
            response.map(|response| answer(&asked, response, &reads))
        }))
    }
}

impl<S> fmt::Debug for ConditionalGet<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConditionalGet")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

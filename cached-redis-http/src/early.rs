//! A handler that asks, when it has read all that it needs, whether there is anything to render.

use cached_redis::Reads;
use headers::ETag;
use http::{Response, StatusCode};

use crate::asked::ASKED;

/// What the layer recognises by.
#[derive(Clone)]
pub(crate) struct Decided(pub(crate) ETag);

/// The answer to a client that has the response already; given by [`not_modified`].
#[derive(Clone, Debug)]
#[must_use = "it is to be returned"]
pub struct NotModified {
    etag: ETag,
}

/// Whether the client has the response that the handler is about to make of what it has **read so far**: asked after
/// the last read, it saves what it takes to render that. `None` also where there is no
/// [layer](crate::ConditionalGetLayer) around, and where the handler runs in a task of its own.
///
/// A tag is of all that a response has read. So where more is read after this, no tag that was given ever matches
/// here: nothing is saved then, and nothing wrong is answered.
///
/// ```
/// # use cached_redis::redis_cached;
/// use axum::response::{Html, IntoResponse, Response};
/// use cached_redis_http::not_modified;
///
/// # #[redis_cached(key = "article:<id>", ttl = 60)]
/// # async fn article(id: u64) -> String {
/// #     format!("Article {id}")
/// # }
/// # fn render(text: &str) -> String { text.to_owned() }
/// async fn show() -> Response {
///     let article = article(7).await;
///     if let Some(not_modified) = not_modified() {
///         return not_modified.into();
///     }
///     Html(render(&article)).into_response()
/// }
/// ```
#[must_use]
pub fn not_modified() -> Option<NotModified> {
    let etag = ASKED.try_with(|asked| {
        let reads = Reads::so_far()?;
        let etag = asked.etag(&asked.settings.vary, &reads);
        etag.filter(|etag| asked.has(etag))
    });
    let etag = etag.ok().flatten()?;
    Some(NotModified { etag })
}

impl<B: Default> From<NotModified> for Response<B> {
    fn from(answer: NotModified) -> Self {
        let mut response = Response::new(B::default());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response.extensions_mut().insert(Decided(answer.etag));
        response
    }
}

#[cfg(feature = "axum")]
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
impl axum::response::IntoResponse for NotModified {
    fn into_response(self) -> axum::response::Response {
        self.into()
    }
}

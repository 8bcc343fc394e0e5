//! Answers: what every one of them says of itself, and how refusals are told.

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Response, StatusCode, header};
use serde::Serialize;

/// Nothing is kept, framed, guessed at, or told to others. The page has a policy of its own beside these.
const EVERYWHERE: [(HeaderName, &str); 6] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
];

/// For what is no page: nothing may be loaded, should a browser show it.
const NOTHING: &str = "default-src 'none'; frame-ancestors 'none'";

/// Why a request is not served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("there is nothing here: the page is at the root of the dashboard")]
    NotFound,
    #[error("this takes {0}")]
    Method(&'static str),
    #[error(
        "this dashboard only shows: build it with `Dashboard::builder(cache).authorize(…)` to allow actions"
    )]
    ReadOnly,
    #[error(
        "actions carry the header `x-cached-redis-action`, so that no other page can ask for them"
    )]
    NoActionHeader,
    #[error(
        "the request comes from another page. Behind a proxy that changes `Host`, say where browsers see the dashboard: `.origin(\"https://…\")`"
    )]
    CrossOrigin,
    #[error("you may not do this")]
    NotAuthorized,
    #[error("an action is sent as `content-type: application/json`")]
    MediaType,
    #[error("the body is longer than 16 KiB")]
    TooLong,
    #[error("{0}")]
    Malformed(String),
    #[error("{0}")]
    Cache(#[from] cached_redis::Error),
}

impl Refusal {
    fn status(&self) -> StatusCode {
        use cached_redis::Error;
        match self {
            Self::NotFound | Self::Cache(Error::UnknownFunction { .. }) => StatusCode::NOT_FOUND,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Cache(Error::AmbiguousFunction { .. }) => StatusCode::CONFLICT,
            Self::Cache(_) => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::FORBIDDEN,
        }
    }

    /// For programs.
    fn name(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Method(_) => "method_not_allowed",
            Self::ReadOnly => "read_only",
            Self::NoActionHeader => "no_action_header",
            Self::CrossOrigin => "cross_origin",
            Self::NotAuthorized => "not_authorized",
            Self::MediaType => "media_type",
            Self::TooLong => "too_long",
            Self::Malformed(_) => "malformed",
            Self::Cache(_) => "cache",
        }
    }
}

impl From<Refusal> for Response<Bytes> {
    fn from(refusal: Refusal) -> Self {
        let told = serde_json::json!({"error": refusal.name(), "message": refusal.to_string()});
        let mut answer = json(&told);
        *answer.status_mut() = refusal.status();
        if let Refusal::Method(allowed) = refusal {
            let allowed = HeaderValue::from_static(allowed);
            answer.headers_mut().insert(ALLOW, allowed);
        }
        answer
    }
}

#[cfg(feature = "axum")]
pub(crate) fn too_long() -> Response<Bytes> {
    Refusal::TooLong.into()
}

pub(crate) fn json(data: &impl Serialize) -> Response<Bytes> {
    // Numbers and texts in memory: there is nothing to fail.
    let text = serde_json::to_vec(data).unwrap_or_default();
    let nothing = HeaderValue::from_static(NOTHING);
    answer("application/json", &nothing, Bytes::from(text))
}

pub(crate) fn page(text: &'static str, policy: &HeaderValue) -> Response<Bytes> {
    answer(
        "text/html; charset=utf-8",
        policy,
        Bytes::from_static(text.as_bytes()),
    )
}

fn answer(kind: &'static str, policy: &HeaderValue, body: Bytes) -> Response<Bytes> {
    let mut answer = Response::new(body);
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_SECURITY_POLICY, policy.clone());
    for (name, value) in EVERYWHERE {
        headers.insert(name, HeaderValue::from_static(value));
    }
    answer
}

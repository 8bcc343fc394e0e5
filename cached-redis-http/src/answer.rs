//! What becomes of a response: the table on the crate's page, in order.

use std::time::Duration;

use cached_redis::{Reads, Status};
use headers::{ETag, HeaderMapExt as _};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use http_body::Body;

use crate::asked::{Asked, Vary};
use crate::early::Decided;

/// What describes a body that a 304 does not have.
const OF_THE_BODY: [HeaderName; 8] = [
    header::ACCEPT_RANGES,
    header::CONTENT_ENCODING,
    header::CONTENT_LANGUAGE,
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::CONTENT_TYPE,
    header::LAST_MODIFIED,
    header::TRANSFER_ENCODING,
];

/// Answers with `response`, or with 304 in its place.
pub(crate) fn answer<B>(asked: &Asked, mut response: Response<B>, reads: &Reads) -> Response<B>
where
    B: Body + Default,
{
    if is_the_handlers(response.headers()) {
        return response;
    }
    let early = response.extensions_mut().remove::<Decided>();
    let validator = match early {
        Some(Decided(etag)) => Some((etag, asked.settings.vary.clone())),
        None => validator(asked, &response, reads),
    };
    let Some((etag, vary)) = validator else {
        control(response.headers_mut(), || {
            HeaderValue::from_static("no-store")
        });
        return response;
    };
    describe(asked, response.headers_mut(), &vary, reads);
    let is_had = asked.has(&etag);
    response.headers_mut().typed_insert(etag);
    match is_had {
        true => not_modified(response),
        false => response,
    }
}

/// Whether the handler has said all of this itself.
fn is_the_handlers(headers: &HeaderMap) -> bool {
    let says = |value: &HeaderValue| {
        let text = value.to_str().unwrap_or_default().to_ascii_lowercase();
        text.split(',').any(|part| part.trim() == "no-store")
    };
    let controls = headers.get_all(header::CACHE_CONTROL);
    headers.contains_key(header::ETAG) || controls.iter().any(says)
}

/// The tag, and what the response varies with; `None`: nobody is to keep it.
fn validator<B: Body>(
    asked: &Asked,
    response: &Response<B>,
    reads: &Reads,
) -> Option<(ETag, Vary)> {
    let headers = response.headers();
    let is_kept = response.status() == StatusCode::OK
        && !headers.contains_key(header::SET_COOKIE)
        && is_complete(asked, response);
    let vary = is_kept.then(|| vary(&asked.settings.vary, headers))??;
    Some((asked.etag(&vary, reads)?, vary))
}

/// Whether nothing can be read any more while the body is sent, whatever length the handler has told. That of a `HEAD`
/// may be gone already, together with its length if that was not known.
fn is_complete<B: Body>(asked: &Asked, response: &Response<B>) -> bool {
    let length = response.body().size_hint().exact();
    match asked.is_head {
        true => {
            response.headers().contains_key(header::CONTENT_LENGTH)
                || length.is_some_and(|length| length > 0)
        }
        false => length.is_some(),
    }
}

/// The names that `headers` have in `Vary`, with `own`; `None` if the response varies with more than headers.
fn vary(own: &Vary, headers: &HeaderMap) -> Option<Vary> {
    let mut vary = own.clone();
    for value in headers.get_all(header::VARY) {
        for name in value.to_str().ok()?.split(',').map(str::trim) {
            if !name.is_empty() {
                // `*` is a name as well, as far as its letters go.
                let name: HeaderName = name.parse().ok().filter(|name| name != "*")?;
                vary.insert(name.to_string());
            }
        }
    }
    Some(vary)
}

/// Says who may keep the response, and for how long.
fn describe(asked: &Asked, headers: &mut HeaderMap, vary: &Vary, reads: &Reads) {
    let settings = &asked.settings;
    let is_fresh = reads.iter().all(|read| read.status() != Status::Stale);
    let lasting = |most: Duration| {
        let left = reads.time_left().unwrap_or(Duration::MAX);
        Some(most.min(left).as_secs()).filter(|seconds| is_fresh && *seconds > 0)
    };
    if let Some(cdn) = &settings.cdn
        && !headers.contains_key(header::CACHE_CONTROL)
        && is_anonymous(asked, vary)
        && let Some(seconds) = lasting(cdn.max_age)
    {
        cdn.describe(headers, seconds, reads);
    }
    control(headers, || match settings.max_age.and_then(lasting) {
        Some(seconds) => HeaderValue::try_from(format!("private, max-age={seconds}"))
            .unwrap_or(HeaderValue::from_static("private, no-cache")),
        None => HeaderValue::from_static("private, no-cache"),
    });
    let names: Vec<_> = vary.iter().map(String::as_str).collect();
    if let Ok(names) = HeaderValue::try_from(names.join(", ")) {
        headers.insert(header::VARY, names);
    }
}

/// Whether the request has none of the headers that the response varies with. Caches that take no notice of `Vary`
/// know `Accept-Encoding` all the same.
fn is_anonymous(asked: &Asked, vary: &Vary) -> bool {
    let mut names = vary
        .iter()
        .filter(|name| *name != header::ACCEPT_ENCODING.as_str());
    !names.any(|name| asked.headers.contains_key(name.as_str()))
}

/// What the handler has said stands.
fn control(headers: &mut HeaderMap, value: impl FnOnce() -> HeaderValue) {
    headers.entry(header::CACHE_CONTROL).or_insert_with(value);
}

fn not_modified<B: Default>(response: Response<B>) -> Response<B> {
    let (mut parts, _) = response.into_parts();
    parts.status = StatusCode::NOT_MODIFIED;
    for name in OF_THE_BODY {
        parts.headers.remove(name);
    }
    Response::from_parts(parts, B::default())
}

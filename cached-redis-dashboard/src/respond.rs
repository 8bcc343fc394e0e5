//! From a request to its answer.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{Method, Request, Response};

use crate::action::Action;
use crate::dashboard::Inner;
use crate::events::Severity;
use crate::reply::{self, Refusal};
use crate::snapshot::{Cursor, Snapshot};
use crate::{guard, page};

/// How long a body may be: that of an action with its key.
pub(crate) const LONGEST: usize = 16 * 1024;

pub(crate) async fn respond(inner: &Inner, request: Request<Bytes>) -> Response<Bytes> {
    let (request, body) = request.into_parts();
    let is_head = request.method == Method::HEAD;
    let answer = match request.uri.path() {
        "" | "/" => shown(&request, || reply::page(page::text(), page::policy())),
        "/api/snapshot" => shown(&request, || {
            inner.watch.looked();
            let cursor = Cursor::of(&request.uri, inner.cache.source());
            reply::json(&Snapshot::take(inner, cursor))
        }),
        "/api/catalog" => shown(&request, || reply::json(&inner.cache.catalog())),
        "/api/actions" => act(inner, &request, &body).await,
        _ => Err(Refusal::NotFound),
    };
    let answer = answer.unwrap_or_else(Into::into);
    match is_head {
        true => answer.map(|_| Bytes::new()),
        false => answer,
    }
}

fn shown(
    request: &Parts,
    show: impl FnOnce() -> Response<Bytes>,
) -> Result<Response<Bytes>, Refusal> {
    match request.method {
        Method::GET | Method::HEAD => Ok(show()),
        _ => Err(Refusal::Method("GET, HEAD")),
    }
}

/// Does what is asked for, if it was asked from the page, by somebody who may.
async fn act(inner: &Inner, request: &Parts, body: &Bytes) -> Result<Response<Bytes>, Refusal> {
    if request.method != Method::POST {
        return Err(Refusal::Method("POST"));
    }
    let settings = &inner.settings;
    let authority = settings.authority.as_ref().ok_or(Refusal::ReadOnly)?;
    guard::is_own(request, settings.origin.as_deref())?;
    let action = action(request, body)?;
    if !authority(&action, request) {
        return Err(Refusal::NotAuthorized);
    }
    let confirmed = action.run(&inner.cache).await?;
    inner.watch.tell(Severity::Info, "action", action.told());
    Ok(reply::json(&serde_json::json!({ "confirmed": confirmed })))
}

fn action(request: &Parts, body: &Bytes) -> Result<Action, Refusal> {
    let kind = request.headers.get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        return Err(Refusal::MediaType);
    }
    if body.len() > LONGEST {
        return Err(Refusal::TooLong);
    }
    Action::parse(body).map_err(Refusal::Malformed)
}

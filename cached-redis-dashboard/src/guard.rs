//! Which requests for an action come from the page itself.
//!
//! A page of somebody else can make a browser send a request here, with the login of whoever looks at it. It
//! cannot set a header of its own without asking first, which nobody answers; and what browsers say of where
//! a request comes from is not in its hands.

use http::header::{HOST, HeaderName, HeaderValue, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, Uri};

use crate::reply::Refusal;

/// The header that every request for an action carries, with whatever value.
pub const ACTION_HEADER: HeaderName = HeaderName::from_static("x-cached-redis-action");

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refuses what another page may have sent.
pub(crate) fn is_own(request: &Parts, origin: Option<&str>) -> Result<(), Refusal> {
    let headers = &request.headers;
    if !headers.contains_key(ACTION_HEADER) {
        return Err(Refusal::NoActionHeader);
    }
    let same_site = all(headers, FETCH_SITE, |site| site == "same-origin");
    let same_origin = all(headers, ORIGIN, |from| match origin {
        Some(origin) => from == origin,
        None => host(request).is_some_and(|host| is_on(from, host)),
    });
    match same_site && same_origin {
        true => Ok(()),
        false => Err(Refusal::CrossOrigin),
    }
}

/// Whether each value of a header, if there is one, is as it should be.
fn all(headers: &HeaderMap, name: HeaderName, is_right: impl Fn(&str) -> bool) -> bool {
    let is_right = |value: &HeaderValue| value.to_str().is_ok_and(&is_right);
    headers.get_all(name).iter().all(is_right)
}

/// Where the request went: its header in HTTP/1, its address in HTTP/2.
fn host(request: &Parts) -> Option<&str> {
    let header = request.headers.get(HOST);
    let header = header.and_then(|host| host.to_str().ok());
    header.or_else(|| Some(request.uri.authority()?.as_str()))
}

/// Whether an origin is on this host. The scheme is not known here: a proxy may have ended TLS.
fn is_on(origin: &str, host: &str) -> bool {
    let authority = origin.parse::<Uri>().ok();
    let authority = authority.as_ref().and_then(Uri::authority);
    authority.is_some_and(|authority| authority.as_str().eq_ignore_ascii_case(host))
}

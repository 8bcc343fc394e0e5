//! The API of Cloudflare.

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use serde_json::{Value, json};

use super::{PurgeApi, PurgeError};

/// Purges a zone of [Cloudflare](https://developers.cloudflare.com/cache/how-to/purge-cache/purge-by-tags/), for
/// responses under [`Cdn::cloudflare`](crate::Cdn::cloudflare).
#[derive(Clone, Debug)]
pub struct Cloudflare {
    uri: Uri,
    /// Sensitive: not shown.
    token: HeaderValue,
}

impl Cloudflare {
    /// The zone with this id, by a token that may purge it.
    ///
    /// # Errors
    ///
    /// When the id fits in no address or the token in no header.
    pub fn new(zone: &str, token: &str) -> Result<Self, PurgeError> {
        Self::at("https://api.cloudflare.com", zone, token)
    }

    /// The same, where the API is somewhere else: `https://host:port`.
    ///
    /// # Errors
    ///
    /// The same.
    pub fn at(address: &str, zone: &str, token: &str) -> Result<Self, PurgeError> {
        Ok(Self {
            uri: super::uri(address, &["client", "v4", "zones", zone, "purge_cache"])?,
            token: super::token(&format!("Bearer {token}"))?,
        })
    }
}

impl PurgeApi for Cloudflare {
    fn most_names(&self) -> usize {
        30
    }

    fn request(&self, names: &[String]) -> Request<Bytes> {
        let mut request = Request::new(super::json(&json!({ "tags": names })));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        headers.insert("authorization", self.token.clone());
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        request
    }

    /// It has said no with a status that says yes.
    fn is_done(&self, status: StatusCode, body: &[u8]) -> bool {
        let answer: Value = serde_json::from_slice(body).unwrap_or_default();
        status.is_success() && answer["success"] == true
    }
}

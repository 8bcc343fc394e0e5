//! The API of Fastly.

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Uri};

use super::{PurgeApi, PurgeError};

/// Purges a service of [Fastly](https://www.fastly.com/documentation/reference/api/purging/), for responses under
/// [`Cdn::fastly`](crate::Cdn::fastly).
#[derive(Clone, Debug)]
pub struct Fastly {
    uri: Uri,
    /// Sensitive: not shown.
    token: HeaderValue,
}

impl Fastly {
    /// The service with this id, by a token that may purge it.
    ///
    /// # Errors
    ///
    /// When the id fits in no address or the token in no header.
    pub fn new(service: &str, token: &str) -> Result<Self, PurgeError> {
        Self::at("https://api.fastly.com", service, token)
    }

    /// The same, where the API is somewhere else: `https://host:port`.
    ///
    /// # Errors
    ///
    /// The same.
    pub fn at(address: &str, service: &str, token: &str) -> Result<Self, PurgeError> {
        Ok(Self {
            uri: super::uri(address, &["service", service, "purge"])?,
            token: super::token(token)?,
        })
    }
}

impl PurgeApi for Fastly {
    fn most_names(&self) -> usize {
        256
    }

    fn request(&self, names: &[String]) -> Request<Bytes> {
        let mut request =
            Request::new(super::json(&serde_json::json!({ "surrogate_keys": names })));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        headers.insert("fastly-key", self.token.clone());
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        headers.insert("accept", HeaderValue::from_static("application/json"));
        request
    }
}

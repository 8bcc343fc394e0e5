//! What a browser does with pages, as far as it matters here: it keeps the cookie, and what has a tag, and asks by it.

use std::collections::HashMap;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, header};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client as Http;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::Failed;

pub(crate) struct Client {
    http: Http<HttpConnector, Full<Bytes>>,
    cookie: Option<String>,
    kept: HashMap<String, Kept>,
}

/// A page with its tag.
struct Kept {
    etag: String,
    body: Bytes,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    /// What the browser shows: of a 304, what it has kept.
    pub(crate) body: String,
}

impl Client {
    pub(crate) fn new() -> Self {
        Self {
            http: Http::builder(TokioExecutor::new()).build_http(),
            cookie: None,
            kept: HashMap::new(),
        }
    }

    pub(crate) async fn get(&mut self, url: &str) -> Result<Answer, Failed> {
        let mut request = Request::get(url);
        if let Some(kept) = self.kept.get(url) {
            request = request.header(header::IF_NONE_MATCH, &kept.etag);
        }
        self.send(url, request, String::new()).await
    }

    /// Sends a form of the page at the same door.
    pub(crate) async fn post(
        &mut self,
        door: &str,
        path: &str,
        form: &[(&str, &str)],
    ) -> Result<Answer, Failed> {
        let url = format!("{door}{path}");
        let request = Request::builder().method(Method::POST).uri(&url);
        let request = request.header(header::ORIGIN, door);
        let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        self.send(&url, request, form).await
    }

    async fn send(
        &mut self,
        url: &str,
        mut request: axum::http::request::Builder,
        body: String,
    ) -> Result<Answer, Failed> {
        if let Some(cookie) = &self.cookie {
            request = request.header(header::COOKIE, cookie);
        }
        let response = self.http.request(request.body(Full::from(body))?).await?;
        let (parts, body) = response.into_parts();
        let body = Body::new(body).collect().await?.to_bytes();
        if let Some(set) = text(&parts.headers, header::SET_COOKIE) {
            self.cookie = set.split(';').next().map(str::to_owned);
        }
        let status = parts.status.as_u16();
        let body = self.shown(url, status, &parts.headers, body)?;
        let body = String::from_utf8(body.to_vec())?;
        Ok(Answer { status, body })
    }

    fn shown(
        &mut self,
        url: &str,
        status: u16,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<Bytes, Failed> {
        if status == 304 {
            let kept = self
                .kept
                .get(url)
                .ok_or("a 304 to somebody who has nothing")?;
            return Ok(kept.body.clone());
        }
        if let Some(etag) = text(headers, header::ETAG) {
            let kept = Kept {
                etag: etag.to_owned(),
                body: body.clone(),
            };
            self.kept.insert(url.to_owned(), kept);
        }
        Ok(body)
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

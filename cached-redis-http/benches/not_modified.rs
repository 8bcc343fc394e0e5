//! What a 304 saves, beside the same handler without the layer, and with one that hashes finished bodies.
//!
//! ```text
//! cargo bench -p cached-redis-http --features axum --bench not_modified
//! ```
//!
//! Each client has the page already and asks by its tag. All sides take turns within one run; a side's time is that of
//! its fastest round.

#![expect(clippy::print_stdout, reason = "it prints what it has measured")]

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::{Duration, Instant};

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use cached_redis::{Cache, redis_cached};
use cached_redis_http::{BuildId, ConditionalGetLayer, not_modified};
use serde::{Deserialize, Serialize};
use tower::ServiceExt as _;

const ROUNDS: usize = 20;
const REQUESTS: u32 = 200;

#[derive(Clone, Serialize, Deserialize)]
struct Article {
    id: u64,
    title: String,
    text: String,
}

#[redis_cached(key = "articles", ttl = "1h")]
async fn articles() -> Vec<Article> {
    let article = |id| Article {
        id,
        title: format!("Article {id}"),
        text: "All about it. ".repeat(10),
    };
    (0..100).map(article).collect()
}

async fn page() -> Json<Vec<Article>> {
    Json(articles().await)
}

async fn page_if_modified() -> Response {
    let articles = articles().await;
    match not_modified() {
        Some(not_modified) => not_modified.into(),
        None => Json(articles).into_response(),
    }
}

/// As others do it: the tag is a hash of the body.
async fn hashed(request: Request, next: Next) -> Response {
    let asked = request.headers().get(header::IF_NONE_MATCH).cloned();
    let (mut parts, body) = next.run(request).await.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let mut hash = DefaultHasher::new();
    body.hash(&mut hash);
    let etag = format!("\"{:x}\"", hash.finish());
    let is_had = asked.is_some_and(|asked| asked.as_bytes() == etag.as_bytes());
    if let Ok(etag) = etag.parse() {
        parts.headers.insert(header::ETAG, etag);
    }
    if is_had {
        parts.status = StatusCode::NOT_MODIFIED;
        return Response::from_parts(parts, Body::empty());
    }
    Response::from_parts(parts, Body::from(body))
}

struct Side {
    name: &'static str,
    router: Router,
    etag: HeaderMap,
    best: Duration,
    bytes: usize,
}

impl Side {
    fn new(name: &'static str, router: Router) -> Self {
        Self {
            name,
            router,
            etag: HeaderMap::new(),
            best: Duration::MAX,
            bytes: 0,
        }
    }

    /// The bytes of the body of one answer.
    async fn send(&mut self) -> usize {
        let mut request = Request::new(Body::empty());
        *request.headers_mut() = self.etag.clone();
        let Ok(response) = self.router.clone().oneshot(request).await;
        if let Some(etag) = response.headers().get(header::ETAG) {
            self.etag.insert(header::IF_NONE_MATCH, etag.clone());
        }
        to_bytes(response.into_body(), usize::MAX)
            .await
            .map_or(0, |body| body.len())
    }

    async fn round(&mut self) {
        let began = Instant::now();
        for _ in 0..REQUESTS {
            self.bytes = self.send().await;
        }
        self.best = self.best.min(began.elapsed() / REQUESTS);
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    Cache::builder().url("memory://").build().await?.install()?;
    let layer = ConditionalGetLayer::new(BuildId::of_executable()?);
    let plain = Router::new().route("/", get(page));
    let early = Router::new().route("/", get(page_if_modified));
    let mut sides = [
        Side::new("without a layer", plain.clone()),
        Side::new(
            "a layer that hashes bodies",
            plain.clone().layer(from_fn(hashed)),
        ),
        Side::new("ConditionalGetLayer", plain.layer(layer.clone())),
        Side::new("… and not_modified()", early.layer(layer)),
    ];
    for side in &mut sides {
        for _ in 0..2 {
            side.send().await;
        }
    }
    for _ in 0..ROUNDS {
        for side in &mut sides {
            side.round().await;
        }
    }
    println!(
        "{:28} {:>12} {:>10}",
        "a page that has not changed", "body, bytes", "µs"
    );
    for side in &sides {
        let micros = side.best.as_secs_f64() * 1e6;
        println!("{:28} {:>12} {micros:>10.1}", side.name, side.bytes);
    }
    Ok(())
}

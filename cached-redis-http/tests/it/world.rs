//! A source, functions that cache what is in it, handlers that show it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use cached_redis::{Cache, CachedExt as _, current, invalidates, redis_cached};
use cached_redis_http::{BuildId, ConditionalGetLayer, not_modified};
use tower::ServiceExt as _;

#[derive(Debug, Default)]
pub(crate) struct Db {
    texts: Mutex<BTreeMap<u64, String>>,
    pub(crate) renderings: AtomicU64,
    pub(crate) loads: AtomicU64,
}

impl Db {
    pub(crate) fn set(&self, id: u64, text: &str) {
        self.texts.lock().unwrap().insert(id, text.to_owned());
    }

    fn text(&self, id: u64) -> Option<String> {
        self.loads.fetch_add(1, Ordering::Relaxed);
        self.texts.lock().unwrap().get(&id).cloned()
    }
}

#[redis_cached(key = "article:<id>", tags = ["articles"], ttl = "10m", jitter = 0.0, skip(db))]
pub(crate) async fn article(db: &Arc<Db>, id: u64) -> Option<String> {
    db.text(id)
}

/// The same entries, kept in the memory of the process as well.
#[redis_cached(key = "article:<id>", tags = ["articles"], ttl = "10m", local = "10s", skip(db))]
async fn near(db: &Arc<Db>, id: u64) -> Option<String> {
    db.text(id)
}

#[redis_cached(key = "many:<id>", tags = ["many"], ttl = "10m", skip(db), batch(id in ids))]
async fn many(db: &Arc<Db>, ids: Vec<u64>) -> BTreeMap<u64, String> {
    let texts = ids.into_iter().map(|id| (id, db.text(id)));
    texts.filter_map(|(id, text)| Some((id, text?))).collect()
}

#[redis_cached(key = "outer:<id>", ttl = "10m", skip(db))]
async fn outer(db: &Arc<Db>, id: u64) -> String {
    article(db, id).await.unwrap_or_default()
}

#[redis_cached(key = "unkept:<id>", ttl = "10m", skip(db))]
async fn unkept(db: &Arc<Db>, id: u64) -> String {
    current().do_not_store();
    db.text(id).unwrap_or_default()
}

#[redis_cached(key = "found:<id>", ttl = "10m", skip(db))]
async fn found(db: &Arc<Db>, id: u64) -> String {
    current().tag(format!("found:{id}"));
    db.text(id).unwrap_or_default()
}

#[redis_cached(key = "failing:<id>", ttl = "10m")]
async fn failing(id: u64) -> Result<String, String> {
    Err(format!("no {id}"))
}

#[redis_cached(
    key = "old:<id>",
    ttl = "1s",
    stale_while_revalidate = "1h",
    jitter = 0.0,
    skip(db)
)]
pub(crate) async fn old(db: &Arc<Db>, id: u64) -> String {
    db.text(id).unwrap_or_default()
}

#[invalidates("article:<id>", "outer:<id>", "old:<id>", "many:<id>", publish)]
pub(crate) async fn write(db: &Arc<Db>, id: u64, text: &str) {
    db.set(id, text);
}

pub(crate) fn layer() -> ConditionalGetLayer {
    ConditionalGetLayer::new(BuildId::new("build 1"))
}

pub(crate) struct World {
    pub(crate) db: Arc<Db>,
    pub(crate) cache: Cache,
    pub(crate) router: Router,
}

type Shown = State<Arc<Db>>;

/// What every path shows; the last part is the id.
pub(crate) fn router(db: Arc<Db>) -> Router {
    Router::new()
        .route("/article/{id}", get(show).post(show))
        .route("/near/{id}", get(show_near))
        .route("/two/{a}/{b}", get(two))
        .route("/many/{id}", get(show_many))
        .route(
            "/outer/{id}",
            get(|State(db): Shown, Path(id)| async move { outer(&db, id).await }),
        )
        .route("/nothing/{id}", get(|| async { "hello" }))
        .route(
            "/unkept/{id}",
            get(|State(db): Shown, Path(id)| async move { unkept(&db, id).await }),
        )
        .route(
            "/found/{id}",
            get(|State(db): Shown, Path(id)| async move { found(&db, id).await }),
        )
        .route(
            "/old/{id}",
            get(|State(db): Shown, Path(id)| async move { old(&db, id).await }),
        )
        .route("/failing/{id}", get(show_failing))
        .route("/uncached/{id}", get(show_uncached))
        .route("/get/{id}", get(show_by_hand))
        .route("/changing/{id}", get(show_changing))
        .route("/with/{name}/{value}", get(show_with))
        .route("/stream/{id}", get(show_stream))
        .route("/told/{id}", get(show_told))
        .route("/spawned/{id}", get(show_spawned))
        .route("/inside/{id}", get(show_inside))
        .route("/early/{id}", get(show_early))
        .with_state(db)
}

async fn show(State(db): Shown, Path(id): Path<u64>) -> Response {
    match article(&db, id).await {
        Some(text) => {
            let headers = [
                ("content-location", "/here"),
                ("x-own", "kept"),
                ("last-modified", "then"),
            ];
            (headers, Json(text)).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn show_near(State(db): Shown, Path(id): Path<u64>) -> Json<Option<String>> {
    Json(near(&db, id).await)
}

async fn two(State(db): Shown, Path((a, b)): Path<(u64, u64)>) -> String {
    let (a, b) = tokio::join!(article(&db, a), article(&db, b));
    format!("{a:?} {b:?}")
}

async fn show_many(State(db): Shown, Path(id): Path<u64>) -> String {
    format!("{:?}", many(&db, (0..id).collect()).await)
}

async fn show_failing(Path(id): Path<u64>) -> String {
    failing(id).await.unwrap_or_default()
}

async fn show_uncached(State(db): Shown, Path(id): Path<u64>) -> String {
    article(&db, 1).await;
    article(&db, id).uncached().await.unwrap_or_default()
}

async fn show_by_hand(Extension(cache): Extension<Cache>, Path(id): Path<u64>) -> String {
    cache
        .get::<String>(format!("by-hand:{id}"))
        .await
        .unwrap()
        .unwrap_or_default()
}

async fn show_changing(State(db): Shown, Path(id): Path<u64>) -> String {
    let before = article(&db, id).await;
    let text = db.loads.load(Ordering::Relaxed).to_string();
    write(&db, id, &text).await;
    format!("{before:?} {:?}", article(&db, id).await)
}

async fn show_with(State(db): Shown, Path((name, value)): Path<(String, String)>) -> Response {
    let text = article(&db, 1).await.unwrap_or_default();
    let mut headers = HeaderMap::new();
    let name = name.parse::<axum::http::HeaderName>().unwrap();
    headers.insert(name, value.replace('_', " ").parse().unwrap());
    (headers, text).into_response()
}

async fn show_stream(State(db): Shown, Path(id): Path<u64>) -> Body {
    let text = article(&db, id).await.unwrap_or_default();
    Body::from_stream(futures_util::stream::iter([Ok::<_, std::io::Error>(text)]))
}

/// Its length is told, and what it is made of may still be read.
async fn show_told(State(db): Shown, Path(id): Path<u64>) -> Response {
    let length = article(&db, id).await.unwrap_or_default().len();
    let body = show_stream(State(db), Path(id)).await;
    ([("content-length", length.to_string())], body).into_response()
}

async fn show_spawned(
    State(db): Shown,
    Extension(cache): Extension<Cache>,
    Path(id): Path<u64>,
) -> String {
    let task = async move { cache.scope(article(&db, id)).await };
    let text = tokio::spawn(task.collected()).await.unwrap();
    text.unwrap_or_default()
}

async fn show_inside(State(db): Shown, Path(id): Path<u64>) -> String {
    let (text, _) = article(&db, id).with_reads().await;
    text.unwrap_or_default()
}

async fn show_early(State(db): Shown, Path(id): Path<u64>) -> Response {
    let text = article(&db, id).await;
    if let Some(not_modified) = not_modified() {
        return not_modified.into();
    }
    db.renderings.fetch_add(1, Ordering::Relaxed);
    Json(text).into_response()
}

/// A response, read to its end.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let values: Vec<_> = self.headers.get_all(name).iter().collect();
        assert!(values.len() < 2, "{name} twice: {values:?}");
        Some(values.first()?.to_str().unwrap())
    }

    pub(crate) fn etag(&self) -> &str {
        let etag = self.header("etag");
        etag.unwrap_or_else(|| panic!("no tag: {self:?}"))
    }

    /// Nobody is to keep it, and there is nothing to ask by.
    pub(crate) fn is_not_kept(&self) -> bool {
        self.header("etag").is_none() && self.header("cache-control") == Some("no-store")
    }
}

pub(crate) async fn cache() -> Cache {
    let builder = Cache::builder().url("memory://").namespace("shop");
    builder.event_stream(10_000).build().await.unwrap()
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(layer()).await
    }

    pub(crate) async fn with(layer: ConditionalGetLayer) -> Self {
        Self::on(cache().await, layer)
    }

    pub(crate) fn on(cache: Cache, layer: ConditionalGetLayer) -> Self {
        let db = Arc::new(Db::default());
        for id in 0..100 {
            db.set(id, &format!("text {id}"));
        }
        Self::of(db, cache, layer)
    }

    /// Another process before the same source.
    pub(crate) fn beside(&self, cache: Cache, layer: ConditionalGetLayer) -> Self {
        Self::of(Arc::clone(&self.db), cache, layer)
    }

    fn of(db: Arc<Db>, cache: Cache, layer: ConditionalGetLayer) -> Self {
        let router = router(Arc::clone(&db))
            .layer(layer)
            .layer(Extension(cache.clone()));
        Self { db, cache, router }
    }

    pub(crate) async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Seen {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        let answer = self.router.clone().oneshot(request);
        let (parts, body) = self.cache.scope(answer).await.unwrap().into_parts();
        Seen {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: to_bytes(body, usize::MAX).await.unwrap(),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Seen {
        self.send("GET", path, &[]).await
    }

    pub(crate) async fn ask(&self, path: &str, etag: &str) -> Seen {
        self.send("GET", path, &[("if-none-match", etag)]).await
    }

    pub(crate) async fn write(&self, id: u64, text: &str) {
        self.cache.scope(write(&self.db, id, text)).await;
    }
}

pub(crate) const MINUTE: Duration = Duration::from_secs(60);

pub(crate) fn set_cookie() -> String {
    format!("/with/{}/a=b", header::SET_COOKIE)
}

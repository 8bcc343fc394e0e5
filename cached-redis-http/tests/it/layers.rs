//! Beside other layers, behind routers, and around services of no framework.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use http_body_util::Full;
use hyper::body::Bytes;
use tower::{Layer as _, ServiceExt as _};
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::SizeAbove;

use crate::world::{Db, Seen, World, article, cache, layer, router};

const GZIP: (&str, &str) = ("accept-encoding", "gzip");

fn compression() -> CompressionLayer<SizeAbove> {
    CompressionLayer::new().compress_when(SizeAbove::new(1))
}

async fn bare() -> World {
    let mut world = World::new().await;
    world.router = router(Arc::clone(&world.db));
    world
}

#[tokio::test]
async fn compression_outside_leaves_the_tag_and_a_304_is_not_compressed() {
    let mut world = bare().await;
    world.router = world.router.layer(layer()).layer(compression());
    let zipped = world.send("GET", "/article/1", &[GZIP]).await;
    assert_eq!(zipped.header("content-encoding"), Some("gzip"));
    let plain = world.get("/article/1").await;
    assert_eq!(
        (plain.header("content-encoding"), plain.etag()),
        (None, zipped.etag())
    );
    let asked = ("if-none-match", zipped.etag());
    let seen = world.send("GET", "/article/1", &[GZIP, asked]).await;
    assert_eq!((seen.status, seen.body.len()), (304, 0));
    assert_eq!(seen.header("content-encoding"), None);
}

/// A compressed body has no length that is known, so it might still be read for.
#[tokio::test]
async fn compression_inside_gives_no_tag_and_what_is_not_compressed_has_one() {
    let mut world = bare().await;
    world.router = world.router.layer(compression()).layer(layer());
    let zipped = world.send("GET", "/article/1", &[GZIP]).await;
    assert!(zipped.is_not_kept(), "{zipped:?}");
    let plain = world.get("/article/1").await;
    assert_eq!(world.ask("/article/1", plain.etag()).await.status, 304);
    let asked = ("if-none-match", plain.etag());
    let seen = world.send("GET", "/article/1", &[GZIP, asked]).await;
    assert_eq!(seen.status, 200, "{seen:?}");
}

#[tokio::test]
async fn routers_may_be_nested_and_routes_have_layers_of_their_own() {
    let mut world = bare().await;
    let inner = router(Arc::clone(&world.db)).layer(layer());
    world.router = Router::new().nest("/a", inner.clone()).nest("/b", inner);
    let [a, b] = [
        world.get("/a/article/1").await,
        world.get("/b/article/1").await,
    ];
    assert_eq!(world.ask("/a/article/1", a.etag()).await.status, 304);
    #[cfg(feature = "axum")]
    assert_ne!(a.etag(), b.etag());
    assert_eq!(b.status, 200);
}

#[tokio::test]
async fn any_service_of_http_1_will_do() {
    let db = Arc::new(Db::default());
    db.set(1, "text");
    let service = tower::service_fn(move |_: Request<Body>| {
        let db = Arc::clone(&db);
        async move {
            let text = article(&db, 1).await.unwrap();
            Ok::<_, Infallible>(hyper::Response::new(Full::new(Bytes::from(text))))
        }
    });
    let cache = cache().await;
    let get = async |etag: &str| {
        let request = Request::get("/").header("if-none-match", etag);
        let service = layer().layer(service.clone());
        let response = service.oneshot(request.body(Body::empty()).unwrap());
        let (parts, body) = cache.scope(response).await.unwrap().into_parts();
        Seen {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: to_bytes(Body::new(body), 100).await.unwrap(),
        }
    };
    let whole = get("\"none\"").await;
    assert_eq!((whole.status, &*whole.body), (200, &b"text"[..]));
    let seen = get(whole.etag()).await;
    assert_eq!((seen.status, seen.header("content-length")), (304, None));
}

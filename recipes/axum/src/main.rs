//! axum: the cache beneath the handlers, what a request says as extractors, and the layer that answers 304.
//!
//! ```text
//! cargo run -p recipe-axum
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::body::Body;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, Request, StatusCode, header};
use axum::routing::get;
use axum::{Json, Router};
use cached_redis::{Cache, CachedExt as _, invalidates, redis_cached};
use cached_redis_http::{BuildId, ConditionalGetLayer};
use tower::ServiceExt as _;

/// The state: what all handlers share. The cache is installed once, and in no state.
#[derive(Clone, Default)]
struct App {
    /// Stands for the pool of a database.
    price: Arc<AtomicU32>,
}

/// Whoever asks. A real application takes this from a session.
struct User(String);

const USER: HeaderName = HeaderName::from_static("x-user");

impl<S: Sync> FromRequestParts<S> for User {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        let name = parts.headers.get(USER).and_then(|name| name.to_str().ok());
        name.map(|name| Self(name.to_owned()))
            .ok_or(StatusCode::UNAUTHORIZED)
    }
}

/// Not the handler: a function of what decides the result. The state changes nothing about it.
#[redis_cached(key = "user:<user>:price:<article>", ttl = "10m", skip(app))]
async fn price(app: &App, user: &str, article: u32) -> u32 {
    app.price.load(Ordering::SeqCst) + user.len() as u32 + article // SELECT …
}

#[invalidates("user:*:price:<article>")]
async fn set_price(app: &App, article: u32, price: u32) {
    app.price.store(price - article, Ordering::SeqCst); // UPDATE …
}

type Answer = ([(HeaderName, String); 1], Json<u32>);

async fn show(State(app): State<App>, user: User, Path(article): Path<u32>) -> Answer {
    let (price, info) = price(&app, &user.0, article).with_info().await;
    let status = format!("{:?}", info.status()).to_lowercase();
    ([(HeaderName::from_static("x-cache"), status)], Json(price))
}

async fn change(State(app): State<App>, Path(article): Path<u32>, Json(price): Json<u32>) {
    set_price(&app, article, price).await;
}

fn router(app: App) -> std::io::Result<Router> {
    // `x-user` decides the response as well, so the tag is of it, too.
    let unchanged = ConditionalGetLayer::new(BuildId::of_executable()?).vary([USER]);
    let prices = Router::new().route("/prices/{article}", get(show).put(change));
    Ok(prices.route_layer(unchanged).with_state(app))
}

const PRICE: &str = "/prices/7";

/// Sends a request without a socket, and gives the status and two headers.
async fn send(
    router: &Router,
    request: axum::http::request::Builder,
    body: &'static str,
) -> (u16, [String; 2]) {
    let request = request.header(header::CONTENT_TYPE, "application/json");
    let response = router
        .clone()
        .oneshot(request.body(Body::from(body)).unwrap())
        .await
        .unwrap();
    let of = |name: &str| {
        response
            .headers()
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
            .to_owned()
    };
    (response.status().as_u16(), [of("x-cache"), of("etag")])
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let cache = Cache::builder().url("memory://").build().await?;
    cache.clone().install()?;
    let router = router(App::default())?;
    let as_user = |user: &'static str| Request::get(PRICE).header(USER, user);

    let (status, [how, etag]) = send(&router, as_user("ada"), "").await;
    assert_eq!((status, how.as_str()), (200, "miss"));
    let asked = as_user("ada").header(header::IF_NONE_MATCH, &etag);
    assert_eq!(send(&router, asked, "").await.0, 304);
    let asked = as_user("benjamin").header(header::IF_NONE_MATCH, &etag);
    assert_eq!(
        send(&router, asked, "").await.0,
        200,
        "what Ada has is nothing to Benjamin"
    );
    assert_eq!(send(&router, Request::get(PRICE), "").await.0, 401);

    assert_eq!(send(&router, Request::put(PRICE), "1250").await.0, 200);
    let asked = as_user("ada").header(header::IF_NONE_MATCH, &etag);
    let (status, [how, _]) = send(&router, asked, "").await;
    assert_eq!((status, how.as_str()), (200, "miss"));
    println!("axum: 200, then 304, and 200 again once the price had changed");
    cache.flush().await?;
    Ok(())
}

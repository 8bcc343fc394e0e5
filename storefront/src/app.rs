//! The routes, and what is around them.

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRef, Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum_extra::extract::cookie::Key;
use cached_redis::Cache;
use cached_redis::stats::Stats;
use cached_redis_dashboard::Dashboard;
use cached_redis_http::{BuildId, ConditionalGetLayer};

use crate::db::Db;
use crate::session::{self, Clerk};
use crate::{admin, basket, browse};

#[derive(Clone)]
pub(crate) struct App {
    pub(crate) db: Db,
    pub(crate) cache: Cache,
    /// Signs the sessions.
    pub(crate) key: Key,
    /// Where browsers see the shop, if a proxy is in between.
    pub(crate) origin: Option<String>,
    /// Whether product pages are served from the memory of this process.
    pub(crate) is_local: bool,
    /// The hash of a password that nobody has.
    pub(crate) nobody: Arc<str>,
}

impl FromRef<App> for Key {
    fn from_ref(app: &App) -> Self {
        app.key.clone()
    }
}

/// What a browser may do with our pages: show them, with our style, and send their forms to us.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
     base-uri 'none'; frame-ancestors 'none'";

pub(crate) fn router(app: App, build: BuildId, dashboard: Dashboard) -> Router {
    // Each is a function of its address, its cookie, and what it reads from the cache.
    let shown = Router::new()
        .route("/", get(browse::home))
        .route("/shelves/{category}", get(browse::shelf))
        .route("/products/{id}", get(browse::product))
        .route("/cart", get(basket::show).post(basket::put))
        .route("/orders", get(basket::orders).post(basket::order))
        .route("/admin", get(admin::show))
        .route_layer(ConditionalGetLayer::new(build));
    let rest = Router::new()
        .route("/cart/remove", post(basket::remove))
        .route("/admin/products", post(admin::add))
        .route("/admin/products/{id}", post(admin::change))
        .route("/sign-in", get(browse::sign_in_form).post(browse::sign_in))
        .route("/sign-out", post(browse::sign_out))
        .route("/style.css", get(style))
        .route("/icon.svg", get(icon))
        .fallback(browse::nothing);
    let pages = shown.merge(rest);
    let pages = pages.layer(from_fn_with_state(app.clone(), session::own_forms));
    let dashboard = dashboard.into_router();
    let dashboard = dashboard.layer(from_fn_with_state(app.clone(), clerks_alone));
    pages
        .layer(axum::middleware::map_response(policy))
        .route("/metrics", get(metrics))
        .nest_service("/cache", dashboard)
        .layer(from_fn_with_state(app.clone(), in_scope))
        .with_state(app)
}

/// Annotated functions find this cache. A program with one cache installs it instead.
async fn in_scope(State(app): State<App>, request: Request, next: Next) -> Response {
    app.cache.scope(next.run(request)).await
}

async fn policy(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(POLICY),
    );
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("same-origin"),
    );
    response
}

/// The dashboard has no login of its own. It finds the clerk in the request.
async fn clerks_alone(clerk: Clerk, mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(Arc::new(clerk));
    next.run(request).await
}

/// The dashboard, in which clerks may do all that it can.
pub(crate) fn dashboard(app: &App) -> Result<Dashboard, cached_redis_dashboard::Error> {
    let dashboard = Dashboard::builder(app.cache.clone());
    let dashboard =
        dashboard.authorize(|_, request| request.extensions.get::<Arc<Clerk>>().is_some());
    match &app.origin {
        Some(origin) => dashboard.origin(origin).build(),
        None => dashboard.build(),
    }
}

/// For Prometheus. It names functions and no data; a proxy keeps it inside all the same.
async fn metrics(State(app): State<App>) -> impl IntoResponse {
    let _ = app.cache.store_sample().await; // how full the server is, if it says so
    (
        [(header::CONTENT_TYPE, Stats::OPENMETRICS)],
        app.cache.stats().to_openmetrics(),
    )
}

async fn style() -> impl IntoResponse {
    kept("text/css; charset=utf-8", include_str!("pages/style.css"))
}

async fn icon() -> impl IntoResponse {
    kept("image/svg+xml", include_str!("pages/icon.svg"))
}

/// A file of the program's, for as long as somebody looks around.
fn kept(kind: &'static str, text: &'static str) -> impl IntoResponse {
    (
        [
            (header::CONTENT_TYPE, kind),
            (header::CACHE_CONTROL, "max-age=60"),
        ],
        text,
    )
}

#[cfg(test)]
mod tests;

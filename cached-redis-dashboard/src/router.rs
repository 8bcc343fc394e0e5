//! The dashboard in an application of axum.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use cached_redis::Cache;

use crate::dashboard::Dashboard;
use crate::{reply, respond};

/// A router that shows this cache and changes nothing: short for [`Dashboard::new`] and
/// [`Dashboard::into_router`]. **It has no login: put it behind your own.**
///
/// ```
/// use axum::Router;
/// use cached_redis::Cache;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cached_redis::Error> {
/// let cache = Cache::builder().url("memory://").build().await?;
/// let app: Router = Router::new().nest("/cache", cached_redis_dashboard::router(cache));
/// # Ok(())
/// # }
/// ```
pub fn router(cache: Cache) -> Router {
    Dashboard::new(cache).into_router()
}

impl Dashboard {
    /// A router to be [nested](Router::nest) anywhere, or to be served by itself. In axum, what is nested at
    /// `/cache` is not at `/cache/`; [`Router::nest_service`] has it at both.
    ///
    /// Layers of your own, such as a login, go around it.
    pub fn into_router(self) -> Router {
        Router::new().fallback(answer).with_state(self)
    }
}

async fn answer(State(dashboard): State<Dashboard>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let answer = match to_bytes(body, respond::LONGEST).await {
        Ok(body) => dashboard.respond(Request::from_parts(parts, body)).await,
        Err(_) => reply::too_long(),
    };
    answer.map(Body::from)
}

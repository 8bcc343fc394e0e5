//! The handlers. They call the functions of `notes.rs` as they would without a cache: a handler itself,
//! with its extractors and responses, is not what an attribute goes on.

use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use cached_redis::{Cache, CacheInfo, CachedExt as _};
use cached_redis_http::{BuildId, ConditionalGetLayer};
use serde::Deserialize;
use sqlx::SqlitePool;

use crate::notes;

#[derive(Clone)]
pub(crate) struct App {
    db: SqlitePool,
    cache: Cache,
}

/// Whoever asks is in a header of their own, so the tag is of that, too.
const USER: HeaderName = HeaderName::from_static("x-user");

pub(crate) fn router(db: SqlitePool, cache: Cache, build: BuildId) -> Router {
    Router::new()
        .route("/notes", get(list).post(add))
        .route("/notes/{id}", get(find))
        .route("/notes/{id}/give/{to}", post(give))
        .route_layer(ConditionalGetLayer::new(build).vary([USER]))
        .with_state(App { db, cache })
}

async fn list(State(app): State<App>, user: User, Query(asked): Query<Asked>) -> Answer {
    let read = notes::list(&app.db, &user.0, asked.page).with_info();
    let (notes, info) = read.await;
    Ok((told(&info), Json(notes?)).into_response())
}

async fn find(State(app): State<App>, user: User, Path(id): Path<i64>) -> Answer {
    let (note, info) = notes::find(&app.db, &user.0, id).with_info().await;
    let note = note?.ok_or(Failure::NotFound)?;
    Ok((told(&info), Json(note)).into_response())
}

async fn add(State(app): State<App>, user: User, text: String) -> Answer {
    let id = notes::add(&app.db, &user.0, &text).await?;
    Ok((StatusCode::CREATED, Json(id)).into_response())
}

async fn give(State(app): State<App>, user: User, Path((id, to)): Path<(i64, String)>) -> Answer {
    match notes::give(&app.db, &app.cache, &user.0, id, &to).await? {
        true => Ok(StatusCode::NO_CONTENT.into_response()),
        false => Err(Failure::NotFound),
    }
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    page: u32,
}

/// Whoever asks. A real application takes this from a session.
struct User(String);

impl<S: Sync> FromRequestParts<S> for User {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        let name = parts.headers.get(USER).and_then(|name| name.to_str().ok());
        let name = name.ok_or(StatusCode::UNAUTHORIZED)?;
        Ok(Self(name.to_owned()))
    }
}

/// How the cache answered, for whoever looks at the response.
fn told(info: &CacheInfo) -> [(HeaderName, String); 1] {
    let status = format!("{:?}", info.status()).to_lowercase();
    [(HeaderName::from_static("x-cache"), status)]
}

type Answer = Result<Response, Failure>;

enum Failure {
    NotFound,
    Database,
}

impl From<sqlx::Error> for Failure {
    fn from(_: sqlx::Error) -> Self {
        Self::Database
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND.into_response(),
            Self::Database => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }
}

#[cfg(test)]
mod tests;

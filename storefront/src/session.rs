//! Who asks: a signed cookie names the user and when it ends. And who may not ask: a form on somebody else's page.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use axum_extra::extract::SignedCookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use tokio::task::spawn_blocking;

use crate::app::App;
use crate::customer::{self, User};
use crate::failure::Failure;
use crate::pages;

const NAME: &str = "session";
const LIFE: Duration = Duration::from_secs(12 * 60 * 60);

/// Whoever asks, signed in or not.
pub(crate) struct Visitor(pub(crate) Option<User>);

/// Only who is signed in.
pub(crate) struct Customer(pub(crate) User);

/// Only who may change prices.
pub(crate) struct Clerk(pub(crate) User);

impl FromRequestParts<App> for Visitor {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let jar = SignedCookieJar::from_headers(&parts.headers, app.key.clone());
        let Some(id) = jar.get(NAME).and_then(|cookie| user_of(cookie.value())) else {
            return Ok(Self(None));
        };
        Ok(Self(customer::user(&app.db, id).await?))
    }
}

impl FromRequestParts<App> for Customer {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let Visitor(user) = Visitor::from_request_parts(parts, app).await?;
        user.map(Self).ok_or(Failure::SignIn)
    }
}

impl FromRequestParts<App> for Clerk {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let Customer(user) = Customer::from_request_parts(parts, app).await?;
        match user.is_admin {
            true => Ok(Self(user)),
            false => Err(Failure::NotAllowed),
        }
    }
}

/// In seconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

/// The user whom a cookie names, unless it has ended.
fn user_of(value: &str) -> Option<i64> {
    let (id, end) = value.split_once('.')?;
    let is_over = end.parse::<u64>().ok()? <= now();
    id.parse().ok().filter(|_| !is_over)
}

/// The cookie of a new session; the browser drops it when it is closed.
pub(crate) fn begin(jar: SignedCookieJar, user: i64, is_secure: bool) -> SignedCookieJar {
    let end = now() + LIFE.as_secs();
    let cookie = Cookie::build((NAME, format!("{user}.{end}"))).path("/");
    let cookie = cookie.http_only(true).same_site(SameSite::Lax);
    jar.add(cookie.secure(is_secure))
}

pub(crate) fn end(jar: SignedCookieJar) -> SignedCookieJar {
    jar.remove(Cookie::build(NAME).path("/"))
}

/// The user with this name and password. Who has no such name waits as long as who has.
pub(crate) async fn sign_in(
    app: &App,
    name: &str,
    password: String,
) -> Result<Option<i64>, Failure> {
    let found = customer::credentials(&app.db, name).await?;
    let (id, hash) = match found {
        Some((id, hash)) => (Some(id), hash),
        None => (None, app.nobody.to_string()),
    };
    let verify = move || {
        let hash = PasswordHash::new(&hash).ok()?;
        let verified = Argon2::default().verify_password(password.as_bytes(), &hash);
        verified.ok().and(id)
    };
    Ok(spawn_blocking(verify).await.unwrap_or_default())
}

/// What is kept of a password. It takes its time, which is the point of it.
pub(crate) async fn hash(password: &'static str) -> String {
    let hash = || {
        Argon2::default()
            .hash_password(password.as_bytes())
            .map(|hash| hash.to_string())
    };
    let hash = spawn_blocking(hash).await;
    hash.expect("hashing does not panic")
        .expect("the system has random numbers")
}

/// Refuses what a form on another page may have sent: browsers say where each `POST` comes from. The dashboard looks
/// for itself.
pub(crate) async fn own_forms(State(app): State<App>, request: Request, next: Next) -> Response {
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    if changes && !is_own(request.headers(), app.origin.as_deref()) {
        let told = pages::message("This form was sent from another page.");
        return (StatusCode::FORBIDDEN, told).into_response();
    }
    next.run(request).await
}

fn is_own(headers: &HeaderMap, origin: Option<&str>) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let from = text(header::ORIGIN).unwrap_or_default();
    match origin {
        Some(origin) => from == origin,
        None => {
            let from: Option<Uri> = from
                .parse()
                .ok()
                .filter(|from: &Uri| from.scheme().is_some());
            let authority = from.as_ref().and_then(Uri::authority);
            authority.is_some_and(|authority| Some(authority.as_str()) == text(header::HOST))
        }
    }
}

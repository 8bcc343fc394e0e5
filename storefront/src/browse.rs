//! What everybody may see, and the door.

use std::collections::BTreeMap;

use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::SignedCookieJar;
use maud::Markup;
use serde::Deserialize;

use crate::app::App;
use crate::failure::Failure;
use crate::pages::{self, Frame};
use crate::session::{self, Visitor};
use crate::{customer, shop};

pub(crate) type Page = Result<Markup, Failure>;

/// What is at the top of each page.
pub(crate) async fn frame(app: &App, visitor: Visitor) -> Result<Frame, Failure> {
    let categories = shop::categories(&app.db).await?;
    let in_cart = match &visitor.0 {
        Some(user) => customer::cart(&app.db, user.id)
            .await?
            .iter()
            .map(|line| line.quantity)
            .sum(),
        None => 0,
    };
    Ok(Frame {
        categories,
        user: visitor.0,
        in_cart,
    })
}

pub(crate) async fn home(State(app): State<App>, visitor: Visitor) -> Page {
    let frame = frame(&app, visitor).await?;
    let mut shelves = BTreeMap::new();
    for category in frame.categories.keys() {
        let mut shelf = shop::shelf(&app.db, category, 0).await?;
        shelf.truncate(4);
        shelves.insert(category.clone(), shelf);
    }
    Ok(pages::shop::home(&frame, &shelves))
}

#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    page: u32,
}

pub(crate) async fn shelf(
    State(app): State<App>,
    visitor: Visitor,
    Path(category): Path<String>,
    Query(Asked { page }): Query<Asked>,
) -> Page {
    let frame = frame(&app, visitor).await?;
    let count = *frame.categories.get(&category).ok_or(Failure::NotFound)?;
    let pages = shop::pages(count);
    if page >= pages {
        return Err(Failure::NotFound);
    }
    let shelf = shop::shelf(&app.db, &category, page).await?;
    Ok(pages::shop::shelf(&frame, &category, &shelf, page, pages))
}

pub(crate) async fn product(State(app): State<App>, visitor: Visitor, Path(id): Path<i64>) -> Page {
    let frame = frame(&app, visitor).await?;
    let product = match app.is_local {
        true => shop::nearby::product(&app.db, id).await?,
        false => shop::product(&app.db, id).await?,
    };
    Ok(pages::shop::product(
        &frame,
        &product.ok_or(Failure::NotFound)?,
    ))
}

pub(crate) async fn nothing() -> Failure {
    Failure::NotFound
}

pub(crate) async fn sign_in_form(State(app): State<App>, visitor: Visitor) -> Page {
    Ok(pages::shop::sign_in(&frame(&app, visitor).await?, None))
}

#[derive(Deserialize)]
pub(crate) struct Credentials {
    name: String,
    password: String,
}

pub(crate) async fn sign_in(
    State(app): State<App>,
    jar: SignedCookieJar,
    Form(Credentials { name, password }): Form<Credentials>,
) -> Result<Response, Failure> {
    let Some(user) = session::sign_in(&app, &name, password).await? else {
        let frame = frame(&app, Visitor(None)).await?;
        let again = pages::shop::sign_in(&frame, Some(&name));
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, again).into_response());
    };
    let is_secure = app
        .origin
        .as_ref()
        .is_some_and(|origin| origin.starts_with("https:"));
    Ok((session::begin(jar, user, is_secure), Redirect::to("/")).into_response())
}

pub(crate) async fn sign_out(jar: SignedCookieJar) -> impl IntoResponse {
    (session::end(jar), Redirect::to("/"))
}

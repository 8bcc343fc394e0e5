//! The cart and the orders of a customer.

use axum::Form;
use axum::extract::State;
use axum::response::Redirect;
use serde::Deserialize;

use crate::app::App;
use crate::browse::{Page, frame};
use crate::failure::Failure;
use crate::session::{Customer, Visitor};
use crate::{customer, pages, shop};

pub(crate) async fn show(State(app): State<App>, Customer(user): Customer) -> Page {
    let lines = customer::cart(&app.db, user.id).await?;
    let ids: Vec<_> = lines.iter().map(|line| line.product).collect();
    let products = shop::products(&app.db, &ids).await?;
    let frame = frame(&app, Visitor(Some(user))).await?;
    Ok(pages::basket::cart(&frame, &lines, &products))
}

#[derive(Deserialize)]
pub(crate) struct Wanted {
    product: i64,
    #[serde(default = "one")]
    quantity: i64,
}

fn one() -> i64 {
    1
}

pub(crate) async fn put(
    State(app): State<App>,
    Customer(user): Customer,
    Form(wanted): Form<Wanted>,
) -> Result<Redirect, Failure> {
    let product = shop::product(&app.db, wanted.product).await?;
    let product = product.ok_or(Failure::NotFound)?;
    customer::put_into_cart(&app.db, user.id, product.id, wanted.quantity.clamp(1, 20)).await?;
    Ok(Redirect::to("/cart"))
}

pub(crate) async fn remove(
    State(app): State<App>,
    Customer(user): Customer,
    Form(wanted): Form<Wanted>,
) -> Result<Redirect, Failure> {
    customer::remove_from_cart(&app.db, user.id, wanted.product).await?;
    Ok(Redirect::to("/cart"))
}

pub(crate) async fn orders(State(app): State<App>, Customer(user): Customer) -> Page {
    let orders = customer::orders(&app.db, user.id).await?;
    let frame = frame(&app, Visitor(Some(user))).await?;
    Ok(pages::basket::orders(&frame, &orders))
}

pub(crate) async fn order(
    State(app): State<App>,
    Customer(user): Customer,
) -> Result<Redirect, Failure> {
    customer::order(&app.db, &app.cache, user.id).await?;
    Ok(Redirect::to("/orders"))
}

//! What clerks do: change prices, take deliveries, add products.

use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use crate::app::App;
use crate::browse::{Page, frame};
use crate::failure::Failure;
use crate::session::{Clerk, Visitor};
use crate::shop::{self, New};
use crate::{goods, pages};

pub(crate) async fn show(State(app): State<App>, Clerk(user): Clerk) -> Page {
    let frame = frame(&app, Visitor(Some(user))).await?;
    let mut shelves = Vec::new();
    for (category, count) in &frame.categories {
        for page in 0..shop::pages(*count) {
            shelves.extend(shop::shelf(&app.db, category, page).await?);
        }
    }
    Ok(pages::admin::products(&frame, &shelves))
}

#[derive(Deserialize)]
pub(crate) struct Changed {
    price: String,
    #[serde(default)]
    delivered: i64,
}

pub(crate) async fn change(
    State(app): State<App>,
    Clerk(_): Clerk,
    Path(id): Path<i64>,
    Form(changed): Form<Changed>,
) -> Result<Response, Failure> {
    let Some(cents) = cents(&changed.price) else {
        return Ok(refused(NO_PRICE));
    };
    let product = shop::product(&app.db, id).await?.ok_or(Failure::NotFound)?;
    shop::change(&app.db, &product, cents, changed.delivered.clamp(0, 1000)).await?;
    Ok(Redirect::to("/admin").into_response())
}

#[derive(Deserialize)]
pub(crate) struct Added {
    title: String,
    category: String,
    text: String,
    price: String,
}

impl Added {
    /// What is to be added, or why nothing is.
    fn product(self) -> Result<New, &'static str> {
        let cents = cents(&self.price).ok_or(NO_PRICE)?;
        let name = self.title.trim().to_owned();
        let mut categories = goods::GOODS.iter().map(|(category, ..)| *category);
        if name.is_empty() || !categories.any(|known| known == self.category) {
            return Err("A product has a name, and one of the categories.");
        }
        let (category, text) = (self.category, self.text);
        Ok(New {
            name,
            category,
            text,
            cents,
        })
    }
}

pub(crate) async fn add(
    State(app): State<App>,
    Clerk(_): Clerk,
    Form(added): Form<Added>,
) -> Result<Response, Failure> {
    let new = match added.product() {
        Ok(new) => new,
        Err(why) => return Ok(refused(why)),
    };
    let id = shop::add(&app.db, &new).await?;
    Ok(Redirect::to(&format!("/products/{id}")).into_response())
}

const NO_PRICE: &str = "That is no price: write it as 12.50, from 0.01 to 99999.99.";

fn refused(why: &str) -> Response {
    (StatusCode::UNPROCESSABLE_ENTITY, pages::message(why)).into_response()
}

/// `12`, `12.5` and `12.50`, in cents.
fn cents(price: &str) -> Option<i64> {
    let (whole, part) = price.trim().split_once('.').unwrap_or((price.trim(), ""));
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty()
        || whole.len() > 5
        || part.len() > 2
        || !are_digits(whole)
        || !are_digits(part)
    {
        return None;
    }
    let cents = format!("{whole}{part:0<2}").parse().ok();
    cents.filter(|cents| *cents > 0)
}

#[cfg(test)]
mod tests {
    use super::cents;

    #[test]
    fn a_price_has_at_most_two_decimals_and_is_more_than_nothing() {
        for (text, price) in [
            ("12", 1200),
            ("12.5", 1250),
            (" 12.50 ", 1250),
            ("0.01", 1),
            ("99999.99", 9_999_999),
        ] {
            assert_eq!(cents(text), Some(price), "{text}");
        }
        for text in [
            "", ".", ".5", "0", "0.00", "-1", "+1", "1.234", "1,50", "1e3", "100000", "12 3", "１",
        ] {
            assert_eq!(cents(text), None, "{text}");
        }
    }
}

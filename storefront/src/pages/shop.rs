//! Shelves, products, the door.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::{Frame, price, titled};
use crate::shop::Product;

pub(crate) fn home(frame: &Frame, shelves: &BTreeMap<String, Vec<Product>>) -> Markup {
    let content = html! {
        h1 { "Tea, and what it takes" }
        @for (category, products) in shelves {
            section {
                div class="row" {
                    h2 { (titled(category)) }
                    a href={ "/shelves/" (category) } { "All " (frame.categories[category]) }
                }
                (cards(products))
            }
        }
    };
    frame.page("Tea, and what it takes", &content)
}

pub(crate) fn shelf(
    frame: &Frame,
    category: &str,
    products: &[Product],
    page: u32,
    pages: u32,
) -> Markup {
    let content = html! {
        h1 { (titled(category)) }
        (cards(products))
        @if pages > 1 {
            nav class="row" aria-label="Pages" {
                @if page > 0 { a href={ "?page=" (page - 1) } rel="prev" { "← Before" } }
                span class="quiet" { "Page " (page + 1) " of " (pages) }
                @if page + 1 < pages { a href={ "?page=" (page + 1) } rel="next" { "Further →" } }
            }
        }
    };
    frame.page(&titled(category), &content)
}

fn cards(products: &[Product]) -> Markup {
    html! {
        ul class="cards" {
            @for product in products {
                li {
                    a href={ "/products/" (product.id) } {
                        (picture(product))
                        strong { (product.name) }
                    }
                    (price(product.id, product.cents))
                    @if product.stock == 0 { span class="quiet" { "Sold out" } }
                }
            }
        }
    }
}

/// There are no photographs: a colour for the category, and a letter for the product.
fn picture(product: &Product) -> Markup {
    let letter = product.name.chars().next().unwrap_or('?');
    html! { span class={ "picture " (product.category) } aria-hidden="true" { (letter) } }
}

pub(crate) fn product(frame: &Frame, product: &Product) -> Markup {
    let content = html! {
        p { a href={ "/shelves/" (product.category) } { "← " (titled(&product.category)) } }
        article class="product" {
            (picture(product))
            div {
                h1 { (product.name) }
                p { (product.text) }
                p class="large" { (price(product.id, product.cents)) }
                p class="quiet" { (availability(product.stock)) }
                (buy(frame, product))
            }
        }
    };
    frame.page(&product.name, &content)
}

fn availability(stock: i64) -> String {
    match stock {
        0 => "Sold out".to_owned(),
        1..=5 => format!("Only {stock} left"),
        _ => "In stock".to_owned(),
    }
}

fn buy(frame: &Frame, product: &Product) -> Markup {
    html! {
        @if frame.user.is_none() {
            p { a class="button" href="/sign-in" { "Sign in to buy" } }
        } @else if product.stock > 0 {
            form method="post" action="/cart" class="row start" {
                input type="hidden" name="product" value=(product.id);
                label { "Quantity " input type="number" name="quantity" value="1" min="1" max="20" required; }
                button type="submit" { "Put into cart" }
            }
        }
    }
}

/// `refused`: the name that was given before, when it did not fit its password.
pub(crate) fn sign_in(frame: &Frame, refused: Option<&str>) -> Markup {
    let content = html! {
        h1 { "Sign in" }
        form method="post" action="/sign-in" class="narrow" {
            @if refused.is_some() { p class="wrong" role="alert" { "This name and this password do not belong together." } }
            label { "Name" input name="name" autocomplete="username" value=[refused] required; }
            label { "Password" input type="password" name="password" autocomplete="current-password" required; }
            button type="submit" { "Sign in" }
            p class="quiet" { "Ada (password: lovelace) changes prices. Ben (password: kite) buys." }
        }
    };
    frame.page("Sign in", &content)
}

//! Markup. What a page shows is handed to it: none of them asks for anything, and none shows anything else.

use std::collections::BTreeMap;

use maud::{DOCTYPE, Markup, html};

use crate::customer::User;

pub(crate) mod admin;
pub(crate) mod basket;
pub(crate) mod shop;

/// What is on each page.
pub(crate) struct Frame {
    pub(crate) categories: BTreeMap<String, i64>,
    pub(crate) user: Option<User>,
    pub(crate) in_cart: i64,
}

fn page(title: &str, header: &Markup, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Leaf & Kettle" }
                link rel="icon" href="/icon.svg" type="image/svg+xml";
                link rel="stylesheet" href="/style.css";
            }
            body {
                header { div class="wide bar" { a class="brand" href="/" { "Leaf & Kettle" } (header) } }
                main class="wide" { (content) }
                footer { p class="wide" { "Nothing here is for sale. Every price is read through a cache." } }
            }
        }
    }
}

impl Frame {
    fn page(&self, title: &str, content: &Markup) -> Markup {
        page(title, &html! { (self.shelves()) (self.own()) }, content)
    }

    fn shelves(&self) -> Markup {
        html! {
            nav aria-label="Shelves" {
                @for category in self.categories.keys() {
                    a href={ "/shelves/" (category) } { (titled(category)) }
                }
            }
        }
    }

    fn own(&self) -> Markup {
        html! {
            nav class="own" aria-label="Yours" {
                @if let Some(user) = &self.user {
                    @if user.is_admin { a href="/admin" { "Prices" } a href="/cache" { "Cache" } }
                    a href="/orders" { "Orders" }
                    a href="/cart" { "Cart" @if self.in_cart > 0 { " " span class="count" { (self.in_cart) } } }
                    form method="post" action="/sign-out" {
                        button class="plain" type="submit" { "Sign out " (user.name) }
                    }
                } @else {
                    a href="/sign-in" { "Sign in" }
                }
            }
        }
    }
}

/// One sentence instead of a page.
pub(crate) fn message(text: &str) -> Markup {
    page(
        text,
        &html! {},
        &html! { h1 { (text) } p { a href="/" { "Back to the shop" } } },
    )
}

/// As people write it, and for whoever reads the page by a program.
fn price(product: i64, cents: i64) -> Markup {
    html! { data class="price" data-product=(product) value=(cents) { (money(cents)) } }
}

fn money(cents: i64) -> String {
    format!("€ {}", amount(cents))
}

/// As it is written into a form.
pub(crate) fn amount(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

fn titled(category: &str) -> String {
    let mut letters = category.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

//! The page of clerks.

use maud::{Markup, html};

use super::{Frame, amount, titled};
use crate::shop::Product;

pub(crate) fn products(frame: &Frame, products: &[Product]) -> Markup {
    let content = html! {
        h1 { "Prices" }
        p class="quiet" { "What is saved here, the shop shows at the next request." }
        table class="prices" {
            thead { tr { th { "Product" } th { "Stock" } th { "Price, delivery" } } }
            tbody { @for product in products { (row(product)) } }
        }
        h2 { "New product" }
        (new_product(frame))
    };
    frame.page("Prices", &content)
}

fn row(product: &Product) -> Markup {
    html! {
        tr {
            td { a href={ "/products/" (product.id) } { (product.name) } }
            td { (product.stock) span class="quiet" { " in stock" } }
            td {
                form method="post" action={ "/admin/products/" (product.id) } class="row start" {
                    label { span class="hidden" { "Price of " (product.name) ", in " } "€ "
                        input name="price" value=(amount(product.cents)) inputmode="decimal" size="7" required; }
                    label { span class="hidden" { "Delivered of " (product.name) } "+ "
                        input type="number" name="delivered" value="0" min="0" max="1000"; }
                    button type="submit" aria-label={ "Save " (product.name) } { "Save" }
                }
            }
        }
    }
}

fn new_product(frame: &Frame) -> Markup {
    html! {
        form method="post" action="/admin/products" class="narrow" {
            label { "Name" input name="title" required maxlength="80"; }
            label { "Category"
                select name="category" {
                    @for category in frame.categories.keys() { option value=(category) { (titled(category)) } }
                }
            }
            label { "Text" input name="text" required maxlength="200"; }
            label { "Price, in €" input name="price" inputmode="decimal" required placeholder="12.50"; }
            button type="submit" { "Add" }
        }
    }
}

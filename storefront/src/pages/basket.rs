//! The cart and the orders.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::{Frame, money, price};
use crate::customer::{Line, Order};
use crate::shop::Product;

pub(crate) fn cart(frame: &Frame, lines: &[Line], products: &BTreeMap<i64, Product>) -> Markup {
    let lines: Vec<_> = lines
        .iter()
        .filter_map(|line| Some((line, products.get(&line.product)?)))
        .collect();
    let total = lines
        .iter()
        .map(|(line, product)| line.quantity * product.cents)
        .sum();
    let content = html! {
        h1 { "Cart" }
        @if lines.is_empty() {
            p { "Nothing is in it yet." }
        } @else {
            table {
                thead { tr { th { "Product" } th { "Price" } th { "Quantity" } th { span class="hidden" { "Remove" } } } }
                tbody { @for (line, product) in &lines { (row(line, product)) } }
                tfoot { tr { th { "Total" } td colspan="3" class="total" { (money(total)) } } }
            }
            form method="post" action="/orders" { button type="submit" { "Order" } }
        }
    };
    frame.page("Cart", &content)
}

fn row(line: &Line, product: &Product) -> Markup {
    html! {
        tr {
            td { a href={ "/products/" (product.id) } { (product.name) } }
            td { (price(product.id, product.cents)) }
            td { (line.quantity) }
            td {
                form method="post" action="/cart/remove" {
                    input type="hidden" name="product" value=(product.id);
                    button class="plain" type="submit" aria-label={ "Remove " (product.name) } { "Remove" }
                }
            }
        }
    }
}

pub(crate) fn orders(frame: &Frame, orders: &[Order]) -> Markup {
    let content = html! {
        h1 { "Orders" }
        @if orders.is_empty() {
            p { "None yet." }
        } @else {
            table {
                thead { tr { th { "Order" } th { "Total" } } }
                tbody { @for order in orders { tr { td { "No. " (order.id) } td { (money(order.cents)) } } } }
            }
        }
    };
    frame.page("Orders", &content)
}

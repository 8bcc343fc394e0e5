//! The options `tags` and `tag`, as written.

use syn::{Expr, LitStr};

use crate::parse::errors::Errors;
use crate::parse::option::Written;
use crate::parse::syntax::{literal, peel_expr};

/// `["team:<team>", "users"]`, or one string alone.
pub(crate) fn list(option: &Written, errors: &mut Errors) -> Option<Vec<LitStr>> {
    let value = option.expression(errors)?;
    let mut tags = Vec::new();
    match peel_expr(&value) {
        Expr::Array(array) => {
            for element in &array.elems {
                let tag = read(element, errors);
                add(&mut tags, tag, errors);
            }
        }
        alone => tags.extend(read(alone, errors)),
    }
    Some(tags)
}

fn read(value: &Expr, errors: &mut Errors) -> Option<LitStr> {
    let text = literal(value);
    if text.is_none() {
        let help = "write `tags = [\"team:<team>\"]`";
        errors.refuse(value, "a tag is not given as a string literal", help);
    }
    text
}

/// Adds a tag that could be read.
pub(crate) fn add(tags: &mut Vec<LitStr>, tag: Option<LitStr>, errors: &mut Errors) {
    let Some(tag) = tag else { return };
    if tags.iter().any(|other| other.value() == tag.value()) {
        errors.refuse(&tag, "this tag is named twice", "remove one of them");
    } else {
        tags.push(tag);
    }
}

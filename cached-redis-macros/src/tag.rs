//! The options `tags` and `tag`.

use syn::{Expr, LitStr};

use crate::errors::Errors;
use crate::key::{Key, Outcome};
use crate::option::Written;
use crate::signature::Function;
use crate::syntax::{literal, peel_expr};
use crate::template::{Part, Template};

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

/// The tags in which every placeholder has its meaning; `None` where one has not.
pub(crate) fn resolve(
    tags: &[LitStr],
    function: &Function,
    outcome: Outcome,
    errors: &mut Errors,
) -> Vec<Option<Key>> {
    let one = |literal| {
        let template = Template::tag(literal, errors).checked(function, outcome, errors);
        if refuse_pattern(&template, errors) {
            return None;
        }
        Key::resolve(&template, function, outcome, errors)
    };
    tags.iter().map(one).collect()
}

/// Only the entries of one tag can be dropped by one command.
fn refuse_pattern(template: &Template, errors: &mut Errors) -> bool {
    let star = |part: &Part| matches!(part, Part::Text(text) if text.contains('*'));
    let has_star = template.parts.iter().any(star);
    if has_star {
        let help = "name it exactly: give the entries one more tag that they all share";
        errors.refuse(&template.literal, "a tag is no pattern", help);
    }
    has_star
}

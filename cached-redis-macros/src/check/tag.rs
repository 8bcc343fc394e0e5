//! The tags of a function, whose placeholders have their meaning.

use syn::LitStr;

use crate::check::key::{Key, Outcome};
use crate::parse::errors::Errors;
use crate::parse::signature::Function;
use crate::parse::template::{Part, Template};

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

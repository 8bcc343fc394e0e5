//! The option `guard`, and what cannot be guarded.

use syn::LitStr;

use crate::check::key::Key;
use crate::check::when::When;
use crate::parse::errors::Errors;
use crate::parse::option::Word;
use crate::parse::signature::Function;

/// What becomes of a guarded write that cannot be guarded.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Guard {
    /// It goes on in one phase.
    Prefer,
    /// It is refused with an error of the function's own type.
    Require,
}

impl Guard {
    pub(crate) fn parse(written: &Word, function: &Function, errors: &mut Errors) -> Option<Self> {
        let Some(word) = &written.value else {
            return Some(Self::Prefer);
        };
        match word.value().as_str() {
            "prefer" => Some(Self::Prefer),
            "require" => returns_refusal(word, function, errors).then_some(Self::Require),
            _ => {
                let help = "write `guard`, `guard = \"prefer\"` or `guard = \"require\"`";
                errors.refused(word, "`guard` is neither of its two words", help)
            }
        }
    }
}

/// A write is refused by an error. That the type written has room for it, the compiler checks.
fn returns_refusal(word: &LitStr, function: &Function, errors: &mut Errors) -> bool {
    let silent = function.output.is_none() || function.returns_never();
    let named = !silent && !function.returns_impl_trait();
    if !named {
        let name = function.name();
        let message = format!("`{name}` cannot refuse: it returns no `Result` that can be named");
        let help = "return a `Result`, or write `guard`: the write then goes on in one phase";
        errors.refuse(word, message, help);
    }
    named
}

/// Before the function an invalidation is complete: there would be nothing to end.
pub(crate) fn refuse_before(guard: &Word, when: Option<When>, errors: &mut Errors) {
    if when == Some(When::Before) {
        let message =
            "`guard` lasts until the function has returned, and `when = \"before\"` does not";
        errors.refuse(
            &guard.name,
            message,
            "remove one of them; `guard` is the stronger",
        );
    }
}

/// Only a key that is named can be barred: also one under which nothing stands.
pub(crate) fn refuse_patterns(
    option: &str,
    literals: &[LitStr],
    targets: &[Option<Key>],
    errors: &mut Errors,
) {
    let is_pattern = |key: &Option<Key>| key.as_ref().is_some_and(Key::is_pattern);
    let patterns = literals
        .iter()
        .zip(targets)
        .filter(|(_, key)| is_pattern(key));
    for (literal, _) in patterns {
        errors.refuse(
            literal,
            format!("`{option}` bars keys, and a pattern names none"),
            format!("move it to a second `#[invalidates]` without `{option}`"),
        );
    }
}

/// The keys are barred before the function runs, when there is no result yet.
pub(crate) fn refuse_result(literals: &[LitStr], targets: &[Option<Key>], errors: &mut Errors) {
    let needs_result = |key: &Option<Key>| key.as_ref().is_some_and(Key::needs_result);
    let late = literals
        .iter()
        .zip(targets)
        .filter(|(_, key)| needs_result(key));
    for (literal, _) in late {
        errors.refuse(
            literal,
            "a guarded key is needed before the function runs, when `<result>` is unknown",
            "move it to a second `#[invalidates]` without `guard`",
        );
    }
}

//! Every mistake of one attribute, so that one build shows them all.
//!
//! A macro that stops at the first mistake makes its user compile once per mistake. Nothing here
//! returns early: mistakes are collected and turned into tokens once, at the end.

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use std::fmt::Display;

/// The mistakes found so far.
#[derive(Default)]
pub(crate) struct Errors {
    all: Option<syn::Error>,
}

impl Errors {
    /// Refuses the tokens `at`, all of which are underlined.
    pub(crate) fn refuse(&mut self, at: impl ToTokens, message: impl Display, help: impl Display) {
        self.push(syn::Error::new_spanned(at, text(message, help)));
    }

    /// Refuses what stands at `span`.
    pub(crate) fn refuse_at(&mut self, span: Span, message: impl Display, help: impl Display) {
        self.push(syn::Error::new(span, text(message, help)));
    }

    /// `Some` of the compile errors where there was a mistake.
    pub(crate) fn into_tokens(self) -> Option<TokenStream> {
        self.all.map(|all| all.into_compile_error())
    }

    fn push(&mut self, error: syn::Error) {
        match &mut self.all {
            Some(all) => all.combine(error),
            None => self.all = Some(error),
        }
    }
}

fn text(message: impl Display, help: impl Display) -> String {
    format!("{message}\n\nhelp: {help}")
}

/// `a`, `b` and `c`, in backticks, for a help line.
pub(crate) fn list<T: Display>(names: impl IntoIterator<Item = T>) -> String {
    let names: Vec<_> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match names.as_slice() {
        [] => "none".to_owned(),
        [one] => one.clone(),
        [head @ .., last] => format!("{} and {last}", head.join(", ")),
    }
}

/// The one of `known` that `written` is a slip of the pen away from.
pub(crate) fn near<'a>(written: &str, known: &[&'a str]) -> Option<&'a str> {
    let closest = known.iter().min_by_key(|name| distance(written, name))?;
    let slips = if closest.len() > 4 { 2 } else { 1 };
    (distance(written, closest) <= slips).then_some(*closest)
}

/// Levenshtein distance, one row at a time.
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.chars().count()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in right.chars().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[right.chars().count()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_recognised_and_another_word_is_not() {
        let known = ["key", "ttl", "jitter", "negative_ttl"];
        assert_eq!(near("jiter", &known), Some("jitter"));
        assert_eq!(near("tll", &known), Some("ttl"));
        assert_eq!(near("negativ_tll", &known), Some("negative_ttl"));
        assert_eq!(near("compress", &known), None);
        assert_eq!(near("to", &known), None);
    }

    #[test]
    fn names_are_listed_as_a_sentence() {
        assert_eq!(list(["a"; 0]), "none");
        assert_eq!(list(["a"]), "`a`");
        assert_eq!(list(["a", "b", "c"]), "`a`, `b` and `c`");
    }
}

//! Every mistake of one attribute, so that one build shows them all.
//!
//! A macro that stops at the first mistake makes its user compile once per mistake. Nothing here
//! returns early: mistakes are collected and turned into tokens once, at the end.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use std::fmt::Display;

/// The mistakes found so far.
#[derive(Default)]
pub(crate) struct Errors {
    all: Option<syn::Error>,
    /// Those of one configuration.
    conditional: TokenStream,
    /// What is underlined, and the message.
    #[cfg(test)]
    pub(crate) found: Vec<(String, String)>,
}

impl Errors {
    /// Refuses the tokens `at`, all of which are underlined.
    pub(crate) fn refuse(&mut self, at: impl ToTokens, message: impl Display, help: impl Display) {
        let text = text(message, help);
        #[cfg(test)]
        self.found
            .push((at.to_token_stream().to_string(), text.clone()));
        self.push(syn::Error::new_spanned(at, text));
    }

    /// The same, for the value that there then is not.
    pub(crate) fn refused<T>(
        &mut self,
        at: impl ToTokens,
        message: impl Display,
        help: impl Display,
    ) -> Option<T> {
        self.refuse(at, message, help);
        None
    }

    /// Refuses what stands at `span`.
    pub(crate) fn refuse_at(&mut self, span: Span, message: impl Display, help: impl Display) {
        let text = text(message, help);
        #[cfg(test)]
        self.found.push((String::new(), text.clone()));
        self.push(syn::Error::new(span, text));
    }

    pub(crate) fn has_any(&self) -> bool {
        self.all.is_some()
    }

    /// Where each message stands in the text that was parsed, and the message.
    #[cfg(test)]
    pub(crate) fn messages(&self) -> Vec<(std::ops::Range<usize>, String)> {
        let all = self.all.iter().flatten();
        all.map(|error| (error.span().byte_range(), error.to_string()))
            .collect()
    }

    /// Adds the mistakes that are only made under the attribute `when`.
    pub(crate) fn add(&mut self, found: Self, when: &TokenStream) {
        let errors = found.all.into_iter().flatten();
        let errors = errors.map(syn::Error::into_compile_error);
        self.conditional.extend(quote!(#(#when #errors)*));
        #[cfg(test)]
        self.found.extend(found.found);
    }

    /// Adds mistakes that were found before it was known whether they are to be told.
    pub(crate) fn append(&mut self, found: Self) {
        found
            .all
            .into_iter()
            .flatten()
            .for_each(|error| self.push(error));
        #[cfg(test)]
        self.found.extend(found.found);
    }

    /// `expanded`, or the compile errors and the function as it was, so that nothing else breaks.
    pub(crate) fn or(self, expanded: Option<TokenStream>, item: &TokenStream) -> TokenStream {
        let conditional = self.conditional;
        match (self.all, expanded) {
            (None, Some(expanded)) => quote!(#conditional #expanded),
            (all, _) => {
                let errors = all.map(syn::Error::into_compile_error);
                quote!(#errors #conditional #item)
            }
        }
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

/// The same, also of what is written as types and constants are: `UserId` is near `user_id`.
pub(crate) fn near_value<'a>(written: &str, known: &[&'a str]) -> Option<&'a str> {
    near(written, known).or_else(|| near(&written.to_lowercase(), known))
}

/// Characters to write, to leave out, to replace, and neighbours to swap (optimal string alignment).
fn distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<_>, Vec<_>) = (left.chars().collect(), right.chars().collect());
    let mut rows = vec![vec![0; right.len() + 1]; left.len() + 1];
    for i in 0..=left.len() {
        for j in 0..=right.len() {
            let swapped =
                i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1];
            rows[i][j] = match (i, j) {
                (0, _) | (_, 0) => i + j,
                _ => (rows[i - 1][j - 1] + usize::from(left[i - 1] != right[j - 1]))
                    .min(rows[i - 1][j] + 1)
                    .min(rows[i][j - 1] + 1)
                    .min(if swapped {
                        rows[i - 2][j - 2] + 1
                    } else {
                        usize::MAX
                    }),
            };
        }
    }
    rows[left.len()][right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_recognised_and_another_word_is_not() {
        let known = ["key", "ttl", "jitter", "negative_ttl"];
        assert_eq!(near("jiter", &known), Some("jitter"));
        assert_eq!(near("tll", &known), Some("ttl"));
        assert_eq!(near("kye", &known), Some("key"));
        assert_eq!(near("tlt", &known), Some("ttl"));
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

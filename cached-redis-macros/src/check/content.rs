//! What a type contains, as far as its text tells: behind an alias, nothing.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::{GenericArgument, PathArguments, Type};

use crate::parse::syntax::{argument, mentions, peel};

/// Types that are no more than what is in them. Of an unknown one nobody knows what its arguments are.
const CONTAINERS: &[&str] = &[
    "Option", "Box", "Arc", "Rc", "Vec", "VecDeque", "HashMap", "BTreeMap", "HashSet", "BTreeSet",
];

/// The first part of a returned value that is so, looking into containers, tuples and arrays; of a
/// `Result`, which keeps nothing else, into the `Ok` value.
pub(crate) fn find<'t>(ty: &'t Type, is_it: &dyn Fn(&Type) -> bool) -> Option<&'t Type> {
    let ty = peel(ty);
    if is_it(ty) {
        return Some(ty);
    }
    inside(ty).into_iter().find_map(|inner| find(inner, is_it))
}

/// What is directly inside of it.
pub(crate) fn inside(ty: &Type) -> Vec<&Type> {
    match peel(ty) {
        Type::Tuple(tuple) => tuple.elems.iter().collect(),
        Type::Array(array) => vec![&array.elem],
        Type::Slice(slice) => vec![&slice.elem],
        other if is_result(other) => argument(other, "Result").into_iter().collect(),
        other => arguments(other),
    }
}

fn arguments(ty: &Type) -> Vec<&Type> {
    let Type::Path(path) = ty else {
        return Vec::new();
    };
    let last = path.path.segments.last();
    let Some(last) = last.filter(|last| CONTAINERS.iter().any(|known| last.ident == known)) else {
        return Vec::new();
    };
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return Vec::new();
    };
    let types = arguments.args.iter().filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    });
    types.collect()
}

/// `Result<…>`, `io::Result<…>`: by its last name.
pub(crate) fn is_result(ty: &Type) -> bool {
    argument(ty, "Result").is_some()
}

/// Whether a value of this type borrows something that may end before it, as far as the text shows.
pub(crate) fn borrows(ty: &Type) -> bool {
    let tokens = ty.to_token_stream();
    !mentions(tokens.clone(), "for") && borrows_in(tokens)
}

#[expect(
    clippy::collapsible_match,
    reason = "a guard that takes a token hides it"
)]
fn borrows_in(tokens: TokenStream) -> bool {
    let mut tokens = tokens.into_iter().peekable();
    let mut called = false;
    while let Some(token) = tokens.next() {
        let arguments = std::mem::take(&mut called);
        match token {
            // The arguments of `Fn(&str)` are borrowed when it is called.
            TokenTree::Group(group) if !arguments && borrows_in(group.stream()) => return true,
            TokenTree::Ident(ident) => {
                called = ["fn", "Fn", "FnMut", "FnOnce"]
                    .iter()
                    .any(|word| ident == word);
            }
            // `'static`, also as `&'static`.
            TokenTree::Punct(punct) if punct.as_char() == '\'' => {
                if !matches!(tokens.next(), Some(TokenTree::Ident(name)) if name == "static") {
                    return true;
                }
            }
            TokenTree::Punct(punct) if punct.as_char() == '&' => {
                if !matches!(tokens.peek(), Some(TokenTree::Punct(next)) if next.as_char() == '\'')
                {
                    return true;
                }
            }
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ty(text: &str) -> Type {
        syn::parse_str(text).unwrap()
    }

    #[test]
    fn what_a_value_contains_is_found_and_what_is_unknown_is_not_guessed() {
        let holds =
            |text: &str| find(&ty(text), &|inner| matches!(inner, Type::Reference(_))).is_some();
        for text in [
            "&str",
            "Vec<&str>",
            "Result<(u8, Option<[&str; 2]>), E>",
            "HashMap<u8, Box<&T>>",
        ] {
            assert!(holds(text), "{text}");
        }
        for text in [
            "Result<u8, &'static str>",
            "Reply<u8, &'static str>",
            "Vec<u8>",
            "fn(&str)",
        ] {
            assert!(!holds(text), "{text}");
        }
    }

    #[test]
    fn borrowing_shows_in_references_and_lifetimes() {
        for text in [
            "Option<&str>",
            "View<'_>",
            "(u8, Cow<'a, str>)",
            "Box<dyn Fn(u8) -> u8 + 'a>",
        ] {
            assert!(borrows(&ty(text)), "{text}");
        }
        for text in [
            "Option<&'static str>",
            "View",
            "fn(&str) -> u8",
            "Box<dyn Fn(&str) -> bool + Send>",
        ] {
            assert!(!borrows(&ty(text)), "{text}");
        }
    }
}

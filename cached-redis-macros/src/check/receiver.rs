//! The body of a method whose `self` is a copy: `self` cannot be bound, so it gets a name.
//!
//! The body stays tokens, so what may mean something else is told apart by what stands around it:
//! paths (`self::NAME`), `use` declarations, `pub(self)`, attributes, and items that have a `self` of
//! their own. The name has the hygiene of the `self` it stands for, since a format string names it by
//! its text alone.

use std::iter::Peekable;

use proc_macro2::token_stream::IntoIter;
use proc_macro2::{Delimiter, Group, Ident, Literal, Span, TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::LitStr;

const NAME: &str = "__cached_redis_self";

/// Macros of the standard library, and of those who log and fail, that read names in a format string.
/// Of any other, a string is not changed.
const FORMATTING: &str = "format format_args print println eprint eprintln write writeln panic todo \
    unimplemented unreachable assert debug_assert assert_eq assert_ne debug_assert_eq \
    debug_assert_ne trace debug info warn error event log anyhow bail ensure eyre";

/// What is called `self` where its token has this span.
pub(crate) fn this(span: Span) -> Ident {
    Ident::new(NAME, span)
}

/// The body with `self` as a name that can be bound.
pub(crate) fn without_self(body: TokenStream) -> TokenStream {
    let mut tokens = body.into_iter().peekable();
    let mut renamed = TokenStream::new();
    // The word before a `!`.
    let mut macro_name = None;
    while let Some(token) = tokens.next() {
        let name = macro_name.take_if(|_| matches!(token, TokenTree::Group(_)));
        match token {
            TokenTree::Ident(word) if word == "self" => {
                let is_path = is_punct(tokens.peek(), ':');
                let word = if is_path { word } else { this(word.span()) };
                renamed.extend(word.into_token_stream());
            }
            TokenTree::Ident(word) => {
                let skipped = skipped(&word, &mut tokens);
                macro_name = is_punct(tokens.peek(), '!').then(|| word.to_string());
                renamed.extend(word.into_token_stream());
                renamed.extend(skipped);
            }
            TokenTree::Group(group) => {
                let inside = without_self(group.stream());
                let inside = match name {
                    Some(name) => formatted(&name, inside),
                    None => inside,
                };
                renamed.extend(around(&group, inside).into_token_stream());
            }
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                renamed.extend(punct.into_token_stream());
                renamed.extend(tokens.next_if(|next| is_group(next, Delimiter::Bracket)));
            }
            other => {
                macro_name.take_if(|_| !is_punct(Some(&other), '!'));
                renamed.extend(other.into_token_stream());
            }
        }
    }
    renamed
}

/// What follows `word` and has nothing to do with the method's `self`.
fn skipped(word: &Ident, tokens: &mut Peekable<IntoIter>) -> TokenStream {
    let mut skipped = TokenStream::new();
    if word == "pub" {
        skipped.extend(tokens.next_if(|next| is_group(next, Delimiter::Parenthesis)));
    } else if word == "use" {
        while let Some(token) = tokens.next_if(|next| !is_punct(Some(next), ';')) {
            skipped.extend([token]);
        }
    } else if word == "impl" || word == "trait" {
        while let Some(token) = tokens.next() {
            // `Array<{ N }>` goes on behind its braces.
            let body = is_group(&token, Delimiter::Brace);
            let ends = body && !is_punct(tokens.peek(), '>') && !is_punct(tokens.peek(), ',');
            skipped.extend([token]);
            if ends {
                break;
            }
        }
    }
    skipped
}

/// The arguments of a macro, with the name in its format string.
fn formatted(name: &str, arguments: TokenStream) -> TokenStream {
    if !FORMATTING.split(' ').any(|known| known == name) {
        return arguments;
    }
    let operands = if name.contains("assert_") { 2 } else { 0 };
    let tokens: Vec<_> = arguments.into_iter().collect();
    let comma = |at: usize| is_punct(tokens.get(at), ',');
    let mut commas = 0;
    let format = (0..tokens.len()).find(|&at| {
        let stands_alone = (at == 0 || comma(at - 1)) && (at + 1 == tokens.len() || comma(at + 1));
        commas += usize::from(comma(at));
        stands_alone && commas >= operands && matches!(tokens[at], TokenTree::Literal(_))
    });
    let rename = |(at, token)| match token {
        TokenTree::Literal(literal) if Some(at) == format => renamed(literal).into(),
        other => other,
    };
    tokens.into_iter().enumerate().map(rename).collect()
}

/// `"{self:?}"` with the other name; raw and escaped strings alike.
fn renamed(literal: Literal) -> Literal {
    let Ok(format) = syn::parse2::<LitStr>(literal.to_token_stream()) else {
        return literal;
    };
    let format = format.value();
    // `{{self}}` is text.
    let hidden = format.replace("{{", "\u{0}");
    let new = ["}", ":"].iter().fold(hidden, |text, end| {
        text.replace(&format!("{{self{end}"), &format!("{{{NAME}{end}"))
    });
    let new = new.replace('\u{0}', "{{");
    if new == format {
        return literal;
    }
    let mut renamed = Literal::string(&new);
    renamed.set_span(literal.span());
    renamed
}

fn around(group: &Group, tokens: TokenStream) -> Group {
    let mut new = Group::new(group.delimiter(), tokens);
    new.set_span(group.span());
    new
}

fn is_punct(token: Option<&TokenTree>, char: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == char)
}

fn is_group(token: &TokenTree, delimiter: Delimiter) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == delimiter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn renamed(body: &str) -> String {
        let body: TokenStream = body.parse().unwrap();
        let text = without_self(body).to_string();
        text.replace(NAME, "this")
    }

    /// The same with the spaces of a token stream.
    fn spaced(body: &str) -> String {
        body.parse::<TokenStream>().unwrap().to_string()
    }

    #[test]
    fn what_is_the_methods_own_self_is_renamed() {
        for (body, expected) in [
            (
                "self.db.find(&self, |x| self)",
                "this.db.find(&this, |x| this)",
            ),
            ("self::FACTOR * self.factor", "self::FACTOR * this.factor"),
            ("vec![self.a, m!(self)]", "vec![this.a, m!(this)]"),
        ] {
            assert_eq!(renamed(body), spaced(expected));
        }
    }

    #[test]
    fn what_only_looks_like_it_stays() {
        for body in [
            "use std::fmt::{self, Debug}; use self::inner::X;",
            "impl fmt::Display for Row { fn fmt(&self, f: &mut F) -> R { self.0.fmt(f) } }",
            "impl Tr<{ N }> for Row { fn get(&self) -> u8 { self.0 } }",
            "trait Named { fn name(&self) -> &str { self.text() } }",
            "pub(self) struct Row(pub(in self) u8);",
            "#[instrument(skip(self))] fn x() {}",
        ] {
            assert_eq!(renamed(body), spaced(body));
            let followed = format!("{body} self.x");
            assert!(renamed(&followed).ends_with("this . x"), "{followed}");
        }
    }

    #[test]
    fn format_strings_name_it_too() {
        for (body, expected) in [
            (
                r#"format!("{self}:{self:?}:{{self}}")"#,
                r#"format!("{this}:{this:?}:{{self}}")"#,
            ),
            (
                r#"std::println!("{self:>8}", )"#,
                r#"std::println!("{this:>8}", )"#,
            ),
            (r#"write!(f, "{self}")"#, r#"write!(f, "{this}")"#),
            (
                r#"assert_eq!("{self}", s, "{self}")"#,
                r#"assert_eq!("{self}", s, "{this}")"#,
            ),
            (
                r#"info!(text = "{self}", "{self}")"#,
                r#"info!(text = "{self}", "{this}")"#,
            ),
            (r#"format!("{}", "{self}")"#, r#"format!("{}", "{self}")"#),
            (
                r#"json!({ "{self}": self })"#,
                r#"json!({ "{self}": this })"#,
            ),
            (r#"let s = "{self}";"#, r#"let s = "{self}";"#),
        ] {
            assert_eq!(renamed(body), spaced(expected));
        }
    }
}

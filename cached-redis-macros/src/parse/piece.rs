//! The elements of an attribute's list: keys, and options with their values.
//!
//! An element that cannot be read is recorded and skipped, so the ones after it are still checked.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::punctuated::Punctuated;
use syn::{Expr, LitStr, Token, parenthesized, token};

use super::option::{Each, Value, Written};
use crate::parse::errors::Errors;
use crate::parse::text;
use crate::parse::words::form;

/// One element of the list.
#[allow(
    clippy::large_enum_variant,
    reason = "there is one at a time, and tokens are large in tests alone"
)]
pub(crate) enum Piece {
    Key(LitStr),
    Option(Written),
}

impl Piece {
    fn is_mistaken(&self) -> bool {
        matches!(self, Self::Option(option) if option.mistake.has_any())
    }
}

/// Reads the whole list, whatever stands in it.
pub(crate) fn pieces(tokens: TokenStream, errors: &mut Errors) -> Vec<Piece> {
    let mut found = Vec::new();
    let read = |input: ParseStream<'_>| {
        while !input.is_empty() {
            found.extend(piece(input, errors));
            separator(input, errors);
        }
        Ok(())
    };
    // It fails where a mistake inside parentheses left the rest of them unread.
    let parsed: syn::Result<()> = read.parse2(tokens);
    debug_assert!(
        parsed.is_ok() || errors.has_any() || found.iter().any(Piece::is_mistaken),
        "every token is consumed"
    );
    found
}

fn piece(input: ParseStream<'_>, errors: &mut Errors) -> Option<Piece> {
    if input.peek(LitStr) {
        return input.parse().ok().map(Piece::Key);
    }
    if input.peek(token::Bracket) {
        let list: Option<TokenTree> = input.parse().ok();
        let help = "write its elements one after the other, without the brackets";
        return errors.refused(
            list.to_token_stream(),
            "expected an option, and no list",
            help,
        );
    }
    let Ok(name) = input.call(Ident::parse_any) else {
        let help = "write `option = value`, separated by commas";
        errors.refuse_at(input.span(), "expected an option", help);
        skip_to_comma(input);
        return None;
    };
    let mut mistake = Errors::default();
    let value = value(&name, input, &mut mistake);
    Some(Piece::Option(Written {
        name,
        value,
        mistake,
    }))
}

fn value(name: &Ident, input: ParseStream<'_>, mistake: &mut Errors) -> Value {
    let read = if let Some(sign) = other_sign(input) {
        misassigned(name, &sign, input, mistake)
    } else if input.peek(Token![=]) {
        assigned(input)
    } else if input.peek(token::Paren) {
        listed(input)
    } else if input.is_empty() || input.peek(Token![,]) || input.peek2(Token![=]) {
        Ok(Value::Nothing)
    } else {
        unassigned(name, input, mistake)
    };
    read.unwrap_or_else(|error| {
        let message = format!("`{name}` has no readable value: {error}");
        mistake.refuse_at(error.span(), message, format!("write {}", form(name)));
        skip_to_comma(input);
        Value::Unreadable
    })
}

fn assigned(input: ParseStream<'_>) -> syn::Result<Value> {
    input.parse::<Token![=]>()?;
    Expr::parse(input).map(Value::Expr)
}

/// Takes the sign of `ttl: 300`, as in a struct, `ttl => 300`, as in a `match`, or `ttl == 300`.
fn other_sign(input: ParseStream<'_>) -> Option<TokenStream> {
    fn take<T: Parse + ToTokens>(input: ParseStream<'_>) -> Option<TokenStream> {
        Some(input.parse::<T>().ok()?.into_token_stream())
    }
    if input.peek(Token![=>]) {
        take::<Token![=>]>(input)
    } else if input.peek(Token![==]) {
        take::<Token![==]>(input)
    } else if input.peek(Token![:]) && !input.peek(Token![::]) {
        take::<Token![:]>(input)
    } else {
        None
    }
}

/// Refuses the sign, and reads the value all the same.
fn misassigned(
    name: &Ident,
    sign: &TokenStream,
    input: ParseStream<'_>,
    mistake: &mut Errors,
) -> syn::Result<Value> {
    let value = Expr::parse(input)?;
    let help = format!("write `{name} = {}`", text::of(value.to_token_stream()));
    mistake.refuse(sign, format!("`{name}` is followed by `{sign}`"), help);
    Ok(Value::Expr(value))
}

/// Refuses a value that follows its option without a sign.
fn unassigned(name: &Ident, input: ParseStream<'_>, mistake: &mut Errors) -> syn::Result<Value> {
    let value = Expr::parse(input)?;
    let message = format!("`{name}` and its value are not joined");
    mistake.refuse(value, message, format!("write {}", form(name)));
    Ok(Value::Unreadable)
}

fn listed(input: ParseStream<'_>) -> syn::Result<Value> {
    let list;
    parenthesized!(list in input);
    if list.peek2(Token![in]) {
        return each(&list).map(Value::Each);
    }
    let names = Punctuated::<Ident, Token![,]>::parse_terminated_with(&list, Ident::parse_any);
    // Left over, it would be a mistake of the whole attribute.
    while list.parse::<TokenTree>().is_ok() {}
    Ok(Value::List(names?.into_iter().collect()))
}

fn each(list: ParseStream<'_>) -> syn::Result<Each> {
    let element = list.call(Ident::parse_any)?;
    list.parse::<Token![in]>()?;
    let all = list.call(Ident::parse_any)?;
    if !list.is_empty() {
        return Err(list.error("expected one parameter"));
    }
    Ok(Each { element, all })
}

fn separator(input: ParseStream<'_>, errors: &mut Errors) {
    if input.is_empty() || input.parse::<Token![,]>().is_ok() {
        return;
    }
    let help = "separate options by commas";
    errors.refuse_at(input.span(), "expected a comma", help);
    skip_to_comma(input);
    // Consumes the comma where there is one, so that the next piece is read.
    let _ = input.parse::<Token![,]>();
}

fn skip_to_comma(input: ParseStream<'_>) {
    while !input.is_empty() && !input.peek(Token![,]) {
        let _ = input.parse::<TokenTree>();
    }
}

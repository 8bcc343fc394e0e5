//! The elements of an attribute's list: keys, and options with their values.
//!
//! An element that cannot be read is recorded and skipped, so the ones after it are still checked.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::punctuated::Punctuated;
use syn::{Expr, ExprLit, Lit, LitStr, Path, Token, parenthesized, token};

use crate::parse::errors::Errors;
use crate::parse::syntax::{literal, peel_expr};
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
    fn is_unreadable(&self) -> bool {
        matches!(self, Self::Option(Written { value, .. }) if matches!(value, Value::Unreadable(_)))
    }
}

/// `name`, `name = value` or `name(a, b)`.
pub(crate) struct Written {
    pub(crate) name: Ident,
    value: Value,
}

/// `name(element in all)`.
#[derive(Clone)]
pub(crate) struct Each {
    pub(crate) element: Ident,
    pub(crate) all: Ident,
}

/// An option that needs no value.
#[derive(Clone)]
pub(crate) struct Word {
    pub(crate) name: Ident,
    pub(crate) value: Option<LitStr>,
}

enum Value {
    Nothing,
    Expr(Expr),
    List(Vec<Ident>),
    Each(Each),
    /// Its mistake, which is told to whoever reads it: nobody does if there is no such option.
    Unreadable(Errors),
}

impl Written {
    /// Stores the option, and tells whether it could; the second of one name is refused.
    pub(crate) fn set<T>(
        self,
        slot: &mut Option<T>,
        read: fn(&Self, &mut Errors) -> Option<T>,
        errors: &mut Errors,
    ) -> bool {
        if slot.is_some() {
            let message = format!("`{}` is given twice", self.name);
            errors.refuse(&self.name, message, "keep one of them");
            return false;
        }
        *slot = read(&self, errors);
        slot.is_some()
    }

    pub(crate) fn expression(&self, errors: &mut Errors) -> Option<Expr> {
        let Value::Expr(value) = &self.value else {
            return self.wrong("a value", &format!("write `{} = …`", self.name), errors);
        };
        Some(value.clone())
    }

    pub(crate) fn string(&self, errors: &mut Errors) -> Option<LitStr> {
        let value = self.expression(errors)?;
        literal(&value).or_else(|| {
            let (message, help) = self.no_string(peel_expr(&value));
            errors.refused(value, message, help)
        })
    }

    /// Why this expression is no string, and what to write.
    fn no_string(&self, value: &Expr) -> (String, String) {
        let name = &self.name;
        match value {
            Expr::Macro(_) => (
                format!("`{name}` is a template, and no expression"),
                format!(
                    "write the text itself, with parameters in `<…>`: `{name} = \"user:<id>\"`"
                ),
            ),
            Expr::Array(_) => (
                format!("`{name}` takes one string"),
                format!("write it once for each: `{name} = \"…\", {name} = \"…\"`"),
            ),
            _ => (
                format!("`{name}` is not given as a string literal"),
                format!("write `{name} = \"…\"`"),
            ),
        }
    }

    /// The name alone, or with a string.
    pub(crate) fn word(&self, errors: &mut Errors) -> Option<Word> {
        let name = self.name.clone();
        let value = match &self.value {
            Value::Nothing => None,
            Value::Expr(_) => Some(self.string(errors)?),
            _ => {
                let help = format!("write `{name}`, or `{name} = \"…\"`");
                return self.wrong("no list", &help, errors);
            }
        };
        Some(Word { name, value })
    }

    /// The name alone.
    pub(crate) fn flag(&self, errors: &mut Errors) -> Option<()> {
        let Value::Nothing = &self.value else {
            let help = format!("write `{}`, or leave it out", self.name);
            return self.wrong("no value", &help, errors);
        };
        Some(())
    }

    pub(crate) fn names(&self, errors: &mut Errors) -> Option<Vec<Ident>> {
        let Value::List(names) = &self.value else {
            let help = format!("write `{}(a, b)`", self.name);
            return self.wrong("a list of parameters", &help, errors);
        };
        Some(names.clone())
    }

    /// An element and the parameter that it is of.
    pub(crate) fn each(&self, errors: &mut Errors) -> Option<Each> {
        let Value::Each(each) = &self.value else {
            let help = format!(
                "write `{}(id in ids)`, where `ids` is the parameter and `<id>` stands in the key",
                self.name
            );
            return self.wrong("a name for one element of a parameter", &help, errors);
        };
        Some(each.clone())
    }

    pub(crate) fn codec(&self, errors: &mut Errors) -> Option<Path> {
        let value = self.expression(errors)?;
        let help = "write `bincode`, `msgpack`, `json`, or the path of your own codec";
        path(&value).or_else(|| errors.refused(peel_expr(&value), "this is no codec", help))
    }

    /// The path of a function.
    pub(crate) fn function(&self, errors: &mut Errors) -> Option<Path> {
        let value = self.expression(errors)?;
        let message = format!("`{}` is not given as the path of a function", self.name);
        let help = format!("write `{} = path::to::it`", self.name);
        path(&value).or_else(|| errors.refused(peel_expr(&value), message, help))
    }

    /// `true` or `false`.
    pub(crate) fn switch(&self, errors: &mut Errors) -> Option<bool> {
        let value = self.expression(errors)?;
        match peel_expr(&value) {
            Expr::Lit(ExprLit {
                lit: Lit::Bool(switch),
                ..
            }) => Some(switch.value),
            other => {
                let message = format!("`{}` is neither `true` nor `false`", self.name);
                errors.refused(other, message, format!("write `{} = false`", self.name))
            }
        }
    }

    /// A path, or the same inside a string.
    pub(crate) fn krate(&self, errors: &mut Errors) -> Option<Path> {
        let value = self.expression(errors)?;
        let in_text = |text: LitStr| text.parse_with(Path::parse_mod_style).ok();
        let path = path(&value).or_else(|| literal(&value).and_then(in_text));
        let help = "write `crate = path::to::cached_redis`";
        path.or_else(|| errors.refused(value, "`crate` is not given as a path", help))
    }

    /// Refuses a value of another form, or one that could not be read.
    fn wrong<T>(&self, needs: &str, help: &str, errors: &mut Errors) -> Option<T> {
        if let Value::Unreadable(mistake) = &self.value {
            errors.append(mistake.clone());
            return None;
        }
        errors.refused(&self.name, format!("`{}` needs {needs}", self.name), help)
    }
}

fn path(value: &Expr) -> Option<Path> {
    match peel_expr(value) {
        Expr::Path(path) if path.qself.is_none() => Some(path.path.clone()),
        _ => None,
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
        parsed.is_ok() || errors.has_any() || found.iter().any(Piece::is_unreadable),
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
    let value = value(&name, input, errors);
    Some(Piece::Option(Written { name, value }))
}

fn value(name: &Ident, input: ParseStream<'_>, errors: &mut Errors) -> Value {
    let read = if let Some(sign) = other_sign(input) {
        misassigned(name, &sign, input, errors)
    } else if input.peek(Token![=]) {
        assigned(input)
    } else if input.peek(token::Paren) {
        listed(input)
    } else if input.is_empty() || input.peek(Token![,]) || input.peek2(Token![=]) {
        Ok(Value::Nothing)
    } else {
        unassigned(name, input)
    };
    read.unwrap_or_else(|error| {
        let message = format!("`{name}` has no readable value: {error}");
        let mut mistake = Errors::default();
        mistake.refuse_at(error.span(), message, format!("write {}", form(name)));
        skip_to_comma(input);
        Value::Unreadable(mistake)
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
    errors: &mut Errors,
) -> syn::Result<Value> {
    let value = Expr::parse(input)?;
    let help = format!("write `{name} = {}`", text::of(value.to_token_stream()));
    errors.refuse(sign, format!("`{name}` is followed by `{sign}`"), help);
    Ok(Value::Expr(value))
}

/// Refuses a value that follows its option without a sign.
fn unassigned(name: &Ident, input: ParseStream<'_>) -> syn::Result<Value> {
    let value = Expr::parse(input)?;
    let message = format!("`{name}` and its value are not joined");
    let mut mistake = Errors::default();
    mistake.refuse(value, message, format!("write {}", form(name)));
    Ok(Value::Unreadable(mistake))
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

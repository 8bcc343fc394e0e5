//! Parameters under `#[cfg]`: the function is written once for each configuration, without those that
//! are absent in it.
//!
//! An attribute sees a function before `#[cfg]` takes anything out of its signature, and what it makes of
//! it must not name what is not there.

use proc_macro2::{TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use syn::parse::Parser as _;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::{Attribute, FnArg, GenericParam, Meta, Pat, Signature, Token, parse_quote};

use crate::parse::errors::Errors;
use crate::parse::parameter;
use crate::parse::signature::Function;

/// Each one more doubles what is compiled.
const MOST_CONDITIONS: usize = 4;

/// What `expand` makes of the function, in every configuration. A mistake is told where it is one.
pub(crate) fn each(
    function: &Function,
    errors: &mut Errors,
    expand: impl Fn(&Function, &mut Errors) -> Option<TokenStream>,
) -> Option<TokenStream> {
    let conditions = function.conditions();
    if conditions.is_empty() {
        return expand(function, errors);
    }
    if let Some(one_more) = conditions.get(MOST_CONDITIONS) {
        return errors.refused(
            one_more,
            format!("more than {MOST_CONDITIONS} conditions of parameters"),
            "put several parameters under one condition, or write one function for each configuration",
        );
    }
    let configurations = (0..1_usize << conditions.len()).map(|held| {
        let holds = |i: usize| held >> i & 1 == 1;
        let all = conditions.iter().enumerate().map(|(i, condition)| {
            if holds(i) {
                condition.clone()
            } else {
                quote!(not(#condition))
            }
        });
        let when = quote!(#[cfg(all(#(#all),*))]);
        let function = function.configured(parse_quote!(#when), &|condition| {
            position(&conditions, condition).is_none_or(holds)
        });
        let mut here = Errors::default();
        let expanded = expand(&function, &mut here).filter(|_| !here.has_any());
        errors.add(here, &when);
        expanded.unwrap_or_else(|| function.with(&function.statements().0))
    });
    Some(configurations.collect())
}

/// Each condition of a part of the signature, once.
pub(crate) fn conditions(signature: &Signature) -> Vec<TokenStream> {
    let mut conditions = Vec::new();
    retain(&mut signature.clone(), &mut |attributes| {
        let condition = condition(attributes);
        conditions.extend(condition.filter(|it| position(&conditions, it).is_none()));
        true
    });
    conditions
}

fn position(conditions: &[TokenStream], condition: &TokenStream) -> Option<usize> {
    let text = condition.to_string();
    conditions
        .iter()
        .position(|other| other.to_string() == text)
}

/// The signature without the parts whose condition does not hold.
pub(crate) fn reduced(signature: &Signature, holds: &dyn Fn(&TokenStream) -> bool) -> Signature {
    let mut reduced = signature.clone();
    retain(&mut reduced, &mut |attributes| {
        condition(attributes).is_none_or(|condition| holds(&condition))
    });
    reduced
}

/// Keeps the parts of the signature that `stays` says of their attributes: generic parameters, parameters,
/// and the fields of their patterns.
fn retain(signature: &mut Signature, stays: &mut Stays<'_>) {
    keep(&mut signature.generics.params, |it| stays(of_generic(it)));
    keep(&mut signature.inputs, |it| stays(of_input(it)));
    for input in &mut signature.inputs {
        if let FnArg::Typed(typed) = input {
            retain_fields(&mut typed.pat, stays);
        }
    }
}

type Stays<'a> = dyn FnMut(&[Attribute]) -> bool + 'a;

fn retain_fields(pattern: &mut Pat, stays: &mut Stays<'_>) {
    if let Pat::Struct(of) = pattern {
        keep(&mut of.fields, |field| stays(&field.attrs));
        of.rest.take_if(|rest| !stays(&rest.attrs));
    }
    for inner in parameter::inner(pattern) {
        retain_fields(inner, stays);
    }
}

fn keep<T, P: Default>(all: &mut Punctuated<T, P>, stays: impl FnMut(&T) -> bool) {
    *all = std::mem::take(all).into_iter().filter(stays).collect();
}

fn of_generic(parameter: &GenericParam) -> &[Attribute] {
    match parameter {
        GenericParam::Type(ty) => &ty.attrs,
        GenericParam::Const(constant) => &constant.attrs,
        GenericParam::Lifetime(lifetime) => &lifetime.attrs,
    }
}

fn of_input(input: &FnArg) -> &[Attribute] {
    match input {
        FnArg::Receiver(receiver) => &receiver.attrs,
        FnArg::Typed(typed) => &typed.attrs,
    }
}

/// When what bears these attributes is there; `None` of what always is.
fn condition(attributes: &[Attribute]) -> Option<TokenStream> {
    all(attributes.iter().map(|attribute| &attribute.meta))
}

fn all<'m>(metas: impl IntoIterator<Item = &'m Meta>) -> Option<TokenStream> {
    let mut conditions = metas.into_iter().filter_map(asked).peekable();
    let at = conditions.peek()?.span();
    Some(quote_spanned!(at=> all(#(#conditions),*)))
}

/// `all(p)` of `cfg(p)`, and `any(not(q), …)` of `cfg_attr(q, cfg(p))`.
fn asked(meta: &Meta) -> Option<TokenStream> {
    let Meta::List(list) = meta else { return None };
    let tokens = &list.tokens;
    if list.path.is_ident("cfg") {
        return Some(quote_spanned!(list.path.span()=> all(#tokens)));
    }
    if !list.path.is_ident("cfg_attr") {
        return None;
    }
    let mut rest = tokens.clone().into_iter();
    let comma =
        |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',');
    let when: TokenStream = rest.by_ref().take_while(|token| !comma(token)).collect();
    let then = Punctuated::<Meta, Token![,]>::parse_terminated.parse2(rest.collect());
    let then = all(&then.ok()?)?;
    Some(quote_spanned!(list.path.span()=> any(not(#when), #then)))
}

//! `batch(id in ids)`: a function of many ids, and a key for each of them.
//!
//! In the key `<id>` is one element of `ids`. The body is called with the missing ones alone, maybe
//! more than once, so it works on copies of its other arguments.

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::ext::IdentExt as _;
use syn::{GenericArgument, PathArguments, Type};

use crate::parse::args::CachedArgs;
use crate::parse::errors::{Errors, list, near};
use crate::parse::option::Each;
use crate::parse::parameter::{Kind, Parameter};
use crate::parse::signature::Function;
use crate::parse::syntax::{argument, peel};

/// A function of many ids.
pub(crate) struct Batch {
    /// What the key calls one of the ids.
    pub(crate) element: Ident,
    /// The parameter.
    pub(crate) ids: Ident,
    /// Whether the parameter is a slice, else a `Vec`.
    pub(crate) slice: bool,
    /// What else the body uses.
    pub(crate) others: Vec<Ident>,
}

impl Batch {
    /// `None` where something was refused.
    pub(crate) fn new(
        each: &Each,
        args: &CachedArgs,
        function: &Function,
        errors: &mut Errors,
    ) -> Option<Self> {
        refuse_moved(function, errors);
        let element = element(each, args, function, errors);
        let has_key = require_key(each, args, function, errors);
        let slice = slice(each, function, errors)?;
        if !element || !has_key {
            return None;
        }
        let others = function.parameters.iter().filter(|parameter| {
            parameter.kind == Kind::Value && each.all.unraw() != parameter.name()
        });
        Some(Self {
            element: each.element.clone(),
            ids: parameter(each, function)?.ident.clone(),
            slice,
            others: others.map(|parameter| parameter.ident.clone()).collect(),
        })
    }

    /// The function as its key sees it: of one id.
    pub(crate) fn keyed(&self, function: &Function) -> Function {
        let mut keyed = function.clone();
        for parameter in &mut keyed.parameters {
            if parameter.ident == self.ids {
                parameter.ident = self.element.clone();
            }
        }
        keyed
    }
}

/// What is kept under one key, as far as the text of the return type tells: `V` of a map `_<K, V>`,
/// also as the value of a `Result`.
pub(crate) fn value(output: &Type) -> TokenStream {
    let map = argument(output, "Result").unwrap_or(output);
    let Type::Path(path) = peel(map) else {
        return map.to_token_stream();
    };
    let types = path.path.segments.last().map(|last| &last.arguments);
    let Some(PathArguments::AngleBracketed(types)) = types else {
        return map.to_token_stream();
    };
    match types.args.iter().collect::<Vec<_>>().as_slice() {
        // An alias such as `ApiResult<HashMap<u64, User>>`.
        [GenericArgument::Type(inner)] => value(inner),
        [_, GenericArgument::Type(value), ..] => value.to_token_stream(),
        _ => map.to_token_stream(),
    }
}

/// The body may run more than once.
fn refuse_moved(function: &Function, errors: &mut Errors) {
    for (ident, ty) in function.arguments() {
        match peel(ty) {
            Type::Reference(reference) if reference.mutability.is_some() => errors.refuse(
                ty,
                format!("a batch cannot borrow `{ident}` mutably: it may load more than once"),
                format!("borrow `{ident}` shared, or pass it behind an `Arc`"),
            ),
            Type::Reference(_) => {}
            _ if ident == "self" => errors.refuse(
                ident,
                "a batch cannot take `self` by value: it may load more than once",
                "write `&self`",
            ),
            _ => {}
        }
    }
}

/// The shared key is what a batch is for, and it names one id.
fn require_key(each: &Each, args: &CachedArgs, function: &Function, errors: &mut Errors) -> bool {
    let element = each.element.unraw();
    let Some(key) = &args.key else {
        let name = function.name();
        let message = format!("the batch `{name}` needs a `key`, that of one id");
        let help = format!("write `key = \"…:<{element}>\"`, as on the function of one id");
        if !args.meant(&["key"]) {
            errors.refuse(name, message, help);
        }
        return false;
    };
    let text = key.value();
    let ends = ['>', '.', ':'];
    let named = ends
        .iter()
        .any(|end| text.contains(&format!("<{element}{end}")));
    if !named {
        let message = format!(
            "the key does not name `{element}`: all of `{}` would share it",
            each.all
        );
        errors.refuse(key, message, format!("add `<{element}>` to the key"));
    }
    named
}

fn parameter<'f>(each: &Each, function: &'f Function) -> Option<&'f Parameter> {
    let mut values = function.parameters.iter();
    values.find(|p| p.kind == Kind::Value && each.all.unraw() == p.name())
}

/// The type of one of the ids.
pub(crate) fn id(ids: &Type) -> &Type {
    match peel(ids) {
        Type::Reference(reference) => match peel(&reference.elem) {
            Type::Slice(slice) => &slice.elem,
            other => other,
        },
        ids => argument(ids, "Vec").unwrap_or(ids),
    }
}

/// Whether the parameter is a slice, else a `Vec`.
fn slice(each: &Each, function: &Function, errors: &mut Errors) -> Option<bool> {
    let arguments = function.arguments();
    let Some((_, ty)) = arguments.iter().find(|(ident, _)| *ident == each.all) else {
        let names: Vec<_> = arguments
            .iter()
            .map(|(ident, _)| ident.to_string())
            .collect();
        let known: Vec<_> = names.iter().map(String::as_str).collect();
        let meant = near(&each.all.to_string(), &known)
            .map(|meant| format!("did you mean `{meant}`? "))
            .unwrap_or_default();
        let message = format!("`{}` is no parameter of `{}`", each.all, function.name());
        return errors.refused(
            &each.all,
            message,
            format!("{meant}its parameters: {}", list(&names)),
        );
    };
    match peel(ty) {
        Type::Reference(reference) if matches!(peel(&reference.elem), Type::Slice(_)) => Some(true),
        Type::Path(_) if argument(ty, "Vec").is_some() => Some(false),
        _ => {
            let message = format!("`{}` is neither a slice nor a `Vec`", each.all);
            let help = format!("write `{0}: &[…]` or `{0}: Vec<…>`", each.all);
            errors.refused(ty, message, help)
        }
    }
}

/// One id has a name of its own, and is in the key.
fn element(each: &Each, args: &CachedArgs, function: &Function, errors: &mut Errors) -> bool {
    let name = each.element.unraw().to_string();
    if function
        .parameters
        .iter()
        .any(|parameter| parameter.name() == name)
    {
        errors.refuse(
            &each.element,
            format!("`{name}` is the name of a parameter already"),
            format!("give one element of `{}` another name", each.all),
        );
        return false;
    }
    let mut skipped = args.skip.iter().flatten();
    if let Some(skipped) = skipped.find(|skipped| skipped.unraw() == name) {
        let message = format!(
            "`{name}` is skipped, and all of `{}` would have one key",
            each.all
        );
        errors.refuse(skipped, message, format!("write `<{name}>` in the key"));
        return false;
    }
    true
}

//! The names a function binds, each of which has to be accounted for in the key.

use proc_macro2::Ident;
use quote::ToTokens as _;
use syn::ext::IdentExt as _;
use syn::{Pat, Type};

use crate::parse::syntax::{mentions, peel};

/// One name that a template can speak of.
#[derive(Debug, Clone)]
pub(crate) struct Parameter {
    /// The very token of the signature: its hygiene is the one that resolves.
    pub(crate) ident: Ident,
    pub(crate) kind: Kind,
    /// A type in which `f32` or `f64` is written.
    pub(crate) float: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Value,
    Type,
    Const,
}

impl Parameter {
    pub(crate) fn generic(ident: &Ident, kind: Kind) -> Self {
        Self {
            ident: ident.clone(),
            kind,
            float: false,
        }
    }

    /// As a template names it: `<type>` is the parameter `r#type`.
    pub(crate) fn name(&self) -> String {
        self.ident.unraw().to_string()
    }
}

/// Adds every name that `pattern` binds; `ty` is its type as far as it can be seen.
pub(crate) fn bindings(pattern: &Pat, ty: Option<&Type>, found: &mut Vec<Parameter>) {
    let ty = ty.map(peel);
    match pattern {
        Pat::Ident(binding) => {
            found.push(value(&binding.ident, ty));
            if let Some((_, inner)) = &binding.subpat {
                bindings(inner, ty, found);
            }
        }
        Pat::Tuple(tuple) => {
            for (i, element) in tuple.elems.iter().enumerate() {
                bindings(element, element_type(ty, i, tuple.elems.len()), found);
            }
        }
        Pat::Reference(reference) => bindings(&reference.pat, pointee(ty), found),
        Pat::Paren(group) => bindings(&group.pat, ty, found),
        Pat::Type(typed) => bindings(&typed.pat, Some(&typed.ty), found),
        other => hidden(other, found),
    }
}

/// The patterns right inside of one.
pub(crate) fn inner(pattern: &mut Pat) -> Vec<&mut Pat> {
    match pattern {
        Pat::Ident(binding) => {
            let at = binding.subpat.iter_mut();
            at.map(|(_, inner)| &mut **inner).collect()
        }
        Pat::Tuple(tuple) => tuple.elems.iter_mut().collect(),
        Pat::TupleStruct(tuple) => tuple.elems.iter_mut().collect(),
        Pat::Slice(slice) => slice.elems.iter_mut().collect(),
        Pat::Or(alternatives) => alternatives.cases.iter_mut().collect(),
        Pat::Struct(of) => of.fields.iter_mut().map(|field| &mut *field.pat).collect(),
        Pat::Reference(reference) => vec![&mut reference.pat],
        Pat::Paren(group) => vec![&mut group.pat],
        Pat::Type(typed) => vec![&mut typed.pat],
        _ => Vec::new(),
    }
}

/// Patterns behind which the types of the names cannot be seen.
fn hidden(pattern: &Pat, found: &mut Vec<Parameter>) {
    match pattern {
        Pat::Struct(fields) => fields
            .fields
            .iter()
            .for_each(|field| bindings(&field.pat, None, found)),
        Pat::TupleStruct(tuple) => tuple
            .elems
            .iter()
            .for_each(|element| bindings(element, None, found)),
        Pat::Slice(slice) => slice
            .elems
            .iter()
            .for_each(|element| bindings(element, None, found)),
        // Every alternative binds the same names.
        Pat::Or(alternatives) => {
            if let Some(first) = alternatives.cases.first() {
                bindings(first, None, found);
            }
        }
        // What it binds cannot be seen: its own name stands for it, to be given up.
        Pat::Macro(expanded) => {
            let name = expanded.mac.path.segments.last();
            found.extend(name.map(|name| value(&name.ident, None)));
        }
        _ => {}
    }
}

fn value(ident: &Ident, ty: Option<&Type>) -> Parameter {
    let float = ty.is_some_and(|ty| {
        let tokens = ty.to_token_stream();
        mentions(tokens.clone(), "f32") || mentions(tokens, "f64")
    });
    Parameter {
        ident: ident.clone(),
        kind: Kind::Value,
        float,
    }
}

fn element_type(ty: Option<&Type>, index: usize, arity: usize) -> Option<&Type> {
    match ty {
        Some(Type::Tuple(tuple)) if tuple.elems.len() == arity => tuple.elems.get(index),
        // A tuple behind a reference is matched by the same pattern.
        Some(Type::Reference(reference)) => element_type(Some(peel(&reference.elem)), index, arity),
        _ => None,
    }
}

fn pointee(ty: Option<&Type>) -> Option<&Type> {
    match ty {
        Some(Type::Reference(reference)) => Some(&reference.elem),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::{FnArg, parse_str};

    fn found(argument: &str) -> Vec<(String, bool)> {
        let FnArg::Typed(argument) = parse_str(argument).unwrap() else {
            unreachable!()
        };
        let mut found = Vec::new();
        bindings(&argument.pat, Some(&argument.ty), &mut found);
        found
            .iter()
            .map(|parameter| (parameter.name(), parameter.float))
            .collect()
    }

    #[test]
    fn every_binding_of_a_pattern_counts() {
        let names = |argument: &str| {
            found(argument)
                .into_iter()
                .map(|(name, _)| name)
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(names("mut id: u64"), "id");
        assert_eq!(names("r#type: u64"), "type");
        assert_eq!(names("(a, (b, _), ..): T"), "a b");
        assert_eq!(names("User { id, name: n, .. }: User"), "id n");
        assert_eq!(names("whole @ Id(inner): Id"), "whole inner");
        assert_eq!(names("[first, .., last]: [u8; 4]"), "first last");
        assert_eq!(names("_: u64"), "");
        assert_eq!(names("(a, pair!(b, c)): T"), "a pair");
    }

    #[test]
    fn floats_are_seen_where_they_are_written() {
        let floats = |argument: &str| {
            found(argument)
                .iter()
                .map(|(_, float)| *float)
                .collect::<Vec<_>>()
        };
        assert_eq!(floats("x: f64"), [true]);
        assert_eq!(floats("x: Option<Vec<f32>>"), [true]);
        assert_eq!(floats("(id, x): (u64, f64)"), [false, true]);
        assert_eq!(floats("(id, x): &(u64, f64)"), [false, true]);
        assert_eq!(floats("&x: &f32"), [true]);
        assert_eq!(floats("Point { x }: Point<f64>"), [false]);
    }
}

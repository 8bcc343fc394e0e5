//! Names that a static cannot see.

use quote::ToTokens as _;
use syn::Expr;

use crate::parse::errors::Errors;
use crate::parse::parameter::Kind;
use crate::parse::signature::Function;
use crate::parse::syntax::{mentions, uses};

/// The policy is one static per function, and an item inside a function sees neither `Self` nor
/// the function's generics and parameters.
pub(crate) fn refuse_outer_names(
    option: &str,
    value: &Expr,
    function: &Function,
    errors: &mut Errors,
) {
    let names = function
        .parameters
        .iter()
        .map(|parameter| (parameter.name(), parameter.kind));
    for (name, kind) in names.chain([("Self".to_owned(), Kind::Type)]) {
        let (named, help) = match kind {
            Kind::Value if option == "ttl" => (
                uses(value.to_token_stream(), &name),
                "name a constant, or write `ttl_with = …` for a TTL that depends on the value",
            ),
            Kind::Value => (uses(value.to_token_stream(), &name), "name a constant"),
            Kind::Type | Kind::Const => (
                mentions(value.to_token_stream(), &name),
                "name the type, as in `Repository::TTL`, or a constant",
            ),
        };
        if named {
            errors.refuse(value, format!("`{option}` cannot depend on `{name}`"), help);
        }
    }
}

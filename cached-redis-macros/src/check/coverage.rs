//! Every parameter is in the key or was given up by name.
//!
//! A parameter that changes the result and is missing from the key shows one caller's data to
//! another.

use proc_macro2::Ident;
use syn::ext::IdentExt as _;

use crate::parse::errors::{Errors, list, near_value};
use crate::parse::parameter::Parameter;
use crate::parse::signature::Function;
use crate::parse::template::Template;

/// What `skip(…)` gives up, after checking that each name is a parameter and is not in the key.
pub(crate) fn check_skipped(
    skipped: &[Ident],
    function: &Function,
    template: Option<&Template>,
    errors: &mut Errors,
) {
    for (i, ident) in skipped.iter().enumerate() {
        let name = ident.to_string();
        if skipped[..i].contains(ident) {
            errors.refuse(
                ident,
                format!("`{name}` is skipped twice"),
                "keep one of them",
            );
        } else if !is_parameter(ident, function) {
            let names = list(function.parameters.iter().map(Parameter::name));
            errors.refuse(
                ident,
                format!("`{name}` is no parameter of `{}`", function.name()),
                format!("its parameters: {names}"),
            );
        } else if template.is_some_and(|template| uses(template, &ident.unraw().to_string())) {
            let message = format!("`{name}` is both in the key and in `skip`");
            errors.refuse(ident, message, format!("remove `<{name}>` or the `skip`"));
        }
    }
}

/// Every parameter is in the key or skipped. A malformed template may have meant any of them, and one
/// of which a name was `refused` those of similar names; one that compiles excuses nothing.
pub(crate) fn check_accounted(
    skipped: &[Ident],
    function: &Function,
    template: &Template,
    refused: bool,
    errors: &mut Errors,
) {
    if !template.sound {
        return;
    }
    for parameter in &function.parameters {
        let name = parameter.name();
        let meant = refused && meant(&name, template, function);
        if !skips(skipped, parameter) && !uses(template, &name) && !meant {
            errors.refuse(
                &parameter.ident,
                format!("`{name}` is neither in the key nor in `skip`"),
                format!(
                    "add `<{name}>` to the key, or `skip({name})` if it does not change the result"
                ),
            );
        }
    }
}

fn is_parameter(ident: &Ident, function: &Function) -> bool {
    function
        .parameters
        .iter()
        .map(Parameter::name)
        .chain(function.absent.iter().cloned())
        .any(|name| ident.unraw() == name)
        || function.receiver.is_some() && ident == "self"
}

pub(crate) fn skips(skipped: &[Ident], parameter: &Parameter) -> bool {
    skipped
        .iter()
        .any(|ident| ident.unraw() == parameter.name())
}

pub(crate) fn uses(template: &Template, name: &str) -> bool {
    template
        .placeholders()
        .any(|placeholder| placeholder.name == name)
}

/// A misspelt placeholder is one mistake, not one more for the parameter it stands for.
fn meant(name: &str, template: &Template, function: &Function) -> bool {
    let known = |written: &str| function.parameters.iter().any(|p| p.name() == written);
    template
        .placeholders()
        .map(|placeholder| placeholder.name.as_str())
        .any(|written| !known(written) && near_value(written, &[name]).is_some())
}

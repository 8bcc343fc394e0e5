//! When a function under `#[invalidates]` does so.

use syn::LitStr;

use crate::parse::errors::Errors;

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum When {
    Always,
    Ok,
    Before,
}

impl When {
    pub(crate) fn parse(written: &LitStr, errors: &mut Errors) -> Option<Self> {
        match written.value().as_str() {
            "always" => Some(Self::Always),
            "ok" => Some(Self::Ok),
            "before" => Some(Self::Before),
            _ => {
                let help = "write `\"always\"`, `\"ok\"` or `\"before\"`";
                errors.refused(written, "`when` is none of its three words", help)
            }
        }
    }
}

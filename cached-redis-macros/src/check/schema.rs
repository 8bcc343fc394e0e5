//! The option `schema`: which entries a type reads that was changed since they were written.

use syn::LitStr;

use crate::parse::args::CachedArgs;
use crate::parse::errors::Errors;

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Schema {
    Exact,
    Additive,
}

impl Schema {
    pub(crate) fn parse(written: &LitStr, args: &CachedArgs, errors: &mut Errors) -> Option<Self> {
        match written.value().as_str() {
            "exact" => Some(Self::Exact),
            "additive" => {
                refuse_bincode(written, args, errors);
                Some(Self::Additive)
            }
            _ => {
                let help = "write `\"exact\"` or `\"additive\"`";
                errors.refused(written, "`schema` is none of its two words", help)
            }
        }
    }
}

/// Without names, a changed type reads garbage.
fn refuse_bincode(written: &LitStr, args: &CachedArgs, errors: &mut Errors) {
    let codec = args.codec.as_ref();
    if codec.is_some_and(|codec| codec.is_ident("bincode")) {
        errors.refuse(
            written,
            "`schema = \"additive\"` with `bincode`, whose bytes do not name fields",
            "write `codec = msgpack` or `codec = json`, or remove `schema`",
        );
    }
}

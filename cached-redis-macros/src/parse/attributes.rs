//! Several of our attributes on one function.
//!
//! Writers stand beside each other: whichever comes first, the keys of all are settled before the
//! function returns, as one thing. A cached function stands alone: whether a hit would invalidate, or skip the write,
//! would depend on which attribute is above.

use proc_macro2::{Group, Ident, Span};

use crate::parse::errors::Errors;
use crate::parse::syntax::find_word;

/// How the static of a cached function begins, as it stands in its expansion.
const CACHED: &str = "__CACHED_REDIS_FUNCTION";
const OURS: &str = "__CACHED_REDIS_";

/// Whether there is one already: the second attribute sees what the first one has made of the body. Only
/// names tell: either may be imported under another one, or stand above or below somebody else's. `None`:
/// it is refused.
pub(crate) fn check(attribute: &str, body: &Group, errors: &mut Errors) -> Option<bool> {
    let reads = attribute == "redis_cached";
    let is_ours = |name: &Ident| name.to_string().starts_with(OURS);
    let Some(first) = find_word(body.stream(), &is_ours) else {
        return Some(false);
    };
    let (message, help) = match (reads, first.to_string().starts_with(CACHED)) {
        (false, false) => return Some(true),
        (true, true) => (
            "this function is cached already",
            "keep one `#[redis_cached]`; for a second key, call this function from another cached one",
        ),
        _ => (
            "a cached function cannot be a writer as well: a hit would not run its body",
            "write a function of its own, and put the attribute of the writer there",
        ),
    };
    errors.refuse_at(Span::call_site(), message, help);
    None
}

//! The option `version`: ask the source, with the arguments of the call.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::Path;

use super::start;
use crate::parse::signature::Function;
use crate::parse::syntax::at;

/// `if call.asks() { let version = path(id.clone(), …).await; call.version(…); }`
pub(super) fn version(path: &Path, function: &Function, p: &TokenStream) -> TokenStream {
    let here = Span::mixed_site();
    let span = here.located_at(start(path));
    let arguments = arguments(path, function, span);
    let q = at(p, span);
    let asked = quote_spanned!(span=> #path(#(#arguments),*).await);
    let ask =
        quote_spanned!(span=> #q::Call::version(&mut __call, __version.map(#q::source_version)));
    quote_spanned! {here=>
        if #p::Call::asks(&__call) {
            let __version = #asked;
            use #p::outcome::{ByAny as _, ByResult as _};
            let __version = (&#p::outcome::Probe(&__version)).__cached_redis_ok();
            #ask;
        }
    }
}

/// The receiver goes to a function of the same type alone.
fn arguments(path: &Path, function: &Function, span: Span) -> Vec<TokenStream> {
    let is_own = path
        .segments
        .first()
        .is_some_and(|first| first.ident == "Self");
    let copied = |name| quote_spanned!(span=> ::core::clone::Clone::clone(&#name));
    let arguments = function.arguments().into_iter();
    arguments
        .filter(|(name, _)| is_own || name != "self")
        .map(|(name, _)| copied(name))
        .collect()
}

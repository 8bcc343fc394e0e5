//! The option `version`: ask the source, with the arguments of the call.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::Path;

use super::{at, start};
use crate::signature::Function;

/// `if call.asks() { let version = path(id.clone(), …).await; call.version(…); }`
pub(super) fn version(path: &Path, function: &Function, p: &TokenStream) -> TokenStream {
    let here = Span::mixed_site();
    let span = here.located_at(start(path));
    let arguments = arguments(path, function);
    let q = at(p, span);
    quote_spanned! {here=>
        if __call.asks() {
            let __version = #path(#(#arguments),*).await;
            use #p::outcome::{ByAny as _, ByResult as _};
            let __version = (&#p::outcome::Probe(&__version)).ok();
            __call.version(__version.map(#q::source_version));
        }
    }
}

/// The receiver goes to a function of the same type alone.
fn arguments(path: &Path, function: &Function) -> Vec<TokenStream> {
    let here = Span::mixed_site();
    let is_own = path
        .segments
        .first()
        .is_some_and(|first| first.ident == "Self");
    let copied = |name| quote_spanned!(here=> ::core::clone::Clone::clone(&#name));
    let arguments = function.arguments().into_iter();
    arguments
        .filter(|(name, _)| is_own || name != "self")
        .map(|(name, _)| copied(name))
        .collect()
}

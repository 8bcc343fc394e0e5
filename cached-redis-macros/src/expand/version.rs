//! The option `version`: ask the source, with the arguments of the call.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::Path;

use super::start;
use crate::check::batch::Batch;
use crate::parse::signature::Function;
use crate::parse::syntax::at;

/// `if call.asks() { let version = path(id.clone(), …).await; call.version(…); }`
pub(super) fn version(path: &Path, function: &Function, p: &TokenStream) -> TokenStream {
    let here = Span::mixed_site();
    let span = here.located_at(start(path));
    let arguments = arguments(path, function, None, span);
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

/// The same of each id, all of which are asked for at once.
/// `if batch.asks() { let versions = all(batch.ids().iter().map(|id| path(id.clone(), …)).collect()).await; … }`
pub(super) fn versions(
    path: &Path,
    batch: &Batch,
    function: &Function,
    p: &TokenStream,
) -> TokenStream {
    let here = Span::mixed_site();
    let span = here.located_at(start(path));
    let element = &batch.element;
    let arguments = arguments(path, function, Some(batch), span);
    let q = at(p, span);
    let asked = quote_spanned!(span=> #path(#(#arguments),*));
    let asked = quote_spanned! {span=>
        #q::join_all(#p::Batch::ids(&__batch).iter().map(|#element| {
            let #element = ::core::clone::Clone::clone(#element);
            #asked
        })).await
    };
    let hash = quote_spanned!(span=> __version.map(#q::source_version));
    quote_spanned! {here=>
        if #p::Batch::asks(&__batch) {
            let __versions = #asked;
            use #p::outcome::{ByAny as _, ByResult as _};
            let __versions = __versions.iter().map(|__version| {
                let __version = (&#p::outcome::Probe(__version)).__cached_redis_ok();
                #hash
            });
            #p::Batch::versions(&mut __batch, __versions);
        }
    }
}

/// The receiver goes to a function of the same type alone; of a batch, one id in the place of all.
fn arguments(
    path: &Path,
    function: &Function,
    batch: Option<&Batch>,
    span: Span,
) -> Vec<TokenStream> {
    let is_own = path
        .segments
        .first()
        .is_some_and(|first| first.ident == "Self");
    let copied = |name| quote_spanned!(span=> ::core::clone::Clone::clone(&#name));
    let arguments = function.arguments().into_iter();
    arguments
        .filter(|(name, _)| is_own || name != "self")
        .map(|(name, _)| match batch {
            Some(batch) if name == batch.ids => batch.element.clone(),
            _ => name,
        })
        .map(copied)
        .collect()
}

//! `#[redis_cached(batch(…))]`: the ids with their keys, and the body as a closure over the missing
//! ones.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote_spanned;

use super::key::key_body;
use super::{body_after, pin};
use crate::check::batch::Batch;
use crate::check::key::Key;
use crate::check::ownership;
use crate::check::validate::Cached;
use crate::parse::signature::Function;
use crate::parse::syntax::{at, braced};

/// ```text
/// let mut batch = call.batch(ids.to_vec(), |k, id| { k.text("user:"); … });
/// batch.tag(|k, id| { k.text("team:"); … });
/// ```
pub(super) fn keys(batch: &Batch, cached: &Cached, p: &TokenStream) -> TokenStream {
    let here = Span::mixed_site();
    let Batch { element, ids, .. } = batch;
    let writer = |key: &Key| {
        let body = key_body(&key.pieces, p);
        // Not every tag names it.
        quote_spanned!(here=> |__k, #[allow(unused_variables)] #element| { #body })
    };
    let (key, tags) = (writer(&cached.key), cached.tags.iter().map(writer));
    let owned = match batch.slice {
        // Underlined at the parameter, if its elements cannot be cloned.
        true => quote_spanned!(here.located_at(ids.span())=> #ids.to_vec()),
        false => quote_spanned!(here=> #ids),
    };
    let is_changed = !cached.tags.is_empty() || cached.version.is_some();
    let mutable = is_changed.then(|| quote_spanned!(here=> mut));
    quote_spanned! {here=>
        let #mutable __batch = __call.batch(#owned, #key);
        #(#p::Batch::tag(&mut __batch, #tags);)*
    }
}

/// ```text
/// move |missing| {
///     let db = Clone::clone(&db);
///     async move { let ids = &missing[..]; BODY }
/// }
/// ```
pub(super) fn load(batch: &Batch, function: &Function, p: &TokenStream) -> TokenStream {
    let here = Span::mixed_site();
    let copies = batch.others.iter().map(|name| copy(name, p));
    let (statements, braces) = function.statements();
    let pin = pin(function, p);
    let first = missing(batch);
    let block = braced(
        quote::quote!(#first #pin #statements),
        here.located_at(braces),
    );
    quote_spanned!(here=> move |__missing| { #(#copies)* async move #block })
}

/// The same for a load that owns what the function borrows.
pub(super) fn detached(batch: &Batch, function: &Function, p: &TokenStream) -> TokenStream {
    let first = missing(batch);
    ownership::load(function, Some(batch), p, |names| {
        body_after(&quote::quote!(#first #names), function, p)
    })
}

/// `let ids = &missing[..];`
fn missing(batch: &Batch) -> TokenStream {
    let here = Span::mixed_site();
    let ids = &batch.ids;
    let missing = match batch.slice {
        true => quote_spanned!(here=> &__missing[..]),
        false => quote_spanned!(here=> __missing),
    };
    quote_spanned!(here=> #[allow(unused_mut, unused_variables)] let mut #ids = #missing;)
}

/// Underlined at the parameter, if it cannot be cloned.
fn copy(name: &Ident, p: &TokenStream) -> TokenStream {
    let span = Span::mixed_site().located_at(name.span());
    let p = at(p, span);
    quote_spanned! {span=>
        #[allow(unused_mut, unused_variables)] let mut #name = #p::copy(&#name);
    }
}

//! `#[invalidates]`: render the keys, run the body, tell the runtime how it ended.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;

use super::key::{key_writer, late_keys};
use super::{body, on_instance, place, private, string};
use crate::key::Key;
use crate::signature::Function;
use crate::validate::{Invalidates, When};

/// ```text
/// #[invalidates("user:<id>")]
/// async fn rename_user(id: u64) -> R { BODY }
///
/// async fn rename_user(id: u64) -> R {
///     let writer = { static WRITER: Writer = …; inventory::submit! { … } &WRITER };
///     let mut write = Write::new(writer);
///     write.key(|k| { k.text("user:"); … });
///     let result = async move { BODY }.await;
///     let ok = { … result is no Err … };
///     write.finish(ok).await;
///     result
/// }
/// ```
pub(crate) fn invalidates(invalidates: &Invalidates, function: &Function) -> TokenStream {
    let here = Span::mixed_site();
    let p = private(invalidates.krate.as_ref());
    let registered = registered_writer(invalidates, function, &p);
    let write = on_instance(
        &quote_spanned!(here=> #p::Write),
        "__writer",
        &invalidates.cache,
        &p,
    );
    let (after, before): (Vec<_>, Vec<_>) = invalidates
        .targets
        .iter()
        .partition(|target| target.needs_result());
    let keys = before.into_iter().map(|target| {
        let key = key_writer(&target.pieces, &p);
        quote_spanned!(here=> __write.key(#key);)
    });
    let (fragments, late) = late_keys(&after, &p);
    let early =
        (invalidates.when == When::Before).then(|| quote_spanned!(here=> __write.before().await;));
    let end = end(function, &after, &late, &p);
    function.with(&quote_spanned! {here=>
        let __writer = #registered;
        let mut __write = #write;
        #(#keys)*
        #(#fragments)*
        #early
        #end
    })
}

/// Runs the body and tells the writer how it ended. A body that never returns has no end but a
/// panic or a dropped caller, which the writer sees by being dropped.
fn end(function: &Function, after: &[&Key], late: &TokenStream, p: &TokenStream) -> TokenStream {
    let here = Span::mixed_site();
    let body = body(function, p);
    if function.returns_never() {
        return quote_spanned!(here=> #body.await);
    }
    let value = if after.is_empty() {
        quote_spanned!(here=> _)
    } else {
        quote_spanned!(here=> __value)
    };
    quote_spanned! {here=>
        let __result = #body.await;
        let __ok = {
            use #p::outcome::{ByAny as _, ByResult as _};
            match (&#p::outcome::Probe(&__result)).ok() {
                #p::Some(#value) => { #late true }
                #p::None => false,
            }
        };
        __write.finish(__ok).await;
        __result
    }
}

fn registered_writer(
    invalidates: &Invalidates,
    function: &Function,
    p: &TokenStream,
) -> TokenStream {
    let here = Span::mixed_site();
    let place = place(function);
    let targets = invalidates
        .targets
        .iter()
        .map(|target| string(&target.template));
    let when = match invalidates.when {
        When::Always => quote_spanned!(here=> Always),
        When::Ok => quote_spanned!(here=> Ok),
        When::Before => quote_spanned!(here=> Before),
    };
    quote_spanned! {here=> {
        static __CACHED_REDIS_WRITER: #p::Writer = #p::Writer::new(#p::WriterInfo {
            #place
            targets: &[#(#targets),*],
            when: #p::When::#when,
        });
        #p::inventory::submit! { #p::Registered::Writer(&__CACHED_REDIS_WRITER) }
        &__CACHED_REDIS_WRITER
    }}
}

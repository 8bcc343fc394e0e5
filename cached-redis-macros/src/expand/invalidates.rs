//! `#[invalidates]`: render the keys, run the body, tell the runtime how it ended.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote_spanned;

use super::cached::life;
use super::key::{adder, key_writer, keys_of_result};
use super::{ends, on_instance, owning_body, place, private, settled, start, string};
use crate::check::guard::Guard;
use crate::check::key::Key;
use crate::check::validate::Invalidates;
use crate::check::when::When;
use crate::parse::signature::Function;
use crate::parse::syntax::at;

/// ```text
/// #[invalidates("user:<id>")]
/// async fn rename_user(id: u64) -> R { BODY }
///
/// async fn rename_user(id: u64) -> R {
///     let writer = { static WRITER: Writer = …; inventory::submit! { … } &WRITER };
///     let mut write = Write::new(writer);
///     write.key(|k| { k.text("user:"); … });
///     let body = async move { BODY };
///     write.run(body, |write, result| … result is no Err …).await
/// }
/// ```
pub(crate) fn invalidates(invalidates: &Invalidates, function: &Function) -> TokenStream {
    let here = Span::mixed_site();
    let p = private(invalidates.krate.as_ref());
    let registered = registered_writer(invalidates, function, &p);
    let write = on_instance(
        &quote_spanned!(here=> #p::Write),
        &quote_spanned!(here=> __writer),
        &invalidates.cache,
        &p,
    );
    let targets = invalidates.targets.iter().map(|key| (adder(key), key));
    let tags = invalidates.tags.iter().map(|tag| ("tag", tag));
    let (after, before): (Vec<_>, Vec<_>) = targets
        .chain(tags)
        .partition(|(_, target)| target.needs_result());
    let keys = before.into_iter().map(|(method, target)| {
        let (method, key) = (Ident::new(method, here), key_writer(&target.pieces, &p));
        quote_spanned!(here=> #p::Write::#method(&mut __write, #key);)
    });
    let (fragments, of_result) = keys_of_result(&after, &p);
    let early = (invalidates.when == When::Before)
        .then(|| quote_spanned!(here=> #p::Write::before(&mut __write).await;));
    let begin = invalidates.guard.map(|guard| begin(guard, function, &p));
    let body = owning_body(function, &p);
    let end = end(function, &after, &of_result, &p);
    let ends = ends(function, &quote_spanned!(here=> __write));
    function.with(&quote_spanned! {here=>
        let __writer = #registered;
        let mut __write = #write;
        #ends
        #(#keys)*
        #(#fragments)*
        let __body = #body;
        #early
        #begin
        #end
    })
}

/// Bars the keys. Where that must succeed, the function may return its error before the body runs,
/// underlined at the return type if that has no room for it.
fn begin(guard: Guard, function: &Function, p: &TokenStream) -> TokenStream {
    let here = Span::mixed_site();
    let Some(output) = function.output.as_ref().filter(|_| guard == Guard::Require) else {
        return quote_spanned!(here=> #p::Write::begin(&mut __write).await;);
    };
    let span = here.located_at(start(output));
    let q = at(p, span);
    let refusal = quote_spanned!(span=> <#output as #q::Refusal>::refusal(__unguarded));
    quote_spanned! {here=>
        if let #p::Some(__unguarded) = #p::Write::require(&mut __write).await {
            return #refusal;
        }
    }
}

/// Runs the body and tells the writer how it ended. A body that never returns has no end but a
/// panic or a dropped caller, which the writer sees by being dropped.
fn end(
    function: &Function,
    after: &[(&str, &Key)],
    of_result: &TokenStream,
    p: &TokenStream,
) -> TokenStream {
    let here = Span::mixed_site();
    if function.returns_never() {
        return quote_spanned!(here=> __body.await);
    }
    let value = if after.is_empty() {
        quote_spanned!(here=> _)
    } else {
        quote_spanned!(here=> __value)
    };
    quote_spanned! {here=>
        #p::Write::run(__write, __body, |__write, __result| {
            use #p::outcome::{ByAny as _, ByResult as _};
            match (&#p::outcome::Probe(__result)).__cached_redis_ok() {
                #p::Some(#value) => { #of_result true }
                #p::None => false,
            }
        })
        .await
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
    let tags = invalidates.tags.iter().map(|tag| string(&tag.template));
    let when = match invalidates.when {
        When::Always => quote_spanned!(here=> Always),
        When::Ok => quote_spanned!(here=> Ok),
        When::Before => quote_spanned!(here=> Before),
    };
    let bound = invalidates.cache.is_some();
    let guard = match invalidates.guard {
        None => quote_spanned!(here=> #p::None),
        Some(Guard::Prefer) => quote_spanned!(here=> #p::Some(#p::Guard::Prefer)),
        Some(Guard::Require) => quote_spanned!(here=> #p::Some(#p::Guard::Require)),
    };
    let replica_lag = match &invalidates.replica_lag {
        None => quote_spanned!(here=> #p::None),
        Some(lag) => {
            let lag = life(lag, "checked_replica_lag", p);
            quote_spanned!(here=> #p::Some(#lag))
        }
    };
    let publish = invalidates.publish;
    let settled = settled(invalidates.settled);
    quote_spanned! {here=> {
        static __CACHED_REDIS_WRITER: #p::Writer = #p::Writer::new(#p::WriterInfo {
            #place
            targets: &[#(#targets),*],
            tags: &[#(#tags),*],
            when: #p::When::#when,
            bound: #bound,
            guard: #guard,
            replica_lag: #replica_lag,
            publish: #publish,
        })#settled;
        #p::inventory::submit! { #p::Registered::Writer(&__CACHED_REDIS_WRITER) }
        &__CACHED_REDIS_WRITER
    }}
}

//! `#[write_behind]`: store the call, and be able to run it from that.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens as _, format_ident, quote_spanned};
use syn::Index;

use super::key::key_writer;
use super::{on_instance, parameters, place, private, start, string};
use crate::check::behind::{Behind, Input};
use crate::check::duration::Life;
use crate::parse::signature::Function;
use crate::parse::syntax::at;
use crate::parse::text;

/// ```text
/// #[write_behind(queue = "stock", key = "{stock}:<id>", value = stock)]
/// async fn save_stock(id: u64, stock: Stock, db: &Db) -> Result<(), E> { BODY }
///
/// async fn save_stock(id: u64, stock: Stock, db: &Db) -> Result<(), E> {
///     async fn body(id: u64, stock: Stock, db: &Db) -> Result<(), E> { BODY }
///     const STORED: (Stored<(u64, Stock,)>, Stored<Stock>) = …;
///     fn apply(call: Applying) -> Boxed<'static, Applied> { … body(id, stock, &db).await … }
///     fn needs() -> Vec<Need> { vec![Need::of::<Db>()] }
///     let behind = { static WRITE_BEHIND: WriteBehind = …; inventory::submit! { … } &WRITE_BEHIND };
///     let mut write = Behind::new(behind);
///     Behind::key(&mut write, |k| { k.text("{stock}:"); … });
///     if Behind::is_uncached(&write) { return body(id, stock, db).await; }
///     let arguments = (id, stock,);
///     let accepted = write_behind(write, &arguments, &arguments.1, &STORED).await;
///     <Result<(), E> as Acceptance>::acceptance(accepted)
/// }
/// ```
pub(crate) fn write_behind(behind: &Behind, function: &Function) -> TokenStream {
    let (here, mutable) = (Span::mixed_site(), function.binds_mutably());
    let p = private(behind.krate.as_ref());
    let body = Ident::new("__body", here);
    let inner = function.renamed(&body);
    let (stored_types, apply) = (
        stored_types(behind, &p),
        apply(behind, function.name(), &body, &p),
    );
    let registered = registered(behind, function, &p);
    let write = on_instance(
        &quote_spanned!(here=> #p::Behind),
        &quote_spanned!(here=> __behind),
        &behind.cache,
        &p,
    );
    let key = key_writer(&behind.key.pieces, &p);
    let all = behind.inputs.iter().map(|input| &input.name);
    let stored = behind.stored().map(|input| &input.name);
    let value = Index::from(behind.value);
    let span = here.located_at(start(&behind.output));
    let (q, output) = (at(&p, span), &behind.output);
    let acceptance = quote_spanned!(span=> <#output as #q::Acceptance>::acceptance(__accepted));
    let function = function.with(&quote_spanned! {here=>
        #inner
        #stored_types
        #apply
        let __behind = #registered;
        let mut __write = #write;
        #p::Behind::key(&mut __write, #key);
        if #p::Behind::is_uncached(&__write) {
            return #body(#(#all),*).await;
        }
        let __arguments = (#(#stored,)*);
        let __accepted = #p::write_behind(__write, &__arguments, &__arguments.#value, &__STORED).await;
        #acceptance
    });
    // What is `mut` is so for the body alone.
    match mutable {
        true => quote_spanned!(here=> #[allow(unused_mut)] #function),
        false => function,
    }
}

/// How arguments and value are stored. Each type is bound here alone, so that one that cannot be is one error.
fn stored_types(behind: &Behind, p: &TokenStream) -> TokenStream {
    let here = Span::mixed_site();
    let stored: Vec<_> = behind.stored().map(|input| &input.ty).collect();
    let all: Vec<_> = (0..stored.len())
        .map(|at| format_ident!("__T{at}"))
        .collect();
    let (value, value_type) = (&all[behind.value], stored[behind.value]);
    quote_spanned! {here=>
        const __STORED: (#p::Stored<(#(#stored,)*)>, #p::Stored<#value_type>) = {
            const fn __stored<#(#all: #p::Storable),*>() -> (#p::Stored<(#(#all,)*)>, #p::Stored<#value>) {
                (#p::Stored::of(), #p::Stored::of())
            }
            __stored::<#(#stored),*>()
        };
    }
}

/// What runs a call that comes out of the queue, and what that needs.
fn apply(behind: &Behind, name: &Ident, body: &Ident, p: &TokenStream) -> TokenStream {
    let here = Span::mixed_site();
    let names = behind.stored().map(|input| &input.name);
    let given = behind.provided().map(|Input { name, ty, .. }| {
        quote_spanned! {here=>
            let #p::Some(#name) = #p::Applying::provided::<#ty>(&__call) else {
                return #p::Applied::Failed;
            };
        }
    });
    let arguments = behind
        .inputs
        .iter()
        .map(|Input { name, provided, .. }| match provided {
            true => quote_spanned!(here=> &#name),
            false => name.to_token_stream(),
        });
    let needs = behind.provided().map(|input| &input.ty);
    let output = &behind.output;
    let run = quote_spanned! {here=>
        let #p::Some((#(#names,)*)) = #p::Applying::arguments(&__call, &__STORED.0) else {
            return #p::Applied::Unreadable;
        };
        #(#given)*
        let __result = #body(#(#arguments),*).await;
        <#output as #p::Acceptance>::applied(&__result)
    };
    // A worker's tasks are `Send`: a body that is not is an error of the function's name.
    let run =
        quote_spanned!(here.located_at(name.span())=> ::std::boxed::Box::pin(async move { #run }));
    quote_spanned! {here=>
        fn __apply(__call: #p::Applying) -> #p::Boxed<'static, #p::Applied> {
            #run
        }
        fn __needs() -> ::std::vec::Vec<#p::Need> {
            ::std::vec![#(#p::Need::of::<#needs>()),*]
        }
    }
}

/// The block whose value is the function's one static, known to the catalogue.
fn registered(behind: &Behind, function: &Function, p: &TokenStream) -> TokenStream {
    let here = Span::mixed_site();
    let place = place(function);
    let template = string(&behind.key.template);
    let parameters = parameters(function, None);
    let value = behind.stored().nth(behind.value);
    let value = text::of(value.map(|input| &input.ty).to_token_stream());
    let bound = behind.cache.is_some();
    let queue = string(&behind.queue);
    let (max_queue, coalesce) = (behind.max_queue, behind.coalesce);
    let max_lag = match &behind.max_lag {
        None => quote_spanned!(here=> #p::None),
        Some(Life::Millis(lag)) => {
            quote_spanned!(here=> #p::Some(::core::time::Duration::from_millis(#lag)))
        }
        Some(Life::Const(lag)) => quote_spanned!(here=> #p::Some(#lag)),
    };
    quote_spanned! {here=> {
        static __CACHED_REDIS_WRITE_BEHIND: #p::WriteBehind = #p::WriteBehind::new(
            #p::FunctionInfo {
                #place
                template: #template,
                tags: &[],
                versioned: false,
                default_key: false,
                parameters: #parameters,
                value: #value,
                generic: false,
                bound: #bound,
                policy: #p::Policy::new(),
                codec: #p::None,
                definition: #p::definition(&|| {}),
            },
            &[#template],
            #p::BehindInfo {
                queue: #queue,
                max_queue: #max_queue,
                max_lag: #max_lag,
                coalesce: #coalesce,
                apply: __apply,
                needs: __needs,
            },
        );
        #p::inventory::submit! { #p::Registered::Behind(&__CACHED_REDIS_WRITE_BEHIND) }
        &__CACHED_REDIS_WRITE_BEHIND
    }}
}

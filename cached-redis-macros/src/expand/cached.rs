//! `#[redis_cached]`: bind the key, then await one function of the runtime with the body in it.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::{Expr, Path};

use super::key::key_writer;
use super::{at, body, on_instance, place, private, start, string};
use crate::duration::Life;
use crate::signature::Function;
use crate::syntax::find;
use crate::text;
use crate::validate::{Cached, Policy, path_text};

/// ```text
/// #[redis_cached(ttl = 300, key = "user:<id>")]
/// async fn get_user(id: u64) -> User { BODY }
///
/// async fn get_user(id: u64) -> User {
///     let function = { static FUNCTION: Function = …; inventory::submit! { … } &FUNCTION };
///     let mut call = Call::new(function);
///     call.key(|k| { k.text("user:"); … });
///     let shape = …; let errors = …;
///     read(call, shape, errors, codec::Default, never, move || async move { BODY }).await
/// }
/// ```
pub(crate) fn cached(cached: &Cached, function: &Function) -> TokenStream {
    let here = Span::mixed_site();
    let p = private(cached.krate.as_ref());
    let registered = registered_function(cached, function, &p);
    let call = call(cached, &p);
    let key = key_writer(&cached.key.pieces, &p);
    let probes = probes(&cached.output, &p);
    let read = read(cached, function, &p);
    function.with(&quote_spanned! {here=>
        let __function = #registered;
        let mut __call = #call;
        __call.key(#key);
        #probes
        #read
    })
}

/// The block whose value is the function's one static, known to the catalogue.
fn registered_function(cached: &Cached, function: &Function, p: &TokenStream) -> TokenStream {
    let here = Span::mixed_site();
    let place = place(function);
    let key = &cached.key;
    let template = if key.default {
        in_module(&key.template)
    } else {
        string(&key.template)
    };
    let default_key = key.default;
    let value = text::of(cached.output.to_token_stream());
    let generic = function.is_generic();
    let bound = cached.cache.is_some();
    let policy = policy(&cached.policy, p);
    let codec = option(cached.codec.as_ref().map(path_text), p);
    quote_spanned! {here=> {
        static __CACHED_REDIS_FUNCTION: #p::Function = #p::Function::new(#p::FunctionInfo {
            #place
            template: #template,
            default_key: #default_key,
            value: #value,
            generic: #generic,
            bound: #bound,
            policy: #policy,
            codec: #codec,
        });
        #p::inventory::submit! { #p::Registered::Cached(&__CACHED_REDIS_FUNCTION) }
        &__CACHED_REDIS_FUNCTION
    }}
}

fn in_module(text: &str) -> TokenStream {
    let here = Span::mixed_site();
    quote_spanned!(here=> ::core::concat!(::core::module_path!(), #text))
}

fn option(text: Option<String>, p: &TokenStream) -> TokenStream {
    let here = Span::mixed_site();
    match text {
        Some(text) => quote_spanned!(here=> #p::Some(#text)),
        None => quote_spanned!(here=> #p::None),
    }
}

/// `Policy::new().ttl(…)`, with the calls for what was written.
fn policy(policy: &Policy, p: &TokenStream) -> TokenStream {
    let here = Span::mixed_site();
    let ttl = policy.ttl.as_ref().map(|ttl| life(ttl, "checked_ttl", p));
    let ttl = ttl.map(|ttl| quote_spanned!(here=> .ttl(#ttl)));
    let jitter = policy
        .jitter
        .as_ref()
        .map(|jitter| quote_spanned!(here=> .jitter(#jitter)));
    let negative = policy
        .negative_ttl
        .as_ref()
        .map(|ttl| life(ttl, "checked_negative_ttl", p));
    let negative = negative.map(|ttl| quote_spanned!(here=> .negative_ttl(#ttl)));
    let named = policy
        .named
        .as_ref()
        .map(|name| quote_spanned!(here=> .named(#name)));
    quote_spanned!(here=> #p::Policy::new() #ttl #jitter #negative #named)
}

/// A `Duration`; an expression goes through the const function `check`, underlined where it fails.
pub(super) fn life(life: &Life, check: &str, p: &TokenStream) -> TokenStream {
    let here = Span::mixed_site();
    match life {
        Life::Millis(millis) => quote_spanned!(here=> #p::Duration::from_millis(#millis)),
        Life::Const(value) => {
            let span = here.located_at(start(value));
            let (check, p) = (Ident::new(check, span), at(p, span));
            quote_spanned!(span=> #p::#check(#value))
        }
    }
}

/// `Call::new(function)`, on its instance and under its condition.
fn call(cached: &Cached, p: &TokenStream) -> TokenStream {
    let here = Span::mixed_site();
    let call = on_instance(
        &quote_spanned!(here=> #p::Call),
        "__function",
        &cached.cache,
        p,
    );
    let condition = cached
        .condition
        .as_ref()
        .map(|condition| quote_spanned!(here=> .only_if(#condition)));
    quote_spanned!(here=> #call #condition)
}

/// What the return type is to the cache, found by trait dispatch and not by its name, so that
/// aliases work; and whether its error can be handed to several callers.
fn probes(output: &impl ToTokens, p: &TokenStream) -> TokenStream {
    let here = Span::mixed_site();
    let span = here.located_at(start(output));
    let q = at(p, span);
    let shape = quote_spanned!(span=> (&&&#q::shape::Probe::<#output>::new()).shape());
    quote_spanned! {here=>
        let __shape = {
            use #p::shape::{ByOption as _, ByPlain as _, ByResult as _, ByResultOption as _};
            #shape
        };
        let __errors = {
            use #p::shape::{ErrorsKept as _, ErrorsShared as _};
            (&__shape.errors()).errors()
        };
    }
}

/// `read(…).await`, underlined at the return type: what the value cannot do is said there.
fn read(cached: &Cached, function: &Function, p: &TokenStream) -> TokenStream {
    let span = Span::mixed_site().located_at(start(&cached.output));
    let codec = codec(cached.codec.as_ref(), p);
    let unless = unless(cached.unless.as_ref(), p);
    let load = body(function, p);
    let load = quote_spanned!(Span::mixed_site()=> move || #load);
    let p = at(p, span);
    quote_spanned! {span=>
        #p::read(__call, __shape, __errors, #codec, #unless, #load).await
    }
}

fn codec(codec: Option<&Path>, p: &TokenStream) -> TokenStream {
    let here = Span::mixed_site();
    let Some(path) = codec else {
        return quote_spanned!(here=> #p::codec::Default);
    };
    let builtin = path.get_ident().map(ToString::to_string);
    match builtin.as_deref() {
        Some("bincode") => quote_spanned!(here=> #p::codec::Bincode),
        Some("msgpack") => quote_spanned!(here=> #p::codec::Msgpack),
        Some("json") => quote_spanned!(here=> #p::codec::Json),
        _ => path.to_token_stream(),
    }
}

/// The user's `result` is theirs by hygiene, so the closure takes the very ident they wrote.
/// Using it here keeps an expression that does not look at it free of warnings.
fn unless(unless: Option<&Expr>, p: &TokenStream) -> TokenStream {
    let here = Span::mixed_site();
    let Some(unless) = unless else {
        return quote_spanned!(here=> #p::never);
    };
    let result = find(unless.to_token_stream(), "result")
        .unwrap_or_else(|| Ident::new("result", Span::call_site()));
    quote_spanned!(here=> |#result| { let _ = #result; #unless })
}

//! `#[redis_cached]`: bind the key, then await one function of the runtime with the body in it.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::{Expr, Path};

use super::key::key_writer;
use super::{
    batch, body, body_after, instance, on_instance, parameters, place, private, start, string,
    version,
};
use crate::check::duration::Life;
use crate::check::jitter::Jitter;
use crate::check::ownership;
use crate::check::policy::{Policy, Value};
use crate::check::schema::Schema;
use crate::check::validate::{Cached, path_text};
use crate::parse::signature::Function;
use crate::parse::syntax::{at, find};
use crate::parse::text;

/// ```text
/// #[redis_cached(ttl = 300, key = "user:<id>")]
/// async fn get_user(id: u64) -> User { BODY }
///
/// async fn get_user(id: u64) -> User {
///     let function = { static FUNCTION: Function = …; inventory::submit! { … } &FUNCTION };
///     let call = {
///         let mut call = Call::new(function, Instance::of(&|| {}, …));
///         call.key(|k| { k.text("user:"); … });
///         call
///     };
///     let shape = …; let errors = …;
///     let plan = plan(shape, errors, codec::Default, verdict::store);
///     read(call, plan, move || async move { BODY }).await
/// }
/// ```
pub(crate) fn cached(cached: &Cached, function: &Function) -> TokenStream {
    let here = Span::mixed_site();
    let p = private(cached.krate.as_ref());
    let registered = registered_function(cached, function, &p);
    let call = rendered(cached, &p);
    let version = cached.version.as_ref();
    let version = version.map(|path| match &cached.batch {
        Some(batch) => version::versions(path, batch, function, &p),
        None => version::version(path, function, &p),
    });
    let probes = probes(cached, function, &p);
    let read = read(cached, function, &p);
    let expanded = function.with(&quote_spanned! {here=>
        let __function = #registered;
        #call
        #version
        #probes
        #read
    });
    let rebound = cached.batch.is_some() || cached.detached;
    match rebound && function.binds_mutably() {
        true => quote_spanned!(here=> #[allow(unused_mut)] #expanded),
        false => expanded,
    }
}

/// `let call = { let mut call = …; … call };`: what is borrowed has a place in the future of its own, even when
/// it has been moved, so it is not borrowed where anything is awaited.
fn rendered(cached: &Cached, p: &TokenStream) -> TokenStream {
    let here = Span::mixed_site();
    let (call, keys) = (call(cached, p), keys(cached, p));
    if cached.batch.is_some() {
        return quote_spanned!(here=> #call #keys);
    }
    let mutable = cached.version.is_some().then(|| quote_spanned!(here=> mut));
    quote_spanned!(here=> let #mutable __call = { #call #keys __call };)
}

/// Renders the key and the tags, or those of each id.
fn keys(cached: &Cached, p: &TokenStream) -> TokenStream {
    if let Some(batch) = &cached.batch {
        return batch::keys(batch, cached, p);
    }
    let key = key_writer(&cached.key.pieces, p);
    let tags = cached.tags.iter().map(|tag| key_writer(&tag.pieces, p));
    quote_spanned! {Span::mixed_site()=>
        #p::Call::key(&mut __call, #key);
        #(#p::Call::tag(&mut __call, #tags);)*
    }
}

/// The block whose value is the function's one static, known to the catalogue.
fn registered_function(cached: &Cached, function: &Function, p: &TokenStream) -> TokenStream {
    let here = Span::mixed_site();
    let info = info(cached, function, p);
    quote_spanned! {here=> {
        static __CACHED_REDIS_FUNCTION: #p::Function = #p::Function::new(#info);
        #p::inventory::submit! { #p::Registered::Cached(&__CACHED_REDIS_FUNCTION) }
        &__CACHED_REDIS_FUNCTION
    }}
}

/// What the catalogue knows of a function that makes entries.
pub(super) fn info(cached: &Cached, function: &Function, p: &TokenStream) -> TokenStream {
    let here = Span::mixed_site();
    let place = place(function);
    let key = &cached.key;
    let template = if key.default {
        in_module(&key.template)
    } else {
        string(&key.template)
    };
    let tags = cached.tags.iter().map(|tag| string(&tag.template));
    let default_key = key.default;
    let parameters = parameters(function, cached.batch.as_ref());
    let value = text::of(match &cached.batch {
        Some(_) => crate::check::batch::value(&cached.output),
        None => cached.output.to_token_stream(),
    });
    let versioned = cached.version.is_some();
    let generic = function.is_generic();
    let bound = cached.cache.is_some();
    let policy = policy(&cached.policy, p);
    let codec = option(cached.codec.as_ref().map(path_text), p);
    quote_spanned! {here=> #p::FunctionInfo {
        #place
        template: #template,
        tags: &[#(#tags),*],
        versioned: #versioned,
        default_key: #default_key,
        parameters: #parameters,
        value: #value,
        generic: #generic,
        bound: #bound,
        policy: #policy,
        codec: #codec,
        definition: #p::definition(&|| {}),
    }}
}

fn in_module(text: &str) -> TokenStream {
    let here = Span::mixed_site();
    quote_spanned!(here=> ::core::concat!(::core::module_path!(), #text))
}

pub(super) fn option(text: Option<String>, p: &TokenStream) -> TokenStream {
    let here = Span::mixed_site();
    match text {
        Some(text) => quote_spanned!(here=> #p::Some(#text)),
        None => quote_spanned!(here=> #p::None),
    }
}

/// `Policy::new().ttl(…)`, with the calls for what was written.
pub(super) fn policy(policy: &Policy, p: &TokenStream) -> TokenStream {
    let here = Span::mixed_site();
    let setters = policy.0.iter().map(|(name, value)| {
        let (name, value) = (Ident::new(name, here), setting(value, p));
        quote_spanned!(here=> .#name(#value))
    });
    quote_spanned!(here=> #p::Policy::new() #(#setters)*)
}

fn setting(value: &Value, p: &TokenStream) -> TokenStream {
    let here = Span::mixed_site();
    match value {
        Value::Nothing => TokenStream::new(),
        Value::Life(value, check) => life(value, check, p),
        Value::Number(number) => number.clone(),
        Value::Bytes(bytes, check) => {
            let first = bytes.clone().into_iter().next();
            let span = first.map_or(here, |token| here.located_at(token.span()));
            let (check, p) = (Ident::new(check, span), at(p, span));
            quote_spanned!(span=> #p::#check(#bytes))
        }
        Value::Jitter(Jitter { kind, share }) => {
            let kind = Ident::new(kind, here);
            quote_spanned!(here=> #p::Jitter::#kind(#share))
        }
        Value::Schema(Schema::Exact) => quote_spanned!(here=> #p::Schema::Exact),
        Value::Schema(Schema::Additive) => quote_spanned!(here=> #p::Schema::Additive),
        Value::Name(name) => name.to_token_stream(),
    }
}

/// A `Duration`; an expression goes through the const function `check`, underlined where it fails.
pub(super) fn life(life: &Life, check: &str, p: &TokenStream) -> TokenStream {
    let here = Span::mixed_site();
    match life {
        Life::Millis(millis) => quote_spanned!(here=> #p::Duration::from_millis(#millis)),
        Life::Const(value) => {
            let span = here.located_at(start(value));
            let (check, p) = (Ident::new(check, span), at(p, span));
            quote_spanned!(span=> #p::#check(#p::Written(#value).__cached_redis_time()))
        }
    }
}

/// `let call = Call::new(function, instance);`, on its instance and under its condition.
fn call(cached: &Cached, p: &TokenStream) -> TokenStream {
    let here = Span::mixed_site();
    let instance = instance(&cached.key, p);
    let call = on_instance(
        &quote_spanned!(here=> #p::Call),
        &quote_spanned!(here=> __function, #instance),
        &cached.cache,
        p,
    );
    let condition = cached
        .condition
        .as_ref()
        .map(|condition| quote_spanned!(here=> .only_if(#condition)));
    let binding = match &cached.batch {
        Some(_) => quote_spanned!(here=> let __call),
        None => quote_spanned!(here=> let mut __call),
    };
    quote_spanned!(here=> #binding = #call #condition;)
}

/// What the return type is to the cache, and how its values are compared, found by trait dispatch and
/// not by its name, so that aliases work.
pub(super) fn shape(output: &impl ToTokens, p: &TokenStream) -> TokenStream {
    let here = Span::mixed_site();
    let span = here.located_at(start(output));
    let q = at(p, span);
    let shape =
        quote_spanned!(span=> (&&&&#q::shape::Probe::<#output>::new()).__cached_redis_shape());
    quote_spanned! {here=>
        let __shape = {
            use #p::shape::{ByEqual as _, ByNothing as _};
            use #p::shape::{Rank0 as _, Rank1 as _, Rank2 as _, Rank3 as _};
            let __shape = #shape;
            #p::shape::Comparing::new(__shape, (&#p::shape::values(&__shape)).__cached_redis_equal())
        };
    }
}

/// How values are kept decoded, which a policy may ask for, and `checked` does.
fn shared(cached: &Cached, p: &TokenStream) -> TokenStream {
    let here = Span::mixed_site();
    let (shape, of) = match &cached.batch {
        None => ("__shape", "copying"),
        Some(_) => ("__each", "copying_each"),
    };
    let else_ = match cached.policy.is_checked() {
        false => "Copies0",
        true => "Refused0",
    };
    // What cannot be kept is told at the return type.
    let span = here.located_at(start(&cached.output));
    let q = at(p, span);
    let [shape, of, else_] = [shape, of, else_].map(|name| Ident::new(name, span));
    let found = quote_spanned!(span=> (&&&&#q::shape::#of(&#shape)).__cached_redis_copies());
    quote_spanned! {here=>
        let #shape = {
            use #p::shape::{#else_ as _, Copies1 as _, Copies2 as _, Copies3 as _};
            #shape.shared(#found)
        };
    }
}

/// The shape, whether its error can be handed to several callers, and of a batch the form of each value.
fn probes(cached: &Cached, function: &Function, p: &TokenStream) -> TokenStream {
    let here = Span::mixed_site();
    let shape = shape(&cached.output, p);
    // What is kept is `'static`, which a type parameter need not be.
    let may_share = cached.policy.may_be_local() && !function.returns_parameter();
    let shared = (may_share || cached.policy.is_checked()).then(|| shared(cached, p));
    let each = cached.batch.is_some().then(|| {
        // Where `read` is, so that what is no map is told once.
        let span = here.located_at(start(&cached.output));
        let q = at(p, span);
        let each = quote_spanned! {span=>
            #q::Each::new(__shape, __form, (&#q::shape::each(&__shape, &__form)).__cached_redis_equal())
        };
        quote_spanned! {here=>
            let __each = {
                use #p::shape::{ByEqual as _, ByNothing as _, EachPointed as _, EachWhole as _};
                let __form = (&__shape.each()).__cached_redis_form();
                #each
            };
        }
    });
    quote_spanned! {here=>
        #shape
        #each
        #shared
        let __errors = {
            use #p::shape::{ErrorsKept as _, ErrorsShared as _};
            (&__shape.errors()).__cached_redis_errors()
        };
    }
}

/// `read(…).await`, underlined at the return type: what the value cannot do is said there.
fn read(cached: &Cached, function: &Function, p: &TokenStream) -> TokenStream {
    let span = Span::mixed_site().located_at(start(&cached.output));
    let codec = codec(cached.codec.as_ref(), p);
    let kind = match &cached.batch {
        Some(_) => "Batch",
        None => "Call",
    };
    let (name, call, load) = match &cached.batch {
        Some(batch) if cached.detached => (
            "read_batch_in_background",
            "__batch",
            batch::detached(batch, function, p),
        ),
        Some(batch) => ("read_batch", "__batch", batch::load(batch, function, p)),
        None if cached.detached => ("read_in_background", "__call", detached(function, p)),
        None => ("read", "__call", in_place(function, p)),
    };
    let verdict = verdict(cached, p);
    let (q, name) = (at(p, span), Ident::new(name, span));
    let call = Ident::new(call, Span::mixed_site());
    let here = Span::mixed_site();
    // That of a batch knows the form of each value.
    let (plan, shape) = match &cached.batch {
        Some(_) => ("batch_plan", "__each"),
        None => ("plan", "__shape"),
    };
    let [plan, shape] = [plan, shape].map(|name| Ident::new(name, span));
    let read = quote_spanned! {span=>
        #q::#name(#call, #q::#plan(#shape, __errors, #codec, #verdict), #load)
    };
    match &cached.timeout {
        None => quote_spanned!(span=> #read.await),
        Some(timeout) => {
            let timeout = life(timeout, "checked_timeout", p);
            let kind = Ident::new(kind, here);
            quote_spanned! {span=> {
                let __timer = #p::#kind::timer(&#call, #timeout);
                __timer.run(#read).await
            }}
        }
    }
}

fn in_place(function: &Function, p: &TokenStream) -> TokenStream {
    let load = body(function, p);
    quote_spanned!(Span::mixed_site()=> move || #load)
}

/// The body in a closure that owns what the function borrows.
fn detached(function: &Function, p: &TokenStream) -> TokenStream {
    ownership::load(function, None, p, |names| body_after(names, function, p))
}

pub(super) fn codec(codec: Option<&Path>, p: &TokenStream) -> TokenStream {
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

/// The user's `result` is theirs by hygiene, so closures take the very ident they wrote.
fn result(expression: &Expr) -> Ident {
    find(expression.to_token_stream(), "result")
        .unwrap_or_else(|| Ident::new("result", Span::call_site()))
}

/// What becomes of a result, in a batch of each value: what `unless` and `ttl_with` say.
pub(super) fn verdict(cached: &Cached, p: &TokenStream) -> TokenStream {
    let here = Span::mixed_site();
    let ttl = |ok: &Ident| {
        let path = cached.ttl_with.as_ref()?;
        let span = here.located_at(start(path));
        let p = at(p, span);
        Some(match &cached.batch {
            Some(_) => quote_spanned!(span=> #p::verdict::ttl_of(#ok, #path)),
            None => quote_spanned!(span=> #p::verdict::ttl_with(__shape, #ok, #path)),
        })
    };
    let moved = cached.detached.then(|| quote_spanned!(here=> move));
    let Some(unless) = &cached.unless else {
        return match ttl(&Ident::new("__ok", here)) {
            Some(ttl) => quote_spanned!(here=> #moved |__ok| #ttl),
            None => quote_spanned!(here=> #p::verdict::store),
        };
    };
    let result = result(unless);
    let ttl = ttl(&result).map(|ttl| quote_spanned!(here=> .and(|| #ttl)));
    // Using it here keeps an expression that does not look at it free of warnings.
    quote_spanned!(here=> #moved |#result| {
        let _ = #result;
        #p::verdict::unless(#unless) #ttl
    })
}

//! Checked values → tokens. Nothing can be refused any more.
//!
//! Hygiene: paths start at the runtime crate, locals live at `Span::mixed_site()`, and the user's
//! own tokens keep their spans, so that no name of the user's can meet one of ours.

mod batch;
mod cached;
mod invalidates;
mod key;
mod version;
mod write_behind;
mod write_through;

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::{Expr, LitStr, Path};

use crate::check::batch::Batch;
use crate::check::key::Key;
use crate::check::receiver::without_self;
use crate::parse::signature::Function;
use crate::parse::syntax::{at, braced, uses};
use crate::parse::text;

pub(crate) use cached::cached;
pub(crate) use invalidates::invalidates;
pub(crate) use write_behind::write_behind;
pub(crate) use write_through::write_through;

/// `::cached_redis::__private`, or what `crate = …` names.
fn private(krate: Option<&Path>) -> TokenStream {
    let here = Span::mixed_site();
    match krate {
        Some(path) => quote_spanned!(here=> #path::__private),
        None => quote_spanned!(here=> ::cached_redis::__private),
    }
}

/// The fields that say where a function is.
fn place(function: &Function) -> TokenStream {
    let here = Span::mixed_site();
    let name = function.name().unraw().to_string();
    quote_spanned! {here=>
        path: ::core::concat!(::core::module_path!(), "::", #name),
        file: ::core::file!(),
        line: ::core::line!(),
    }
}

/// `&[("id", "u64")]`, of a batch with one of the ids, as its key calls it.
fn parameters(function: &Function, batch: Option<&Batch>) -> TokenStream {
    let here = Span::mixed_site();
    let arguments = function.arguments().into_iter();
    let parameters = arguments
        .filter(|(name, _)| name != "self")
        .map(|(name, ty)| {
            let (name, ty) = match batch.filter(|batch| batch.ids == name) {
                Some(batch) => (&batch.element, crate::check::batch::id(ty)),
                None => (&name, ty),
            };
            let (name, ty) = (name.unraw().to_string(), text::of(ty.to_token_stream()));
            quote_spanned!(here=> (#name, #ty))
        });
    quote_spanned!(here=> &[#(#parameters),*])
}

/// What a writer's static has behind it, if it waits until its invalidation has settled.
fn settled(settled: bool) -> TokenStream {
    match settled {
        true => quote_spanned!(Span::mixed_site()=> .settled()),
        false => TokenStream::new(),
    }
}

fn string(text: &str) -> TokenStream {
    LitStr::new(text, Span::mixed_site()).into_token_stream()
}

/// `TYPE::new(what)`, or `TYPE::on(what, cache)` where an instance is named. The annotated `let`
/// lets statics, lazy cells and references all coerce to one `&Cache`.
fn on_instance(
    ty: &TokenStream,
    what: &TokenStream,
    cache: &Option<Expr>,
    p: &TokenStream,
) -> TokenStream {
    let here = Span::mixed_site();
    match cache {
        None => quote_spanned!(here=> #ty::new(#what)),
        Some(cache) => {
            let span = here.located_at(start(cache));
            let p = at(p, span);
            let bind = quote_spanned!(span=> let __cache: &#p::Cache = &#cache;);
            quote_spanned!(here=> { #bind #ty::on(#what, __cache) })
        }
    }
}

/// `Instance::of(&|| {}, const { &[Self::KEY_NAME] })`: the compiler names the closure by all that is
/// around the function; the names are those of it that the key has.
fn instance(key: &Key, p: &TokenStream) -> TokenStream {
    let here = Span::mixed_site();
    let names = key.outer_types().map(|ty| {
        let span = here.located_at(ty.span());
        quote_spanned!(span=> <#ty as #p::KeyName>::KEY_NAME)
    });
    quote_spanned!(here=> #p::Instance::of(&|| {}, const { &[#(#names),*] }))
}

/// `async move { BODY }`. The statement before the body never runs: it tells the compiler the
/// type, which `?` needs. It is left out where the type cannot be named.
///
/// Another attribute in it ends with this one: `Attributes::around(ends, async move { BODY })`.
fn body(function: &Function, p: &TokenStream) -> TokenStream {
    body_behind(&TokenStream::new(), function, p)
}

fn body_behind(first: &TokenStream, function: &Function, p: &TokenStream) -> TokenStream {
    let here = Span::mixed_site();
    let (statements, braces) = function.statements();
    let pin = pin(function, p);
    let block = braced(quote!(#first #pin #statements), here.located_at(braces));
    match function.is_around {
        true => quote_spanned!(here=> #p::Attributes::around(__attributes, async move #block)),
        false => quote_spanned!(here=> async move #block),
    }
}

/// The same with `let _ = (&id,);` before it: the body of a writer owns all that the writer was given, so that it is gone
/// before the write ends. Else it would own no more than the fields that it mentions. The last argument is dropped first,
/// as in any function. What has no use, and no underscore to say so, is left for the compiler to tell.
fn owning_body(function: &Function, p: &TokenStream) -> TokenStream {
    let here = Span::mixed_site();
    let (statements, _) = function.statements();
    let bound = function.bound().into_iter().rev().filter(|name| {
        let text = name.unraw().to_string();
        text.starts_with('_') || uses(statements.clone(), &text)
    });
    // In a boxed body it is called otherwise.
    let this = function.receiver.filter(|_| !function.is_boxed());
    let owned: Vec<_> = bound.chain(this.map(Ident::from)).collect();
    if owned.is_empty() {
        return body(function, p);
    }
    let owned = quote_spanned! {here=>
        #[allow(clippy::used_underscore_binding)]
        let _ = (#(&#owned,)*);
    };
    body_behind(&owned, function, p)
}

/// `let ends = Write::ends(&mut write);`, where another attribute is in the body.
fn ends(function: &Function, write: &TokenStream) -> Option<TokenStream> {
    let here = Span::mixed_site();
    let ends = quote_spanned!(here=> let __attributes = #write.attributes(););
    function.is_around.then_some(ends)
}

/// The same with statements before the body, and `self` bound by them where the function borrows it.
fn body_after(first: &TokenStream, function: &Function, p: &TokenStream) -> TokenStream {
    let here = Span::mixed_site();
    let (statements, braces) = function.statements();
    let statements = match function.borrows_self() {
        true => without_self(statements),
        false => statements,
    };
    let pin = pin(function, p);
    let block = braced(quote!(#first #pin #statements), here.located_at(braces));
    quote_spanned!(here=> async move #block)
}

fn pin(function: &Function, p: &TokenStream) -> Option<TokenStream> {
    let here = Span::mixed_site();
    let output = match &function.output {
        _ if function.returns_impl_trait() || function.returns_never() => return None,
        Some(output) => output.to_token_stream(),
        None => quote_spanned!(here=> ()),
    };
    Some(quote_spanned! {here=>
        if let #p::Some(__never) = #p::None::<#output> { return __never; }
    })
}

/// Where the tokens begin: stable compilers cannot join spans.
fn start(tokens: &impl ToTokens) -> Span {
    let first: Option<TokenTree> = tokens.to_token_stream().into_iter().next();
    first.map_or_else(Span::call_site, |token| token.span())
}

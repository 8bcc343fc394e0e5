//! `#[write_through]`: bind the key, then await one function of the runtime with the body in it.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;

use super::cached::{codec, info, shape, verdict};
use super::key::key_writer;
use super::{ends, instance, on_instance, owning_body, private, settled, start, string};
use crate::check::validate::Cached;
use crate::parse::signature::Function;
use crate::parse::syntax::at;

/// ```text
/// #[write_through(ttl = 300, key = "user:<id>", tags = ["users"])]
/// async fn rename_user(id: u64) -> User { BODY }
///
/// async fn rename_user(id: u64) -> User {
///     let written = { static WRITE_THROUGH: WriteThrough = …; inventory::submit! { … } &WRITE_THROUGH };
///     let mut through = Through::new(written, Instance::of(&|| {}, …));
///     through.key(|k| { k.text("user:"); … });
///     through.tag(|k| k.text("users"));
///     let shape = …;
///     let plan = write_plan(shape, codec::Default, verdict::store);
///     write_through(through, plan, move || async move { BODY }).await
/// }
/// ```
pub(crate) fn write_through(written: &Cached, function: &Function) -> TokenStream {
    let here = Span::mixed_site();
    let p = private(written.krate.as_ref());
    let registered = registered(written, function, &p);
    let instance = instance(&written.key, &p);
    let through = on_instance(
        &quote_spanned!(here=> #p::Through),
        &quote_spanned!(here=> __written, #instance),
        &written.cache,
        &p,
    );
    let key = key_writer(&written.key.pieces, &p);
    let tags = written.tags.iter().map(|tag| key_writer(&tag.pieces, &p));
    let shape = shape(&written.output, &p);
    let write = write(written, function, &p);
    let ends = ends(function, &quote_spanned!(here=> __through));
    function.with(&quote_spanned! {here=>
        let __written = #registered;
        let mut __through = #through;
        #ends
        #p::Through::key(&mut __through, #key);
        #(#p::Through::tag(&mut __through, #tags);)*
        #shape
        #write
    })
}

/// The block whose value is the function's one static, known to the catalogue.
fn registered(written: &Cached, function: &Function, p: &TokenStream) -> TokenStream {
    let here = Span::mixed_site();
    let info = info(written, function, p);
    let target = string(&written.key.template);
    let settled = settled(written.settled);
    quote_spanned! {here=> {
        static __CACHED_REDIS_WRITE_THROUGH: #p::WriteThrough = #p::WriteThrough::new(#info, &[#target])#settled;
        #p::inventory::submit! { #p::Registered::Through(&__CACHED_REDIS_WRITE_THROUGH) }
        &__CACHED_REDIS_WRITE_THROUGH
    }}
}

/// `write_through(…).await`, underlined at the return type: what the value cannot do is said there.
fn write(written: &Cached, function: &Function, p: &TokenStream) -> TokenStream {
    let span = Span::mixed_site().located_at(start(&written.output));
    let codec = codec(written.codec.as_ref(), p);
    let verdict = verdict(written, p);
    let body = owning_body(function, p);
    let body = quote_spanned!(Span::mixed_site()=> move || #body);
    let p = at(p, span);
    quote_spanned! {span=>
        #p::write_through(__through, #p::write_plan(__shape, #codec, #verdict), #body).await
    }
}

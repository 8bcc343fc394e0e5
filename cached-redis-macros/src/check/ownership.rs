//! Loads that go on without their caller own what they need.
//!
//! What is passed by value moves into the load; what is borrowed is copied first, and only when there
//! is something to load. The body still sees `name: &str`, and `self`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens as _, format_ident, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Expr, Type};

use crate::check::batch::Batch;
use crate::check::content;
use crate::check::receiver::this;
use crate::parse::errors::Errors;
use crate::parse::parameter::Kind;
use crate::parse::signature::Function;
use crate::parse::syntax::{mentions, peel};
use crate::parse::text;

/// Something that the function borrows.
pub(crate) struct Borrowed {
    /// As the body names it.
    name: Ident,
    span: Span,
}

/// Refuses what cannot be copied: an exclusive borrow, and the boxed form of a method, which has
/// bound its arguments for one run already.
pub(crate) fn check(option: &str, value: &Expr, function: &Function, errors: &mut Errors) {
    if function.is_boxed() {
        errors.refuse(
            value,
            format!("`{option}` cannot be used under `#[async_trait]`"),
            "write the cached function outside of the trait, and call it from the method",
        );
    }
    for (name, ty) in function.inputs() {
        if let Some((cannot, help)) = unfit(&text::of(name), ty) {
            let message = format!("a load that goes on behind its caller cannot {cannot}");
            errors.refuse(ty, message, format!("{help}, or remove `{option}`"));
        }
    }
}

/// What a load cannot do with an argument of this type, as far as the text shows, and the remedy. What
/// is borrowed gets copied; what is borrowed inside of that would have no owner.
fn unfit(name: &str, ty: &Type) -> Option<(String, String)> {
    let lent = match peel(ty) {
        Type::Reference(reference) if reference.mutability.is_some() => {
            let help = format!("pass `{name}` by value or behind an `Arc`");
            return Some((format!("borrow `{name}` mutably"), help));
        }
        Type::Reference(reference) => &reference.elem,
        owned => owned,
    };
    if content::borrows(lent) {
        let help = "own what is inside, as in `Option<String>` for `Option<&str>`";
        return Some((
            format!("keep what `{name}` borrows inside"),
            help.to_owned(),
        ));
    }
    let shared = mentions(lent.to_token_stream(), "Rc");
    shared.then(|| {
        (
            format!("take the `Rc` of `{name}` along"),
            "pass an `Arc`".to_owned(),
        )
    })
}

/// What the function borrows.
fn borrowed(function: &Function) -> Vec<Borrowed> {
    let arguments = function.arguments().into_iter();
    let references = arguments.filter(|(_, ty)| matches!(peel(ty), Type::Reference(_)));
    references
        .map(|(name, ty)| Borrowed {
            name,
            span: ty.span(),
        })
        .collect()
}

/// What the function is given by value.
fn given<'f>(function: &'f Function, borrowed: &'f [Borrowed]) -> impl Iterator<Item = &'f Ident> {
    let values = function.parameters.iter();
    let values = values.filter(|parameter| parameter.kind == Kind::Value);
    let is_borrowed = |name: &Ident| borrowed.iter().any(|argument| argument.name == *name);
    values
        .map(|parameter| &parameter.ident)
        .filter(move |name| !is_borrowed(name))
}

/// `move || { let copy = held(name); let given = sent(given); …; move || async move { let name = copy.get();
/// …; BODY } }`, where `inner` makes the innermost part of what comes before the body and of the body's tokens.
/// That of a batch, which may load more than once, copies what it is given, and takes the missing ids.
pub(crate) fn load(
    function: &Function,
    batch: Option<&Batch>,
    p: &TokenStream,
    inner: impl FnOnce(&TokenStream) -> TokenStream,
) -> TokenStream {
    let here = Span::mixed_site();
    let is_kept = |name: &Ident| batch.is_none_or(|batch| batch.ids != *name);
    let mut borrowed = borrowed(function);
    borrowed.retain(|argument| is_kept(&argument.name));
    let given = given(function, &borrowed).filter(|name| is_kept(name));
    let given = given.map(|name| {
        let span = here.located_at(name.span());
        let p = crate::parse::syntax::at(p, span);
        let value = match batch {
            Some(_) => quote_spanned!(span=> #p::copy(&#name)),
            None => name.to_token_stream(),
        };
        let sent = quote_spanned!(span=> #p::sent(#value));
        quote_spanned!(here=> #[allow(unused_mut)] let mut #name = #sent;)
    });
    let copies: Vec<_> = (0..borrowed.len())
        .map(|i| format_ident!("__copy_{i}", span = here))
        .collect();
    let held = borrowed.iter().zip(&copies).map(|(argument, copy)| {
        let name = &argument.name;
        // Underlined at the type, if that cannot be copied.
        let span = here.located_at(argument.span);
        let p = crate::parse::syntax::at(p, span);
        quote_spanned!(span=> let #copy = #p::held(#name);)
    });
    let names = borrowed.iter().zip(&copies).map(|(argument, copy)| {
        let name = match argument.name == "self" {
            true => &this(argument.name.span()),
            false => &argument.name,
        };
        quote_spanned!(here=> #[allow(unused_variables)] let #name = #p::Held::get(&#copy);)
    });
    let names = quote_spanned!(here=> #(#names)*);
    let inner = inner(&names);
    let missing = batch.map(|_| quote_spanned!(here=> __missing));
    quote_spanned!(here=> move || { #(#held)* #(#given)* move |#missing| #inner })
}

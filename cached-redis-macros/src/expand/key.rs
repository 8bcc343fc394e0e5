//! The closures that render keys.
//!
//! Each has returned before anything is awaited: a temporary of it that lived across an await
//! would cost the future its `Send`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote_spanned;

use crate::check::key::{Key, Piece};
use crate::parse::syntax::at;
use crate::parse::template::Format;

/// `|k| { k.text("user:"); … }`
pub(super) fn key_writer(pieces: &[Piece], p: &TokenStream) -> TokenStream {
    let body = key_body(pieces, p);
    quote_spanned!(Span::mixed_site()=> |__k| { #body })
}

pub(super) fn key_body(pieces: &[Piece], p: &TokenStream) -> TokenStream {
    let here = Span::mixed_site();
    let displays = |piece: &Piece| {
        matches!(
            piece,
            Piece::Value {
                format: Format::Display,
                ..
            } | Piece::Result {
                format: Format::Display,
                ..
            }
        )
    };
    let probe = pieces.iter().any(displays).then(
        || quote_spanned!(here=> use #p::part::{ByDisplay as _, ByNumber as _, ByOption as _};),
    );
    let writes = pieces.iter().map(|piece| write_piece(piece, p));
    quote_spanned!(here=> #probe #(#writes)*)
}

fn write_piece(piece: &Piece, p: &TokenStream) -> TokenStream {
    let here = Span::mixed_site();
    match piece {
        Piece::Module => quote_spanned!(here=> __k.text(::core::module_path!());),
        Piece::Text(text) => quote_spanned!(here=> __k.text(#text);),
        Piece::Type(ty) | Piece::Outer(ty) => {
            let span = here.located_at(ty.span());
            quote_spanned!(span=> __k.name::<#ty>();)
        }
        Piece::Const(constant) => {
            let span = here.located_at(constant.span());
            quote_spanned!(span=> __k.display(&#constant);)
        }
        Piece::Value {
            place,
            span,
            format,
        } => write_value(place, *span, *format, p),
        Piece::Result { path, span, format } => {
            write_value(&quote_spanned!(here=> __value #path), *span, *format, p)
        }
    }
}

/// Underlined at the parameter, which is where a missing `Display` has to be mended.
fn write_value(place: &TokenStream, span: Span, format: Format, p: &TokenStream) -> TokenStream {
    let span = Span::mixed_site().located_at(span);
    let p = at(p, span);
    match format {
        Format::Display => quote_spanned! {span=>
            (&#p::part::Probe(&#place)).__cached_redis_part().write(&#place, __k);
        },
        Format::Debug => quote_spanned!(span=> __k.debug(&#place);),
        Format::Hash => quote_spanned!(span=> __k.hash(&#place);),
    }
}

/// The method that takes a target.
pub(super) fn adder(target: &Key) -> &'static str {
    match target.is_pattern() {
        true => "pattern",
        false => "key",
    }
}

/// Keys with `<result…>`. The body may move its parameters away, so what the key takes from them
/// is rendered before it, into fragments, and only the result's parts after it. With each comes the
/// name of the method that takes it.
pub(super) fn keys_of_result(
    targets: &[(&str, &Key)],
    p: &TokenStream,
) -> (Vec<TokenStream>, TokenStream) {
    let here = Span::mixed_site();
    let mut fragments = Vec::new();
    let mut keys = Vec::new();
    for (method, target) in targets {
        let needs_result = |piece: &Piece| matches!(piece, Piece::Result { .. });
        let runs = target
            .pieces
            .chunk_by(|left, right| needs_result(left) == needs_result(right));
        let writes = runs.map(|run| {
            if !run.iter().any(Piece::reads_parameter) {
                let body = key_body(run, p);
                return quote_spanned!(here=> { #body });
            }
            let name = Ident::new(&format!("__fragment{}", fragments.len()), here);
            let key = key_writer(run, p);
            fragments
                .push(quote_spanned!(here=> let #name = #p::Write::fragment(&mut __write, #key);));
            quote_spanned!(here=> __k.text(&#name);)
        });
        let writes: TokenStream = writes.collect();
        let method = Ident::new(method, here);
        keys.push(quote_spanned!(here=> #p::Write::#method(__write, |__k| { #writes });));
    }
    (fragments, keys.into_iter().collect())
}

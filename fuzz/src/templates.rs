//! Any text as a key template: the parser must not panic, must underline nothing but the text, and
//! what it accepts must be what was written and something that Rust can write as well.

use proc_macro2::{TokenStream, TokenTree};
use syn::{Expr, LitStr};

use crate::parse::errors::Errors;
use crate::parse::template::{Format, Part, Placeholder, Template};

/// Takes the bytes as a template.
///
/// # Panics
///
/// Where the parser breaks a promise.
pub fn check(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Ok(literal) = syn::parse_str::<LitStr>(&format!("{text:?}")) else {
        panic!("a quoted text is a literal");
    };
    let mut errors = Errors::default();
    let template = Template::parse(&literal, &mut errors);
    assert_eq!(template.sound, !errors.has_any());
    match template.sound {
        false => assert_within(&literal, errors.or(None, &TokenStream::new())),
        true => assert_as_written(&template, &text),
    }
    // Else the spans of all texts so far would be kept.
    proc_macro2::extra::invalidate_current_thread_spans();
}

/// Every mistake underlines the literal or a part of it.
fn assert_within(literal: &LitStr, mistakes: TokenStream) {
    let whole = literal.span().byte_range();
    for token in mistakes {
        let span = token.span().byte_range();
        assert!(
            whole.start <= span.start && span.end <= whole.end,
            "{span:?} is not in {whole:?}"
        );
        if let TokenTree::Group(group) = token {
            assert_within(literal, group.stream());
        }
    }
}

fn assert_as_written(template: &Template, text: &str) {
    let printed: String = template.parts.iter().map(printed).collect();
    assert_eq!(printed, text);
    for placeholder in template.placeholders() {
        assert!(is_place(placeholder), "`{}`", placeholder.written);
    }
}

/// The part as a template has it, from what was understood of it.
pub(crate) fn printed(part: &Part) -> String {
    match part {
        Part::Text(text) => text.clone(),
        Part::Placeholder(Placeholder {
            name, path, format, ..
        }) => {
            let steps: String = path.iter().map(|step| format!(".{step}")).collect();
            let format = match format {
                Format::Display => "",
                Format::Debug => ":?",
                Format::Hash => ":hash",
            };
            format!("<{name}{steps}{format}>")
        }
    }
}

/// Whether the path can be written as an expression, with raw identifiers where it has to be.
fn is_place(placeholder: &Placeholder) -> bool {
    placeholder.path.iter().all(|step| {
        let raw = syn::parse_str::<Expr>(&format!("value.r#{step}"));
        raw.is_ok() || step.parse::<u32>().is_ok()
    })
}

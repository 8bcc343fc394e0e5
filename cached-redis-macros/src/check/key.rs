//! A template meets the function: every name becomes the token it stands for.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::{Index, LitStr};

use crate::check::coverage::{skips, uses};
use crate::parse::errors::{Errors, list, near, near_value};
use crate::parse::parameter::{Kind, Parameter};
use crate::parse::signature::Function;
use crate::parse::template::{Format, Part, Placeholder, Template};

/// A key in which every placeholder has its meaning.
#[derive(Clone)]
pub(crate) struct Key {
    /// As written; for a default key what follows the module's path.
    pub(crate) template: String,
    pub(crate) pieces: Vec<Piece>,
    pub(crate) default: bool,
}

#[derive(Clone)]
pub(crate) enum Piece {
    /// The path of the function's module, which opens a default key.
    Module,
    Text(String),
    /// A place expression over the parameters, and the parameter's own span.
    Value {
        place: TokenStream,
        span: Span,
        format: Format,
    },
    Type(Ident),
    /// A type that is no parameter of the function: `Self`, or one of the `impl` around it.
    Outer(Ident),
    Const(Ident),
    /// What follows `<result`, a path into the `Ok` value, and the literal's span.
    Result {
        path: TokenStream,
        span: Span,
        format: Format,
    },
}

/// What `<result…>` means where the template stands.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Outcome {
    /// On readers: there is none when the key is rendered.
    Unknown,
    /// On writers that also invalidate after an error.
    Unsure,
    Ok,
}

impl Key {
    /// `None` where a placeholder means nothing, or the template is malformed.
    pub(crate) fn resolve(
        template: &Template,
        function: &Function,
        outcome: Outcome,
        errors: &mut Errors,
    ) -> Option<Self> {
        let resolver = Resolver {
            function,
            outcome,
            template,
        };
        let pieces: Vec<_> = template
            .parts
            .iter()
            .map(|part| resolver.piece(part, errors))
            .collect();
        let pieces = pieces
            .into_iter()
            .collect::<Option<_>>()
            .filter(|_| template.sound)?;
        Some(Self {
            template: template.literal.value(),
            pieces,
            default: false,
        })
    }

    /// `module::function:<a>:<b>` of all parameters that are not skipped.
    pub(crate) fn default_of(function: &Function, skipped: &[Ident]) -> Self {
        let kept = |parameter: &&Parameter| !skips(skipped, parameter);
        let mut template = format!("::{}", function.name().unraw());
        let mut text = template.clone();
        let mut pieces = vec![Piece::Module];
        for parameter in function.parameters.iter().filter(kept) {
            text.push(':');
            pieces.extend([Piece::Text(std::mem::take(&mut text)), Piece::of(parameter)]);
            template += &format!(":<{}>", parameter.name());
        }
        if !text.is_empty() {
            pieces.push(Piece::Text(text));
        }
        Self {
            template,
            pieces,
            default: true,
        }
    }

    /// Whether there is a wildcard in the text. One in a value is escaped, and a default key has none.
    pub(crate) fn is_pattern(&self) -> bool {
        self.pieces
            .iter()
            .any(|piece| matches!(piece, Piece::Text(text) if text.contains('*')))
    }

    /// The types around the function that it names.
    pub(crate) fn outer_types(&self) -> impl Iterator<Item = &Ident> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Outer(ty) => Some(ty),
            _ => None,
        })
    }

    pub(crate) fn needs_result(&self) -> bool {
        self.pieces
            .iter()
            .any(|piece| matches!(piece, Piece::Result { .. }))
    }
}

impl Piece {
    pub(crate) fn reads_parameter(&self) -> bool {
        matches!(self, Self::Value { .. })
    }

    fn of(parameter: &Parameter) -> Self {
        let ident = parameter.ident.clone();
        match parameter.kind {
            Kind::Type => Self::Type(ident),
            Kind::Const => Self::Const(ident),
            Kind::Value => Self::Value {
                span: ident.span(),
                place: quote!(#ident),
                format: Format::Display,
            },
        }
    }
}

struct Resolver<'a> {
    function: &'a Function,
    outcome: Outcome,
    template: &'a Template,
}

impl Resolver<'_> {
    fn piece(&self, part: &Part, errors: &mut Errors) -> Option<Piece> {
        match part {
            Part::Text(text) => Some(Piece::Text(text.clone())),
            Part::Placeholder(placeholder) => self.placeholder(placeholder, errors),
        }
    }

    fn placeholder(&self, written: &Placeholder, errors: &mut Errors) -> Option<Piece> {
        let parameter = self
            .function
            .parameters
            .iter()
            .find(|p| p.name() == written.name);
        match (parameter, written.name.as_str()) {
            (Some(parameter), _) if parameter.kind != Kind::Value => {
                self.generic(written, Piece::of(parameter), errors)
            }
            (Some(parameter), _) => self.value(written, parameter, errors),
            (None, "self") => self.receiver(written, errors),
            (None, "result") if self.outcome != Outcome::Unknown => self.result(written, errors),
            (None, name) if self.function.absent.iter().any(|absent| absent == name) => {
                self.absent(written, errors)
            }
            (None, name) if self.may_be_outer(name) => {
                let ty = Ident::new(name, self.literal().span());
                self.generic(written, Piece::Outer(ty), errors)
            }
            (None, _) => self.unknown(written, errors),
        }
    }

    /// Whether it is written as types are, and is no slip of the pen. An attribute cannot see what is
    /// around its function, so the compiler says whether there is such a type.
    fn may_be_outer(&self, name: &str) -> bool {
        name.starts_with(char::is_uppercase) && (name == "Self" || !self.is_slip(name))
    }

    /// Whether a parameter was meant: one that the template does not name as well. A single letter is
    /// the usual name of a type.
    fn is_slip(&self, name: &str) -> bool {
        let names = self.names();
        let unnamed: Vec<_> = names
            .iter()
            .map(String::as_str)
            .filter(|name| !uses(self.template, name))
            .collect();
        let is_type = self.function.mentions(name);
        name.chars().nth(1).is_some()
            && (near(name, &unnamed).is_some() || !is_type && near_value(name, &unnamed).is_some())
    }

    fn names(&self) -> Vec<String> {
        let parameters = self.function.parameters.iter();
        parameters.map(Parameter::name).collect()
    }

    fn literal(&self) -> &LitStr {
        &self.template.literal
    }

    fn generic(&self, written: &Placeholder, piece: Piece, errors: &mut Errors) -> Option<Piece> {
        if !written.path.is_empty() || written.format != Format::Display {
            let message = format!("`{}` asks too much of a generic parameter", written.written);
            return errors.refused(
                self.literal(),
                message,
                format!("write `<{}>`", written.name),
            );
        }
        Some(piece)
    }

    /// `Debug` of a float is not one text per value: `0.0` and `-0.0` are equal and differ, `NaN`
    /// is one text for many.
    fn value(
        &self,
        written: &Placeholder,
        parameter: &Parameter,
        errors: &mut Errors,
    ) -> Option<Piece> {
        let ident = &parameter.ident;
        if parameter.float && written.format == Format::Debug && written.path.is_empty() {
            let message = format!("`{}` would render a float by `Debug`", written.written);
            let help = format!(
                "write `<{0}>`, or `<{0}:hash>` for a compound",
                written.name
            );
            return errors.refused(ident, message, help);
        }
        let path = self.path(written);
        let format = written.format;
        Some(Piece::Value {
            place: quote!(#ident #path),
            span: ident.span(),
            format,
        })
    }

    fn receiver(&self, written: &Placeholder, errors: &mut Errors) -> Option<Piece> {
        let Some(receiver) = self.function.receiver else {
            let message = format!(
                "`{}` needs a receiver, and the function has none",
                written.written
            );
            return errors.refused(self.literal(), message, "add `&self`, or name a parameter");
        };
        let path = self.path(written);
        let format = written.format;
        Some(Piece::Value {
            place: quote!(#receiver #path),
            span: receiver.span,
            format,
        })
    }

    fn result(&self, written: &Placeholder, errors: &mut Errors) -> Option<Piece> {
        if self.outcome == Outcome::Unsure {
            let message = format!("`{}` has no value after an error", written.written);
            return errors.refused(
                self.literal(),
                message,
                "add `when = \"ok\"`, or name a parameter instead",
            );
        }
        let span = self.literal().span();
        Some(Piece::Result {
            path: self.path(written),
            span,
            format: written.format,
        })
    }

    fn absent(&self, written: &Placeholder, errors: &mut Errors) -> Option<Piece> {
        let message = format!(
            "`{}` names a parameter that its `#[cfg]` takes away here",
            written.written
        );
        let help = "write one attribute for each configuration: `#[cfg_attr(…, …)]`";
        errors.refused(self.literal(), message, help)
    }

    fn unknown(&self, written: &Placeholder, errors: &mut Errors) -> Option<Piece> {
        let names = self.names();
        let known: Vec<_> = names.iter().map(String::as_str).collect();
        let meant = near_value(&written.name, &known)
            .map(|meant| format!("did you mean `<{meant}>`? "))
            .unwrap_or_default();
        let help = match names.as_slice() {
            [] => "the function has no parameters to name".to_owned(),
            _ => format!("{meant}its parameters: {}", list(&names)),
        };
        let message = format!(
            "`{}` names no parameter of `{}`",
            written.written,
            self.function.name()
        );
        errors.refused(self.literal(), message, help)
    }

    /// `.field.0`
    fn path(&self, written: &Placeholder) -> TokenStream {
        let span = Span::mixed_site().located_at(self.literal().span());
        written
            .path
            .iter()
            .map(|step| {
                let member = member(step, span);
                quote_spanned!(span=> .#member)
            })
            .collect()
    }
}

fn member(step: &str, span: Span) -> TokenStream {
    if let Ok(index) = step.parse() {
        return Index { index, span }.into_token_stream();
    }
    // Raw, since what is a keyword depends on the edition: here that of this crate, in the user's field
    // that of theirs.
    Ident::new_raw(step, span).into_token_stream()
}

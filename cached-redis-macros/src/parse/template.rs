//! `"user:<id>"` → text and placeholders.
//!
//! Two values must never make one key. Values are escaped where they are rendered, so what
//! is left to a template is to keep neighbours apart: between two placeholders there must stand a
//! character that no escaped value contains.

use proc_macro2::Ident;
use syn::LitStr;
use syn::ext::IdentExt as _;
use syn::parse::Parser as _;

use crate::parse::errors::Errors;

/// The characters that never appear in what a value contributes. `%` is escaped as well but is
/// no boundary, since it starts every escape.
const BOUNDARIES: &[char] = &[':', '*', '?', '[', ']', '{', '}', '\\', ' '];

/// A template; what its names mean is not known yet.
#[derive(Clone)]
pub(crate) struct Template {
    pub(crate) literal: LitStr,
    pub(crate) parts: Vec<Part>,
    /// Whether it has the right form. Where it has not, the parts that could be read are kept, so
    /// that mistakes of another kind are found in the same build.
    pub(crate) sound: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Part {
    Text(String),
    Placeholder(Placeholder),
}

/// `<name.field.0:?>`
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Placeholder {
    pub(crate) name: String,
    pub(crate) path: Vec<String>,
    pub(crate) format: Format,
    /// With its brackets, for messages.
    pub(crate) written: String,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Format {
    Display,
    Debug,
    Hash,
}

impl Template {
    /// Reads the literal of a key.
    pub(crate) fn parse(literal: &LitStr, errors: &mut Errors) -> Self {
        Self::of("key", literal, errors)
    }

    /// Reads the literal of a tag.
    pub(crate) fn tag(literal: &LitStr, errors: &mut Errors) -> Self {
        Self::of("tag", literal, errors)
    }

    fn of(what: &'static str, literal: &LitStr, errors: &mut Errors) -> Self {
        let mut scan = Scan {
            what,
            literal,
            errors,
            parts: Vec::new(),
            sound: true,
        };
        let text = literal.value();
        if text.is_empty() {
            let message = format!("the {what} is empty");
            scan.refuse(&message, "write something like `\"user:<id>\"`");
        }
        scan.run(&text);
        scan.check_boundaries();
        let Scan { parts, sound, .. } = scan;
        Self {
            literal: literal.clone(),
            parts,
            sound,
        }
    }

    pub(crate) fn placeholders(&self) -> impl Iterator<Item = &Placeholder> {
        self.parts.iter().filter_map(|part| match part {
            Part::Placeholder(placeholder) => Some(placeholder),
            Part::Text(_) => None,
        })
    }
}

struct Scan<'a> {
    /// What the template makes, for messages.
    what: &'static str,
    literal: &'a LitStr,
    errors: &'a mut Errors,
    parts: Vec<Part>,
    sound: bool,
}

impl Scan<'_> {
    fn refuse(&mut self, message: &str, help: &str) {
        self.errors.refuse(self.literal, message, help);
        self.sound = false;
    }

    fn run(&mut self, mut rest: &str) {
        while let Some(at) = rest.find(['<', '>']) {
            self.text(&rest[..at]);
            let after = &rest[at + 1..];
            rest = if rest[at..].starts_with('<') {
                self.opened(after)
            } else {
                self.refuse(
                    &format!("stray `>` in the {}", self.what),
                    "write `<name>` for a parameter; values never need a literal `>`",
                );
                after
            };
        }
        self.text(rest);
    }

    fn text(&mut self, text: &str) {
        if !text.is_empty() {
            self.parts.push(Part::Text(text.to_owned()));
        }
    }

    /// What follows a `<`; returns what is left to read.
    fn opened<'t>(&mut self, after: &'t str) -> &'t str {
        if let Some(rest) = after.strip_prefix('<') {
            self.refuse(
                &format!("`<<` in the {}", self.what),
                "a literal `<` cannot be written; write `<name>` for a parameter",
            );
            return rest;
        }
        match after.find(['<', '>']) {
            Some(end) if after[end..].starts_with('>') => {
                self.placeholder(&after[..end]);
                &after[end + 1..]
            }
            end => {
                let message = format!("unclosed `<` in the {}", self.what);
                self.refuse(&message, "close the placeholder with `>`");
                &after[end.unwrap_or(after.len())..]
            }
        }
    }

    fn placeholder(&mut self, inner: &str) {
        let written = format!("<{inner}>");
        let (place, format) = inner.split_once(':').unwrap_or((inner, ""));
        let format = match format {
            "" if !inner.ends_with(':') => Format::Display,
            "?" => Format::Debug,
            "hash" => Format::Hash,
            _ => return self.refuse(
                &format!("unknown format in `{written}`"),
                "write `<name>`, `<name:?>` for `Debug` or `<name:hash>` for anything that serializes",
            ),
        };
        let mut steps = place.split('.').map(str::to_owned);
        let name = steps.next().unwrap_or_default();
        let path: Vec<_> = steps.collect();
        if place.is_empty() {
            self.refuse(
                &format!("empty placeholder `{written}`"),
                "write the parameter's name inside the brackets",
            );
        } else if !is_ident(&name) || !path.iter().all(|step| is_field(step) || is_index(step)) {
            self.refuse(
                &format!("`{written}` is no placeholder"),
                "write `<name>`, `<name.field>` or `<name.0>`",
            );
        } else {
            self.parts.push(Part::Placeholder(Placeholder {
                name,
                path,
                format,
                written,
            }));
        }
    }

    /// `<a><b>` and `<a>-<b>` cannot tell `("1", "2-3")` from `("1-2", "3")`.
    fn check_boundaries(&mut self) {
        let mixed: Vec<_> = self
            .parts
            .windows(3)
            .filter_map(between)
            .chain(self.parts.windows(2).filter_map(touching))
            .collect();
        for (left, separator, right) in mixed {
            let written = format!("{left}{separator}{right}");
            let kept_apart = format!("{left}:{right}");
            self.refuse(
                &format!(
                    "nothing keeps the values of `{written}` apart, so two calls could share a {}",
                    self.what
                ),
                &format!("put a `:` between them: `{kept_apart}`"),
            );
        }
    }
}

/// Two placeholders with a text between them that a value could contain.
fn between(parts: &[Part]) -> Option<(String, String, String)> {
    match parts {
        [
            Part::Placeholder(left),
            Part::Text(text),
            Part::Placeholder(right),
        ] if !text.contains(BOUNDARIES) && !text.contains(char::is_control) => {
            Some((left.written.clone(), text.clone(), right.written.clone()))
        }
        _ => None,
    }
}

fn touching(parts: &[Part]) -> Option<(String, String, String)> {
    match parts {
        [Part::Placeholder(left), Part::Placeholder(right)] => {
            Some((left.written.clone(), String::new(), right.written.clone()))
        }
        _ => None,
    }
}

/// Keywords count: `<type>` names the parameter `r#type`, and `<self>` the receiver.
fn is_ident(text: &str) -> bool {
    text != "_"
        && Ident::parse_any
            .parse_str(text)
            .is_ok_and(|ident| ident == text)
}

/// The field `r#type` is `<name.type>`. Four keywords cannot be raw, so no field has their names.
fn is_field(text: &str) -> bool {
    is_ident(text)
        && !text.starts_with("r#")
        && !matches!(text, "self" | "Self" | "super" | "crate")
}

fn is_index(text: &str) -> bool {
    text.parse::<u32>()
        .is_ok_and(|index| index.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proc_macro2::Span;

    fn mistakes(text: &str) -> String {
        let mut errors = Errors::default();
        let parsed = Template::parse(&LitStr::new(text, Span::call_site()), &mut errors);
        let found = errors.found.into_iter().map(|(_, text)| text);
        let found = found.collect::<Vec<_>>().join("\n");
        assert_eq!(parsed.sound, found.is_empty(), "{text}");
        found
    }

    fn written(text: &str) -> Vec<String> {
        let mut errors = Errors::default();
        let literal = LitStr::new(text, Span::call_site());
        let template = Template::parse(&literal, &mut errors);
        let show = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Placeholder(p) => format!("{}|{}|{:?}", p.name, p.path.join("|"), p.format),
        };
        template.parts.iter().map(show).collect()
    }

    #[test]
    fn every_form_of_placeholder_is_read() {
        assert_eq!(
            written("cart:{<user.team.0>}:<q:?>:<f:hash>:<type>"),
            [
                "cart:{",
                "user|team|0|Display",
                "}:",
                "q||Debug",
                ":",
                "f||Hash",
                ":",
                "type||Display"
            ]
        );
    }

    #[test]
    fn malformed_placeholders_are_refused() {
        for (text, message) in [
            ("", "the key is empty"),
            ("user:<id", "unclosed"),
            ("user:<id:<x>", "unclosed"),
            ("user:id>", "stray"),
            ("user:<<id>", "`<<`"),
            ("user:<>", "empty placeholder"),
            ("user:<:?>", "empty placeholder"),
            ("user:< id >", "is no placeholder"),
            ("user:<id.>", "is no placeholder"),
            ("user:<id.+1>", "is no placeholder"),
            ("user:<id.self>", "is no placeholder"),
            ("user:<id.r#type>", "is no placeholder"),
            ("user:<1>", "is no placeholder"),
            ("user:<_>", "is no placeholder"),
            ("user:<id:x>", "unknown format"),
            ("user:<id:>", "unknown format"),
        ] {
            assert!(
                mistakes(text).contains(message),
                "{text}: {}",
                mistakes(text)
            );
        }
    }

    #[test]
    fn all_mistakes_of_one_template_are_reported() {
        let found = mistakes("<>:<a:x>:b>");
        assert!(found.contains("empty") && found.contains("format") && found.contains("stray"));
    }

    #[test]
    fn only_an_escaped_character_keeps_values_apart() {
        for text in ["<a><b>", "<a>-<b>", "<a>%<b>", "<a>/<b>"] {
            assert!(mistakes(text).contains("apart"), "{text}");
        }
        for text in ["<a>:<b>", "<a>-:<b>", "{<a>}<b>", "<a> <b>"] {
            assert!(mistakes(text).is_empty(), "{text}");
        }
    }
}

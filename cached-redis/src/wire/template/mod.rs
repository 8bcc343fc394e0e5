//! What key templates have in common, for the catalogue. The text itself is parsed at compile time
//! by the attributes; here it is known to be well formed.

mod automaton;
pub(crate) mod values;

use self::automaton::Automaton;

/// A template as the steps of its text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Template(Vec<Step>);

/// One step of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    /// This very character.
    Text(char),
    /// Any value of what is known of it.
    Value(Format, Holds),
    /// Any text: the wildcard of a pattern.
    Any,
}

/// How a value is rendered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Format {
    Display,
    Debug,
    Hash,
}

/// What is known of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Holds {
    /// It may be any text.
    Anything,
    /// It is taken for nothing that is written in a template.
    Nothing,
    /// Its type, maybe inside an `Option`.
    Value { kind: Kind, optional: bool },
}

/// A type, as far as its texts go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Text,
    Bool,
    /// An address of the network.
    Address,
    /// An integer of at most so many digits.
    Integer {
        signed: bool,
        digits: u8,
    },
}

impl Holds {
    /// Whether `<x>` and `<x:?>` are one text.
    fn is_plain(self) -> bool {
        let Self::Value { kind, optional } = self else {
            return false;
        };
        kind != Kind::Text && !optional
    }
}

impl Template {
    /// One whose values may be any text.
    pub(crate) fn new(text: &str) -> Self {
        Self::of(text, |_| Holds::Anything)
    }

    /// One whose values are as `holds` tells of what stands in the placeholder before its format.
    pub(crate) fn of(text: &str, holds: impl Fn(&str) -> Holds) -> Self {
        let mut steps = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            if c == '<' {
                let (placeholder, after) = rest.split_once('>').unwrap_or((rest, ""));
                steps.push(value(placeholder, &holds));
                rest = after;
            } else {
                steps.push(Step::Text(c));
            }
        }
        Self(steps)
    }

    /// The same with its stars as wildcards.
    pub(crate) fn pattern(text: &str) -> Self {
        let mut pattern = Self::new(text);
        for step in &mut pattern.0 {
            if *step == Step::Text('*') {
                *step = Step::Any;
            }
        }
        pattern
    }

    /// The same, whatever its values are.
    pub(crate) fn without_types(mut self) -> Self {
        for step in &mut self.0 {
            if let Step::Value(_, holds) = step {
                *holds = Holds::Anything;
            }
        }
        self
    }

    /// The same, however its values are rendered.
    pub(crate) fn without_formats(mut self) -> Self {
        for step in &mut self.0 {
            if let Step::Value(format, _) = step {
                *format = Format::Display;
            }
        }
        self
    }

    /// Whether some values make the two one text. Values that are rendered differently count as two.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        meet(&self.0, &other.0, true)
    }

    /// Whether the two can make one text from any values.
    pub(crate) fn collides(&self, other: &Self) -> bool {
        meet(&self.0, &other.0, false)
    }
}

fn value(placeholder: &str, holds: impl Fn(&str) -> Holds) -> Step {
    match placeholder.split_once(':') {
        None => Step::Value(Format::Display, holds(placeholder)),
        Some((_, "hash")) => Step::Value(Format::Hash, Holds::Anything),
        Some((name, _)) => match holds(name) {
            plain if plain.is_plain() => Step::Value(Format::Display, plain),
            holds => Step::Value(Format::Debug, holds),
        },
    }
}

/// Most templates differ in their first words.
fn meet(a: &[Step], b: &[Step], by_format: bool) -> bool {
    match (a, b) {
        ([Step::Text(x), a @ ..], [Step::Text(y), b @ ..]) => x == y && meet(a, b, by_format),
        _ => Automaton::new(a).meets(&Automaton::new(b), by_format),
    }
}

/// The template with its placeholders emptied, as one text.
pub(crate) fn outline(template: &str) -> String {
    let mut outline = String::with_capacity(template.len());
    let mut inside = false;
    for c in template.chars() {
        inside &= c != '>';
        if !inside {
            outline.push(c);
        }
        inside |= c == '<';
    }
    outline
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overlap(template: &str, target: &str) -> bool {
        Template::new(template).meets(&Template::pattern(target))
    }

    #[test]
    fn names_of_placeholders_do_not_matter() {
        let same = |a, b| Template::new(a) == Template::new(b);
        assert!(same("user:<id:?>", "user:<user_id:?>"));
        assert!(!same("user:<id>", "users:<id>"));
        assert!(!same("user:<id>", "user:<id:hash>"));
    }

    #[test]
    fn an_outline_is_the_same_whatever_the_names() {
        assert_eq!(outline("{<a>}:user:<id:?>:x"), "{<>}:user:<>:x");
        assert_eq!(outline("config"), "config");
    }

    #[test]
    fn templates_overlap_when_some_values_make_them_equal() {
        assert!(overlap("user:<id>", "user:<result.id>"));
        assert!(overlap("config:<name>", "config:main"));
        assert!(overlap("a:<x>:b", "a:c:<y>"));
        assert!(overlap("a:<x>-<y>", "a:<z>"));
        assert!(!overlap("user:<id>", "user:<id>:items"));
        assert!(!overlap("user:<id>", "users:<id>"));
        assert!(!overlap("config:<name>", "config:main:eu"));
        assert!(!overlap("user:<id>", ""));
    }

    #[test]
    fn values_of_different_formats_never_make_templates_equal() {
        for (a, b) in [("", ":?"), ("", ":hash"), (":?", ":hash")] {
            let (a, b) = (format!("page:<q{a}>"), format!("page:<q{b}>"));
            assert!(overlap(&a, &a) && !overlap(&a, &b) && !overlap(&b, &a));
            assert!(overlap(&a, "page:*") && overlap(&b, "*"));
            let erased = |text| Template::new(text).without_formats();
            assert!(erased(&a).meets(&erased(&b)));
        }
        let hash = "0123456789abcdef0123456789abcdef";
        assert!(overlap("page:<q:hash>", &format!("page:{hash}")));
        for other in ["page:00ff", "page:latest", "page:", &hash.to_uppercase()] {
            assert!(!overlap("page:<q:hash>", other), "{other} is no hash");
        }
    }

    const TEXT: Kind = Kind::Text;
    const U8: Kind = integer(false, 3);
    const I64: Kind = integer(true, 19);

    const fn integer(signed: bool, digits: u8) -> Kind {
        Kind::Integer { signed, digits }
    }

    const fn value(kind: Kind, optional: bool) -> Holds {
        Holds::Value { kind, optional }
    }

    #[test]
    fn a_text_collides_with_a_template_exactly_if_some_value_renders_as_it() {
        let optional = |kind| value(kind, true);
        let plain = |kind| value(kind, false);
        for (holds, format, texts, others) in [
            (plain(U8), "", "0 7 255", "- -7 007 -0 1000 7- a %none %37"),
            (plain(U8), ":?", "0 7 255", "-7 None Some(7)"),
            (
                plain(I64),
                "",
                "0 -7 9223372036854775807",
                "- -0 --7 7-7 -07",
            ),
            (plain(Kind::Bool), "", "true false", "yes True truefalse"),
            (plain(Kind::Bool), ":?", "true false", "\"true\""),
            (
                plain(Kind::Address),
                "",
                "127.0.0.1 %3A%3A1",
                "localhost %none",
            ),
            (
                plain(TEXT),
                "",
                "a -7 %25none %C3%A9 a%20b é",
                "% %none 50% %2 %zz %c3 a*",
            ),
            (plain(TEXT), ":?", "\"\" \"a%20b\"", "a \" \"a %none"),
            (optional(U8), "", "7 %none", "%None none -7"),
            (optional(U8), ":?", "None Some(7)", "7 %none Some(-7)"),
            (optional(TEXT), "", "a %none none", "% %non"),
            (optional(TEXT), ":?", "None Some(\"a\")", "a Some(a)"),
            (Holds::Anything, "", "a %none", "% a:b"),
            (Holds::Nothing, "", "", "a 7 %none"),
        ] {
            let template = Template::of(&format!("x:<x{format}>"), |_| holds);
            let collides = |text| template.collides(&Template::new(&format!("x:{text}")));
            for text in texts.split_whitespace() {
                assert!(collides(text), "{holds:?}{format} renders as {text}");
            }
            for other in others.split_whitespace() {
                assert!(
                    !collides(other),
                    "{holds:?}{format} never renders as {other}"
                );
            }
            assert_eq!(
                collides(""),
                matches!(format, "")
                    && matches!(holds, Holds::Anything | Holds::Value { kind: TEXT, .. })
            );
        }
    }

    #[test]
    fn templates_collide_exactly_if_one_text_comes_from_both() {
        let of = |holds: Holds, text| Template::of(text, move |_| holds);
        let [text, number, some, flag] = [
            value(TEXT, false),
            value(U8, false),
            value(U8, true),
            value(Kind::Bool, false),
        ];
        for (a, b, collide) in [
            (of(text, "x:<x>"), of(text, "x:<x:?>"), true),
            (of(text, "x:<x>"), of(number, "x:<x:hash>"), true),
            (of(text, "x:<x:?>"), of(text, "x:<x:hash>"), false),
            (of(number, "x:<x>"), of(text, "x:<x:hash>"), false),
            (of(text, "x:<x>-<y>"), of(number, "x:<x>"), false),
            (
                of(number, "x:<x>-<y>"),
                of(value(I64, false), "x:-<x>"),
                false,
            ),
            (of(number, "x:<x>-<y>"), of(text, "x:<x>"), true),
            (of(number, "x:<x>%:a"), of(text, "x:<x>:a"), false),
            (of(some, "x:<x>:<y>"), of(text, "x:<x>:%none"), true),
            (of(some, "x:<x>"), of(text, "x:%25<x>"), false),
            (of(flag, "x:<x>"), of(number, "x:<x>"), false),
            (of(Holds::Nothing, "x:<x>:a"), of(number, "x:<x>:a"), true),
            (of(Holds::Nothing, "x:<x>:a"), of(text, "x:<x:?>:a"), false),
            (of(Holds::Nothing, "x:<x>:a"), of(text, "x:1:<x>"), false),
        ] {
            assert_eq!(
                [a.collides(&b), b.collides(&a)],
                [collide; 2],
                "{a:?} {b:?}"
            );
        }
    }

    #[test]
    fn numbers_are_rendered_alike_with_and_without_debug() {
        let of = |holds, text| Template::of(text, move |_| holds);
        let (number, some, text) = (value(U8, false), value(U8, true), value(TEXT, false));
        assert_eq!(of(number, "a:<id>"), of(number, "a:<n:?>"));
        assert!(of(number, "a:<id>").meets(&Template::new("a:<id:?>")));
        assert!(of(number, "a:<id:?>").meets(&Template::new("a:<id>")));
        assert!(!of(number, "a:<id>").meets(&Template::new("a:<id:hash>")));
        for other in [some, text, Holds::Anything] {
            assert_ne!(of(other, "a:<id>"), of(other, "a:<n:?>"));
            assert!(!of(other, "a:<id>").meets(&Template::new("a:<id:?>")));
        }
    }

    #[test]
    fn a_pattern_overlaps_what_it_can_match() {
        assert!(overlap("user:<id>:items", "user:<id>:*"));
        assert!(overlap("user:<id>:a:<b>", "user:<id>:*"));
        assert!(overlap("user:<id>", "user:*"));
        assert!(overlap("user:<id>", "*er:4*2"));
        assert!(overlap("a:<x>:b", "*:*b"));
        assert!(!overlap("user:<id>", "user:<id>:*"));
        assert!(!overlap("user:<id>:items", "users:*"));
        assert!(!overlap("a:<x>", "a:*:b"));
        assert!(!overlap("a:*", "a:b"), "a star of a cached key is a star");
    }
}

//! What key templates have in common, for the catalogue. The text itself is parsed at compile time
//! by the attributes; here it is known to be well formed.

/// A template as the steps of its text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Template(Vec<Step>);

/// One step of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    /// This very character.
    Text(char),
    /// Any value of a kind; values contain no character that templates use to separate them.
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

/// What the text of a value may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Holds {
    /// Whatever values may contain.
    Text,
    /// An integer.
    Digits,
    /// Nothing that is written in a template.
    Nothing,
}

impl Template {
    /// One whose values may be any text.
    pub(crate) fn new(text: &str) -> Self {
        Self::of(text, |_| Holds::Text)
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

    /// The same, however its values are rendered.
    pub(crate) fn without_formats(mut self) -> Self {
        for step in &mut self.0 {
            if let Step::Value(format, _) = step {
                *format = Format::Display;
            }
        }
        self
    }

    /// Whether some values make the two one text.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        meet(&self.0, &other.0)
    }
}

fn value(placeholder: &str, holds: impl Fn(&str) -> Holds) -> Step {
    match placeholder.split_once(':') {
        None => Step::Value(Format::Display, holds(placeholder)),
        Some((_, "hash")) => Step::Value(Format::Hash, Holds::Text),
        Some((name, _)) => Step::Value(Format::Debug, holds(name)),
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

/// Most templates differ in their first words. Those that do not are compared from their ends: each cell
/// says whether what begins there meets, so that no rest is looked at twice.
fn meet(a: &[Step], b: &[Step]) -> bool {
    if let ([Step::Text(x), a @ ..], [Step::Text(y), b @ ..]) = (a, b) {
        return x == y && meet(a, b);
    }
    let mut cells = vec![vec![false; b.len() + 1]; a.len() + 1];
    for i in (0..=a.len()).rev() {
        for j in (0..=b.len()).rev() {
            let at = |down: usize, right: usize| cells[i + down][j + right];
            cells[i][j] = match (a.get(i), b.get(j)) {
                (None, None) => true,
                (Some(a), None) => a.may_be_empty() && at(1, 0),
                (None, Some(b)) => b.may_be_empty() && at(0, 1),
                (Some(a), Some(b)) => {
                    a.may_be_empty() && at(1, 0)
                        || b.may_be_empty() && at(0, 1)
                        || a.takes(*b) && at(0, 1)
                        || b.takes(*a) && at(1, 0)
                        || (a == b || a.takes(*b) || b.takes(*a)) && at(1, 1)
                }
            };
        }
    }
    cells[0][0]
}

impl Step {
    fn may_be_empty(self) -> bool {
        matches!(self, Self::Any | Self::Value(Format::Display, Holds::Text))
    }

    /// Whether its text can contain `other`: separators are escaped in values.
    fn takes(self, other: Self) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (Self::Value(format, _), Self::Value(of, _)) => format == of,
            (Self::Value(Format::Hash, _), Self::Text(c)) => c.is_ascii_hexdigit(),
            (Self::Value(_, Holds::Digits), Self::Text(c)) => c.is_ascii_digit() || c == '-',
            (Self::Value(_, Holds::Text), Self::Text(c)) => !":*?[]{}<>\\ ".contains(c),
            _ => false,
        }
    }
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
        assert!(overlap("page:<q:hash>", "page:00ff"));
        assert!(!overlap("page:<q:hash>", "page:latest"));
        assert!(!overlap("page:<q:hash>", "page:"), "a hash is never empty");
    }

    #[test]
    fn integers_are_digits() {
        let of = |holds| Template::of("a:<id>:<n>", move |_| holds);
        let meets = |holds, other| of(holds).meets(&Template::new(other));
        assert!(meets(Holds::Digits, "a:1:-7") && meets(Holds::Digits, "a:<x>:<y>"));
        assert!(!meets(Holds::Digits, "a:latest:1") && !meets(Holds::Digits, "a::1"));
        assert!(meets(Holds::Text, "a:latest:1"));
        assert!(meets(Holds::Nothing, "a:<x>:<y>") && !meets(Holds::Nothing, "a:<x>:1"));
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

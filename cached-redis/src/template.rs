//! What key templates have in common, for the catalogue. The text itself is parsed at compile time
//! by the attributes; here it is known to be well formed.

/// One step of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// This very character.
    Text(char),
    /// Any value; values contain no character that templates use to separate them.
    Value,
    /// Any text: the wildcard of a pattern.
    Any,
}

/// The template without the names of its placeholders.
pub(crate) fn shape(template: &str) -> Vec<Step> {
    let mut steps = Vec::with_capacity(template.len());
    let mut chars = template.chars();
    while let Some(c) = chars.next() {
        if c == '<' {
            chars.by_ref().find(|c| *c == '>');
            steps.push(Step::Value);
        } else {
            steps.push(Step::Text(c));
        }
    }
    steps
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

/// Whether some values make a key of `template` one that `target` invalidates.
pub(crate) fn overlap(template: &str, target: &str) -> bool {
    let mut pattern = shape(target);
    for step in &mut pattern {
        if *step == Step::Text('*') {
            *step = Step::Any;
        }
    }
    meets(&shape(template), &pattern)
}

fn meets(a: &[Step], b: &[Step]) -> bool {
    match (a, b) {
        ([], []) => true,
        ([Step::Text(x), a @ ..], [Step::Text(y), b @ ..]) => x == y && meets(a, b),
        ([Step::Value | Step::Any, ..], _) => spans(a, b),
        (_, [Step::Value | Step::Any, ..]) => spans(b, a),
        _ => false,
    }
}

/// Whether they meet, where `a` begins with a value or a wildcard. It ends here, or takes one more
/// step of the other one.
fn spans(a: &[Step], b: &[Step]) -> bool {
    let [first, rest @ ..] = a else { return false };
    let more = |(step, others): (&Step, &[Step])| takes(*first, *step) && meets(a, others);
    meets(rest, b) || b.split_first().is_some_and(more)
}

/// Whether the text of `step` can contain `other`: separators are escaped in values.
fn takes(step: Step, other: Step) -> bool {
    match (step, other) {
        (Step::Value, Step::Text(c)) => !":*?[]{}<>\\ ".contains(c),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_placeholders_do_not_matter() {
        assert_eq!(shape("user:<id>"), shape("user:<user_id:?>"));
        assert_ne!(shape("user:<id>"), shape("users:<id>"));
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
        assert!(!overlap("user:<id>", "user:<id>:items"));
        assert!(!overlap("user:<id>", "users:<id>"));
        assert!(!overlap("config:<name>", "config:main:eu"));
        assert!(!overlap("user:<id>", ""));
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

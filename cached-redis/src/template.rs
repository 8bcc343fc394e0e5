//! What key templates have in common, for the catalogue. The text itself is parsed at compile time
//! by the attributes; here it is known to be well formed.

/// One step of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// This very character.
    Text(char),
    /// Any value; values contain no character that templates use to separate them.
    Value,
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

/// Whether some values make the two templates the same key.
pub(crate) fn overlap(a: &str, b: &str) -> bool {
    meets(&shape(a), &shape(b))
}

fn meets(a: &[Step], b: &[Step]) -> bool {
    match (a, b) {
        ([], []) => true,
        ([Step::Value, rest @ ..], []) | ([], [Step::Value, rest @ ..]) => meets(rest, &[]),
        ([], _) | (_, []) => false,
        ([Step::Text(x), a @ ..], [Step::Text(y), b @ ..]) => x == y && meets(a, b),
        // A value ends here, or takes one more step of the other template.
        ([Step::Value, rest @ ..], [step, others @ ..]) => {
            meets(rest, b) || (fits(*step) && meets(a, others))
        }
        ([step, others @ ..], [Step::Value, rest @ ..]) => {
            meets(a, rest) || (fits(*step) && meets(others, b))
        }
    }
}

/// Whether a value can contain this step: separators are escaped in values.
fn fits(step: Step) -> bool {
    match step {
        Step::Text(c) => !":*?[]{}<>\\ ".contains(c),
        Step::Value => true,
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
    fn templates_overlap_when_some_values_make_them_equal() {
        assert!(overlap("user:<id>", "user:<result.id>"));
        assert!(overlap("config:<name>", "config:main"));
        assert!(overlap("a:<x>:b", "a:c:<y>"));
        assert!(!overlap("user:<id>", "user:<id>:items"));
        assert!(!overlap("user:<id>", "users:<id>"));
        assert!(!overlap("config:<name>", "config:main:eu"));
        assert!(!overlap("user:<id>", ""));
    }
}

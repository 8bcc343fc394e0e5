//! The values that a template has made a key of, as far as the key tells.
//!
//! A value has none of the characters that separate, and a template has one of them between two values: so there
//! is one way to take a key apart.

use crate::wire::key::separates;

/// A piece of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece<'t> {
    Text(&'t str),
    /// What stands between `<` and `>`.
    Value(&'t str),
}

/// The pieces, in their order.
pub(crate) fn pieces(template: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = template;
    while !rest.is_empty() {
        let (text, after) = rest.split_once('<').unwrap_or((rest, ""));
        if !text.is_empty() {
            pieces.push(Piece::Text(text));
        }
        rest = after;
        if let Some((value, after)) = after.split_once('>') {
            pieces.push(Piece::Value(value));
            rest = after;
        }
    }
    pieces
}

/// What each placeholder has become in `key`; `None`: it is no key of this template, or was cut short.
pub(crate) fn values<'t, 'k>(template: &'t str, key: &'k str) -> Option<Vec<(&'t str, &'k str)>> {
    let (mut values, mut rest) = (Vec::new(), key);
    let pieces = pieces(template);
    for (at, piece) in pieces.iter().enumerate() {
        match piece {
            Piece::Text(text) => rest = rest.strip_prefix(text)?,
            Piece::Value(name) => {
                let end = match pieces.get(at + 1) {
                    Some(Piece::Text(next)) => rest.find(next)?,
                    _ => rest.len(),
                };
                let (value, after) = rest.split_at(end);
                if value.contains(separates) {
                    return None;
                }
                values.push((*name, value));
                rest = after;
            }
        }
    }
    rest.is_empty().then_some(values)
}

/// The text of a template whose placeholders are these, as they stand in a key already; `None`: one is missing.
pub(crate) fn fill(template: &str, values: &[(&str, &str)]) -> Option<String> {
    let text = |piece: &Piece<'_>| match piece {
        Piece::Text(text) => Some((*text).to_owned()),
        Piece::Value(name) => {
            let found = values.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| (*value).to_owned())
        }
    };
    pieces(template).iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_taken_apart_where_its_template_says() {
        for (template, key, told) in [
            ("user:<id>", "user:42", Some(vec![("id", "42")])),
            ("user:<id>", "user:42:items", None),
            ("user:<id>", "users:42", None),
            ("config", "config", Some(vec![])),
            ("config", "configs", None),
            (
                "a:<x>:b:<y:?>",
                "a:1%3A2:b:None",
                Some(vec![("x", "1%3A2"), ("y:?", "None")]),
            ),
            ("<a>-<b>:x", "1-2:x", Some(vec![("a", "1"), ("b", "2")])),
            ("<a>:x", ":x", Some(vec![("a", "")])),
        ] {
            assert_eq!(values(template, key), told, "{template} {key}");
        }
    }

    #[test]
    fn a_template_is_filled_with_what_is_known_and_not_with_less() {
        let known = [("team", "7"), ("id:hash", "00")];
        assert_eq!(fill("team:<team>", &known).as_deref(), Some("team:7"));
        assert_eq!(fill("of:<id:hash>", &known).as_deref(), Some("of:00"));
        assert_eq!(fill("of:<id>", &known), None);
        assert_eq!(fill("all", &[]).as_deref(), Some("all"));
    }
}

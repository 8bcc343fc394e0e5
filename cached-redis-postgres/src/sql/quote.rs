//! Names and texts as SQL reads them, whatever is in them.

/// An identifier.
pub(super) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text. Its backslashes mean themselves under either `standard_conforming_strings`.
pub(super) fn literal(text: &str) -> String {
    let doubled = text.replace('\'', "''");
    match doubled.contains('\\') {
        true => format!("E'{}'", doubled.replace('\\', "\\\\")),
        false => format!("'{doubled}'"),
    }
}

/// The body of a function or block, between marks that are not in it.
pub(super) fn body(code: &str) -> String {
    let marks = (0..).map(|number| format!("$cached_redis_{number}$"));
    let mark = marks.into_iter().find(|mark| !code.contains(mark.as_str()));
    // There are more numbers than a text has places.
    let mark = mark.unwrap_or_default();
    format!("{mark}{code}{mark}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_name_or_text_ends_it() {
        assert_eq!(identifier("a\"; DROP"), "\"a\"\"; DROP\"");
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("a\\'b"), "E'a\\\\''b'");
        assert_eq!(
            body("x $cached_redis_0$"),
            "$cached_redis_1$x $cached_redis_0$$cached_redis_1$"
        );
    }
}

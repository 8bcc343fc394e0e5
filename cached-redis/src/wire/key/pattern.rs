//! Patterns guard against matching too little or too much: only `*` is a wildcard, and whatever else
//! stands in one, the glob characters of Redis included, stands for itself.
//!
//! The server is asked for the keys that begin as the pattern does, and the rest is compared here. It
//! could not do it all: a key that was cut (see the [`writer`](super::writer)) lacks the end which the
//! pattern may speak of. Such a key matches if the beginning it has left may.

use std::fmt;

use super::escape::separates;
use super::writer::{CUT_KEY, own, remains, shortened};

/// A set of keys of one namespace; none of those that are the cache's own.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    /// What stands between the wildcards, behind the namespace.
    parts: Vec<String>,
    /// Length of the namespace and its colon.
    prefix: usize,
    wildcard: Wildcard,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wildcard {
    /// Any text.
    Text,
    /// What one value can render as.
    Value,
}

impl Pattern {
    /// Of a text with the wildcard `*`.
    pub(crate) fn new(namespace: &str, text: &str) -> Self {
        Self::of(namespace, text.split('*'), Wildcard::Text)
    }

    /// All keys.
    pub(crate) fn everything(namespace: &str) -> Self {
        Self::new(namespace, "*")
    }

    /// All keys that a template can make.
    pub(crate) fn of_template(namespace: &str, template: &str) -> Self {
        let mut pieces = template.split('<');
        let first = pieces.next();
        let others = pieces.map(|piece| piece.split_once('>').map_or(piece, |(_, text)| text));
        Self::of(namespace, first.into_iter().chain(others), Wildcard::Value)
    }

    fn of<'a>(namespace: &str, parts: impl Iterator<Item = &'a str>, wildcard: Wildcard) -> Self {
        let mut parts: Vec<_> = parts.map(str::to_owned).collect();
        let prefix = namespace.len() + 1;
        if let Some(first) = parts.first_mut() {
            *first = own(format!("{namespace}:{first}"), prefix);
        }
        Self {
            parts,
            prefix,
            wildcard,
        }
    }

    /// Its text, without the namespace.
    pub(crate) fn text(&self) -> String {
        self.parts.join("*")[self.prefix..].to_owned()
    }

    /// The only key there is, if there is no wildcard.
    pub(crate) fn exact(&self) -> Option<String> {
        match self.parts.as_slice() {
            [whole] => Some(shortened(whole.clone(), self.prefix)),
            _ => None,
        }
    }

    /// Whether nothing but wildcards is there.
    pub(crate) fn is_everything(&self) -> bool {
        let text: usize = self.parts.iter().map(String::len).sum();
        text == self.prefix
    }

    /// How all of its keys begin.
    pub(crate) fn beginning(&self) -> &str {
        let first = self.first();
        let mut end = first.len().min(self.prefix + CUT_KEY);
        // A key is cut up to three bytes earlier, not to break a character.
        if end < first.len() {
            end -= 3;
        }
        while !first.is_char_boundary(end) {
            end -= 1;
        }
        &first[..end]
    }

    /// Whether the full key `key` is one of them.
    pub(crate) fn matches(&self, key: &str) -> bool {
        let is_entry = key.as_bytes().get(self.prefix) != Some(&b'#');
        is_entry && (self.fits(key) || remains(key).is_some_and(|head| self.may_fit(head)))
    }

    fn fits(&self, key: &str) -> bool {
        let Some(mut rest) = key.strip_prefix(self.first()) else {
            return false;
        };
        let Some((last, between)) = self.parts[1..].split_last() else {
            return rest.is_empty();
        };
        for part in between {
            // The earliest place leaves most to the parts behind. Values have no other: between two
            // of them stands a character that none of them has.
            let Some((gap, behind)) = rest.split_once(part.as_str()) else {
                return false;
            };
            if !self.wildcard.takes(gap) {
                return false;
            }
            rest = behind;
        }
        let gap = rest.strip_suffix(last.as_str());
        gap.is_some_and(|gap| self.wildcard.takes(gap))
    }

    /// Whether a key that begins with `head` may be one of them.
    fn may_fit(&self, head: &str) -> bool {
        let first = self.first();
        head.starts_with(first) || first.starts_with(head)
    }

    fn first(&self) -> &str {
        self.parts.first().map_or("", String::as_str)
    }
}

impl Wildcard {
    fn takes(self, gap: &str) -> bool {
        self == Self::Text || !gap.contains(separates)
    }
}

/// Without the text, as a key's.
impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pattern").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::key::full_key;

    fn matching<'a>(pattern: &Pattern, keys: &[&'a str]) -> Vec<&'a str> {
        let matches = |key: &&&str| pattern.matches(&full_key("it", key));
        keys.iter().filter(matches).copied().collect()
    }

    #[test]
    fn only_a_star_is_a_wildcard_and_it_takes_any_text() {
        let keys = ["a:b", "a:", "a:b:c", "a", "A:b", "aa:b", "a:?b"];
        let of = |text| matching(&Pattern::new("it", text), &keys);
        assert_eq!(of("a:*"), ["a:b", "a:", "a:b:c", "a:?b"]);
        assert_eq!(of("*:b"), ["a:b", "A:b", "aa:b"]);
        assert_eq!(of("a*b"), ["a:b", "aa:b", "a:?b"]);
        assert_eq!(of("a*:*c"), ["a:b:c"]);
        assert_eq!(of("a:?*"), ["a:?b"]);
        assert_eq!(of("[Aa]:b*"), [""; 0]);
        assert_eq!(of("a"), ["a"]);
        assert_eq!(of("**"), keys);
    }

    #[test]
    fn parts_do_not_overlap() {
        let of = |text| matching(&Pattern::new("it", text), &["aba", "ababa", "ab"]);
        assert_eq!(of("ab*ba"), ["ababa"]);
        assert_eq!(of("ab*a*"), ["aba", "ababa"]);
        assert_eq!(of("*ab*ab*"), ["ababa"]);
    }

    #[test]
    fn keys_of_the_cache_itself_and_of_other_namespaces_match_nothing() {
        for text in ["*", "#*", "*epoch", "#epoch*"] {
            assert!(!Pattern::new("it", text).matches("it:#epoch"), "{text}");
        }
        assert!(!Pattern::everything("it").matches("it2:a"));
        assert!(Pattern::everything("it").matches("it:a#"));
        // A key by hand is never one of them.
        assert!(Pattern::new("it", "#ab*").matches(&full_key("it", "#abc")));
    }

    #[test]
    fn a_cut_key_matches_by_what_it_has_left() {
        let key = |tail: &str| full_key("it", &format!("user:{}:{tail}", "é".repeat(400)));
        for text in ["user:*", "user:*:items", "user:é*:x"] {
            let pattern = Pattern::new("it", text);
            assert!(pattern.matches(&key("items")), "{text}");
        }
        assert!(!Pattern::new("it", "users:*:items").matches(&key("items")));
        let long = Pattern::new("it", &format!("user:{}:*", "é".repeat(400)));
        assert!(long.matches(&key("items")));
        assert!(key("items").starts_with(long.beginning()));
        assert!(long.beginning().len() > 470);
    }

    #[test]
    fn a_template_matches_what_its_values_can_render_as() {
        let keys = [
            "user:1",
            "user:1:items",
            "user:a%3Ab",
            "user:",
            "user:%none",
        ];
        let of = |template| matching(&Pattern::of_template("it", template), &keys);
        assert_eq!(
            of("user:<id>"),
            ["user:1", "user:a%3Ab", "user:", "user:%none"]
        );
        assert_eq!(of("user:<id>:<what:?>"), ["user:1:items"]);
        assert_eq!(of("user:<id>:*"), [""; 0], "its stars are text");
        assert_eq!(of("user:<id.0>-:<b>"), [""; 0]);
        let exact = Pattern::of_template("it", "config").exact();
        assert_eq!(exact.as_deref(), Some("it:config"));
        let long = full_key("it", &format!("user:{}", "x".repeat(900)));
        assert!(Pattern::of_template("it", "user:<id>").matches(&long));
    }
}

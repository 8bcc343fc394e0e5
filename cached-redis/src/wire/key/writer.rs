//! The writer guards the length of a key: one that grew past the limit ends in a hash of all of
//! it, so that long values neither fill Redis nor meet where their beginnings agree.

use std::fmt::Write as _;
use std::mem;
use std::ops::Deref;

use xxhash_rust::xxh3::xxh3_128;

use super::{Pattern, room};

/// Longest logical key that is kept as it is, in bytes.
const LONGEST: usize = 512;

/// What a cut key has in the place of its tail: `%#` and 32 hex digits. No value renders `%#`.
const CUT: &str = "%#";
pub(super) const CUT_KEY: usize = LONGEST - CUT.len() - 32;

/// Room for the usual key, so that rendering allocates once.
const ROOM: usize = 64;

/// The key of one call, whose room is handed on.
#[derive(Debug)]
pub(crate) struct CallKey(pub(crate) String);

impl Deref for CallKey {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Drop for CallKey {
    fn drop(&mut self) {
        room::give(mem::take(&mut self.0));
    }
}

/// Renders the key of one call into one string, behind the namespace.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyWriter {
    pub(super) text: String,
    /// Whether every value could be rendered.
    pub(super) whole: bool,
    /// Length of the namespace and its colon.
    prefix: usize,
}

impl KeyWriter {
    pub(crate) fn new(namespace: &str) -> Self {
        let room = namespace.len() + 1 + ROOM;
        Self::within(String::with_capacity(room), namespace)
    }

    /// For a key or a tag of a call, in the room of one before.
    #[inline]
    pub(crate) fn of_call(namespace: &str) -> Self {
        Self::within(room::text(), namespace)
    }

    /// Behind what was rendered before.
    #[inline]
    pub(crate) fn within(text: String, namespace: &str) -> Self {
        // Where it is: a text that was just written is slow to move.
        let mut writer = Self::of(text);
        writer.text.reserve(namespace.len() + 1 + ROOM);
        writer.text.push_str(namespace);
        writer.text.push(':');
        writer.prefix = writer.text.len();
        writer
    }

    /// For a key of the cache's own, which `mark` tells from all others.
    pub(crate) fn marked(namespace: &str, mark: &str) -> Self {
        Self::new(namespace).under(mark)
    }

    /// The same for one that was made for a key of an entry.
    pub(crate) fn under(mut self, mark: &str) -> Self {
        self.text(mark);
        self.prefix += mark.len();
        self
    }

    /// Without a namespace: for a part of a key.
    pub(crate) fn bare() -> Self {
        Self::of(String::new())
    }

    /// Goes on after `text`.
    pub(super) fn of(text: String) -> Self {
        Self {
            text,
            whole: true,
            prefix: 0,
        }
    }

    /// The text as it is; as an error if a value could not be rendered.
    pub(crate) fn into_fragment(self) -> Result<String, String> {
        match self.whole {
            true => Ok(self.text),
            false => Err(self.text),
        }
    }

    /// The full key in Redis, or nothing if a value could not be rendered: such a call has no
    /// entry and runs uncached.
    #[inline]
    pub(crate) fn finish(mut self) -> Option<String> {
        let logical = &self.text.as_bytes()[self.prefix..];
        let is_usual = logical.len() <= LONGEST && logical.first() != Some(&b'#');
        if self.whole && !is_usual {
            self.text = shortened(self.text, self.prefix);
        }
        self.whole.then_some(self.text)
    }

    /// The pattern that was rendered: every `*` in it is the template's, values have none.
    pub(crate) fn finish_pattern(self, namespace: &str) -> Option<Pattern> {
        let logical = &self.text[self.prefix..];
        self.whole.then(|| Pattern::new(namespace, logical))
    }
}

/// The full key in Redis of a logical key given by hand.
pub(crate) fn full_key(namespace: &str, logical: &str) -> String {
    let mut key = String::with_capacity(namespace.len() + 1 + logical.len());
    key.push_str(namespace);
    key.push(':');
    key.push_str(logical);
    shortened(key, namespace.len() + 1)
}

/// The same of one of the cache's own, which `mark` tells from all others.
pub(crate) fn marked_key(namespace: &str, mark: &str, name: &str) -> String {
    let prefix = namespace.len() + 1 + mark.len();
    shortened(format!("{namespace}:{mark}{name}"), prefix)
}

/// Keys that begin with `#` are the cache's own, such as that of the epoch: none that is rendered does.
pub(super) fn own(mut key: String, prefix: usize) -> String {
    if key.as_bytes().get(prefix) == Some(&b'#') {
        key.replace_range(prefix..=prefix, "%23");
    }
    key
}

/// What is left of a key that was cut; `None` if it looks whole.
pub(super) fn remains(key: &str) -> Option<&str> {
    let (head, tail) = key.split_at_checked(key.len().checked_sub(CUT.len() + 32)?)?;
    let hash = tail.strip_prefix(CUT)?;
    hash.bytes()
        .all(|byte| byte.is_ascii_hexdigit())
        .then_some(head)
}

pub(super) fn shortened(key: String, prefix: usize) -> String {
    let mut key = own(key, prefix);
    let logical = &key[prefix..];
    if logical.len() > LONGEST {
        let hash = xxh3_128(logical.as_bytes());
        let mut end = prefix + CUT_KEY;
        while !key.is_char_boundary(end) {
            end -= 1;
        }
        key.truncate(end);
        key.push_str(CUT);
        let _ = write!(key, "{hash:032x}");
    }
    key
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde::Serialize;

    use super::*;

    fn key(values: &[&str]) -> String {
        let mut writer = KeyWriter::new("shop");
        writer.text("k");
        for value in values {
            writer.text(":");
            writer.display(value);
        }
        writer.finish().unwrap()
    }

    fn optional(value: Option<&str>) -> String {
        let mut writer = KeyWriter::new("shop");
        writer.text("k:");
        writer.option(value);
        writer.finish().unwrap()
    }

    #[test]
    fn no_two_values_share_a_key_and_none_is_a_pattern() {
        let long = "x".repeat(10 * 1024);
        let longer = format!("{long}y");
        let values = [
            "", "*", "{x}", "%", "%25", "%none", "%#", " ", "  ", "\n", "\r\n", "\t", "\0", "ü",
            "u\u{308}", "日本", "a:b", "a", "b", "?", "[a]", "<id>", "\\", &long, &longer,
        ];
        let mut seen = HashSet::from([optional(None)]);
        for value in values {
            let key = optional(Some(value));
            assert!(!key["shop:k:".len()..].contains([':', '*', '?', '[', '{', ' ', '\n']));
            assert!(seen.insert(key), "{value:?} met another value");
        }
    }

    #[test]
    fn values_cannot_shift_across_a_separator() {
        assert_ne!(key(&["1:2", "3"]), key(&["1", "2:3"]));
        assert_ne!(key(&["", "1"]), key(&["1", ""]));
        assert_eq!(key(&["1:2", "3"]), "shop:k:1%3A2:3");
    }

    #[test]
    fn overlong_keys_keep_their_beginning_and_end_in_a_hash() {
        for value in ["é".repeat(300), "é".repeat(5000), "日".repeat(400)] {
            let (one, other) = (key(&[&value]), key(&[&value, "1"]));
            let logical = &one["shop:".len()..];
            assert!(logical.len() <= LONGEST && logical.len() > LONGEST - 4);
            assert!(logical.starts_with("k:") && logical.contains(CUT));
            assert_ne!(one, other);
            assert_eq!(one, full_key("shop", &format!("k:{value}")));
        }
    }

    #[test]
    fn the_limit_is_on_the_logical_key_and_exact() {
        let fits = "x".repeat(LONGEST);
        assert_eq!(
            full_key("a-long-namespace", &fits),
            format!("a-long-namespace:{fits}")
        );
        assert_eq!(
            full_key("n", &format!("{fits}x")).len(),
            "n:".len() + LONGEST
        );
    }

    #[test]
    fn a_failing_serialize_leaves_no_key() {
        struct Broken;
        impl Serialize for Broken {
            fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                Err(serde::ser::Error::custom("no"))
            }
        }
        let mut writer = KeyWriter::new("n");
        writer.hash(&Broken);
        assert_eq!(writer.finish(), None);
    }
}

//! Messages as they stand in the write-ahead log: JSON, so that every language can write them.

use cached_redis::request::Collected;
use serde::{Deserialize, Deserializer, Serialize};

/// How messages are told from those of others.
pub(crate) const PREFIX: &str = "cached_redis";

/// The longest message that is looked at: a statement that changes a million rows writes less.
const LONGEST: usize = 64 << 20;

/// What is to be invalidated, without the namespace. Later versions may add fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Message {
    /// Whose keys these are; nobody's in particular: those of all who listen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) namespace: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "names")]
    pub(crate) keys: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "names")]
    pub(crate) tags: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "names")]
    pub(crate) patterns: Vec<String>,
    /// All there is in the namespace.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) everything: bool,
}

/// What SQL makes of `NULL`, in the place of a list or in it, names nothing; the rest holds.
fn names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let names = Option::<Vec<Option<String>>>::deserialize(deserializer)?;
    Ok(names.into_iter().flatten().flatten().collect())
}

/// Why a message, or a part of it, is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("it is longer than 64 MiB: the whole namespace is removed")]
    TooLong,
    #[error("it is not the JSON of keys, tags and patterns")]
    NotJson,
    #[error("it names nothing, or an empty key")]
    Nothing,
    #[error("it names a key that begins with `#`, which are the library's own")]
    Reserved,
    #[error("it names a pattern that matches every key there is: write `\"everything\": true`")]
    Everything,
}

impl Message {
    /// What is of use in a message, and what is wrong with the rest.
    pub(crate) fn read(content: &[u8]) -> (Self, Option<Malformed>) {
        if content.len() > LONGEST {
            let everything = Self {
                everything: true,
                ..Self::default()
            };
            return (everything, Some(Malformed::TooLong));
        }
        let Ok(message) = serde_json::from_slice::<Self>(content) else {
            return (Self::default(), Some(Malformed::NotJson));
        };
        match message.is_empty() {
            true => (message, Some(Malformed::Nothing)),
            false => message.served(),
        }
    }

    fn served(mut self) -> (Self, Option<Malformed>) {
        let before = self.len();
        self.keys.retain(|key| !key.is_empty());
        let mut wrong = (self.len() < before).then_some(Malformed::Nothing);
        let before = self.len();
        self.keys.retain(|key| !key.starts_with('#'));
        wrong = (self.len() < before)
            .then_some(Malformed::Reserved)
            .or(wrong);
        let before = self.len();
        self.patterns
            .retain(|pattern| !pattern.bytes().all(|c| c == b'*'));
        wrong = (self.len() < before)
            .then_some(Malformed::Everything)
            .or(wrong);
        (self, wrong)
    }

    /// What a transaction has collected for one cache.
    pub(crate) fn of(collected: Collected) -> Self {
        Self {
            namespace: Some(collected.namespace),
            keys: collected.keys,
            tags: collected.tags,
            patterns: collected.patterns,
            everything: false,
        }
    }

    pub(crate) fn text(&self) -> String {
        // Strings in memory: there is nothing to fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// How much room its names take, in about as many bytes as a short one has.
    pub(crate) fn weight(&self) -> usize {
        let all = [&self.keys, &self.tags, &self.patterns];
        let bytes: usize = all.into_iter().flatten().map(String::len).sum();
        self.len() + bytes / 64
    }

    /// How many names it has.
    pub(crate) fn len(&self) -> usize {
        self.keys.len() + self.tags.len() + self.patterns.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0 && !self.everything
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.everything |= other.everything;
        if self.everything {
            // All the rest is in it.
            (self.keys, self.tags, self.patterns) = Default::default();
            return;
        }
        self.keys.extend(other.keys);
        self.tags.extend(other.tags);
        self.patterns.extend(other.patterns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(keys: &[&str]) -> Message {
        Message {
            keys: keys.iter().map(ToString::to_string).collect(),
            ..Message::default()
        }
    }

    #[test]
    fn what_can_be_served_of_a_message_is_and_the_rest_is_told() {
        for (content, message, wrong) in [
            (r#"{"keys":["a","b"],"more":7}"#, keys(&["a", "b"]), None),
            (
                r#"{"keys":["a",null,"b"],"tags":null}"#,
                keys(&["a", "b"]),
                None,
            ),
            (r#"{"keys":null}"#, keys(&[]), Some(Malformed::Nothing)),
            (
                r##"{"keys":["a","#x"]}"##,
                keys(&["a"]),
                Some(Malformed::Reserved),
            ),
            (
                r#"{"keys":["a",""]}"#,
                keys(&["a"]),
                Some(Malformed::Nothing),
            ),
            (
                r#"{"keys":["a"],"patterns":["**"]}"#,
                keys(&["a"]),
                Some(Malformed::Everything),
            ),
            ("{}", keys(&[]), Some(Malformed::Nothing)),
            ("user:1", keys(&[]), Some(Malformed::NotJson)),
            (r#"{"keys":"a"}"#, keys(&[]), Some(Malformed::NotJson)),
        ] {
            assert_eq!(
                Message::read(content.as_bytes()),
                (message, wrong),
                "{content}"
            );
        }
    }

    #[test]
    fn too_long_a_message_is_everything() {
        let (message, wrong) = Message::read(&vec![b' '; LONGEST + 1]);
        assert!(message.everything && wrong == Some(Malformed::TooLong));
    }

    #[test]
    fn what_is_written_is_read() {
        let mut message = keys(&["a\"b", "ü"]);
        message.tags = vec!["t".to_owned()];
        assert_eq!(Message::read(message.text().as_bytes()), (message, None));
    }
}

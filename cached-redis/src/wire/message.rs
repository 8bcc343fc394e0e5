//! Events as they travel: JSON, so that services in other languages can read and write them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::wire::key::Pattern;
use crate::wire::tag;
use crate::wire::targets::Targets;

/// Something was invalidated by a writer that publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Invalidated {
    /// Tells this event from all others. One that comes again, because it was sent again when its
    /// confirmation got lost, has the same.
    pub id: String,
    /// The keys, without the namespace.
    pub keys: Vec<String>,
    /// The tags; one that begins with `#fn:` stands for all entries of a function.
    pub tags: Vec<String>,
    /// The patterns of keys, without the namespace.
    pub patterns: Vec<String>,
    /// When it was sent, which is soon after the invalidation took effect, in whole milliseconds of the
    /// store's clock.
    pub at: SystemTime,
    /// The cache that published it: see [`Cache::source`](crate::Cache::source).
    pub by: String,
    /// Where it stands in a stream, if it came from one.
    pub(crate) entry: Option<String>,
}

/// The JSON of an event. More fields may come; those that are unknown are ignored.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Wire {
    pub(crate) id: String,
    pub(crate) by: String,
    /// In ms since the Unix epoch.
    pub(crate) at: u64,
    #[serde(flatten)]
    pub(crate) names: Names,
}

/// What is, or is to be, invalidated, without the namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Names {
    #[serde(default)]
    pub(crate) keys: Vec<String>,
    #[serde(default)]
    pub(crate) tags: Vec<String>,
    #[serde(default)]
    pub(crate) patterns: Vec<String>,
}

impl Names {
    pub(crate) fn of(targets: &Targets, namespace: &str) -> Self {
        let (mut keys, mut tags) = (Vec::new(), Vec::new());
        for key in &targets.keys {
            match tag::name(namespace, key) {
                Some(tag) => tags.push(tag.to_owned()),
                None => keys.push(key[namespace.len() + 1..].to_owned()),
            }
        }
        Self {
            keys,
            tags,
            patterns: targets.patterns.iter().map(Pattern::text).collect(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.tags.is_empty() && self.patterns.is_empty()
    }
}

impl Wire {
    pub(crate) fn encode(&self) -> Vec<u8> {
        // Strings and numbers in memory: there is nothing to fail.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

impl Invalidated {
    /// `None`: no event that this version can read.
    pub(crate) fn decode(message: &[u8], entry: Option<String>) -> Option<Self> {
        let Wire { id, by, at, names } = serde_json::from_slice(message).ok()?;
        Some(Self {
            id,
            keys: names.keys,
            tags: names.tags,
            patterns: names.patterns,
            at: UNIX_EPOCH.checked_add(Duration::from_millis(at))?,
            by,
            entry,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_json_with_names_that_others_can_rely_on() {
        let wire = Wire {
            id: "00c0ffee-7".to_owned(),
            by: "00c0ffee".to_owned(),
            at: 1_700_000_000_123,
            names: Names {
                keys: vec!["user:42".to_owned()],
                ..Names::default()
            },
        };
        let json = r#"{"id":"00c0ffee-7","by":"00c0ffee","at":1700000000123,"keys":["user:42"],"tags":[],"patterns":[]}"#;
        assert_eq!(wire.encode(), json.as_bytes());
        let event = Invalidated::decode(json.as_bytes(), None).unwrap();
        assert_eq!((event.keys.len(), &*event.by), (1, "00c0ffee"));
        assert_eq!(
            event.at,
            UNIX_EPOCH + Duration::from_millis(1_700_000_000_123)
        );
    }

    #[test]
    fn later_fields_are_ignored_and_missing_targets_are_none() {
        let json = r#"{"id":"a-1","by":"a","at":0,"more":{"x":[1]}}"#;
        let event = Invalidated::decode(json.as_bytes(), None).unwrap();
        assert!(event.keys.is_empty() && event.tags.is_empty());
    }

    #[test]
    fn what_is_no_event_is_none() {
        for odd in ["", "user:42", "{}", r#"{"id":1,"by":"a","at":0}"#, "\u{0}"] {
            assert_eq!(Invalidated::decode(odd.as_bytes(), None), None, "{odd}");
        }
    }
}

//! What an operator is told of a key.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use serde::{Serialize, Serializer};

use crate::wire::codec::{Codec as _, Json, Msgpack};

/// What stands under a key; [`Operator::inspect`](crate::operator::Operator::inspect) tells.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Inspection {
    /// The key, without the namespace.
    pub key: String,
    /// The function that has it, by its template.
    pub function: Option<String>,
    /// What stands there.
    pub standing: Standing,
    /// How many bytes that is.
    pub bytes: u64,
    /// For how long it stands; `None`: it has no end, which of the cache only what is pending has.
    #[serde(rename = "ttl_ms", serialize_with = "millis")]
    pub ttl: Option<Duration>,
}

/// What stands under a key.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
#[non_exhaustive]
pub enum Standing {
    /// Nothing.
    Nothing,
    /// A value, or a known absence.
    Entry(Entry),
    /// Somebody is loading.
    Lease,
    /// A value that is still to be [written to its source](crate::docs::write_behind).
    Pending(Entry),
    /// Nobody may fill.
    Tombstone {
        /// How many writers have it stand.
        writers: usize,
        /// Whether it stands for replicas that lag.
        hold_off: bool,
    },
    /// Bytes that the cache has not written, or something that is no string.
    Foreign,
}

/// An entry with a value or a known absence. `Debug` and `Serialize` show no value.
#[derive(Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Entry {
    /// Whether it is a known absence.
    pub negative: bool,
    /// Since when it stands, by the clock of the server; of what is pending, about.
    #[serde(rename = "age_ms", serialize_with = "whole_millis")]
    pub age: Duration,
    /// For how long it is fresh; zero past its TTL, `None`: as long as it stands.
    #[serde(rename = "fresh_for_ms", serialize_with = "millis")]
    pub fresh_for: Option<Duration>,
    /// How long its load took.
    #[serde(rename = "load_time_ms", serialize_with = "whole_millis")]
    pub load_time: Duration,
    /// Its codec, or the number of one that is not built in; empty for an absence.
    pub codec: String,
    /// What its type looked like to serde.
    pub fingerprint: u32,
    /// Its epoch; 0 where there are none.
    pub epoch: u32,
    /// Whether that is the epoch of the server; `None`: that is not known here.
    pub epoch_is_current: Option<bool>,
    /// The version of its source.
    pub version: Option<u64>,
    /// Its tags, as far as they are known.
    pub tags: Vec<TagFacts>,
    /// Whether a reader would take it.
    pub life: Life,
    /// The value, as its codec has written it.
    #[serde(skip)]
    pub payload: Bytes,
}

/// A tag of an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TagFacts {
    /// Its name; `#fn:` and a template for the tag that all entries of a function have.
    pub name: String,
    /// How it stands.
    pub state: TagState,
}

/// How a tag stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum TagState {
    /// It has a generation. Whether it is that of the entry, the entry tells of all of its tags together.
    Stands,
    /// It was invalidated, or its generation was lost, and nobody has loaded under it since.
    Gone,
    /// Its entries are barred, by a writer in two phases.
    Barred,
}

/// Whether a reader would take an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Life {
    /// It would, if it is of the type that the reader has.
    Alive,
    /// A tag was invalidated since, or it is of another epoch.
    Dead,
    /// A tag is barred.
    Barred,
    /// Not all of its tags are known: the catalogue lacks its function, or one is made of what the key does not tell.
    Unknown,
}

impl Standing {
    /// `nothing`, `value`, `negative`, `lease`, `pending`, `tombstone` or `foreign`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Entry(entry) if entry.negative => "negative",
            Self::Entry(_) => "value",
            Self::Lease => "lease",
            Self::Pending(_) => "pending",
            Self::Tombstone { .. } => "tombstone",
            Self::Foreign => "foreign",
        }
    }
}

impl Entry {
    /// The value, of a codec that describes itself.
    #[must_use]
    pub fn decoded(&self) -> Option<serde_json::Value> {
        match self.codec.as_str() {
            "json" => Json.decode(&self.payload).ok(),
            "msgpack" => Msgpack.decode(&self.payload).ok(),
            _ => None,
        }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("life", &self.life)
            .field("age", &self.age)
            .field("codec", &self.codec)
            .finish_non_exhaustive()
    }
}

pub(super) fn millis<S: Serializer>(
    time: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    time.map(|time| time.as_millis() as u64)
        .serialize(serializer)
}

pub(super) fn whole_millis<S: Serializer>(
    time: &Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(time.as_millis() as u64)
}

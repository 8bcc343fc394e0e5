//! What a call can tell of its answer.

use std::collections::BTreeSet;
use std::time::Duration;

use xxhash_rust::xxh3::Xxh3;

use crate::observe::status::Status;
use crate::wire::entry::{Header, extensions};
use crate::wire::tag::{self, Tags};

/// How the cache answered a call, and what it knows about the entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct CacheInfo {
    pub(crate) status: Status,
    pub(crate) key: Option<String>,
    pub(crate) age: Option<Duration>,
    pub(crate) time_left: Option<Duration>,
    pub(crate) version: Option<u128>,
    pub(crate) content: Option<u128>,
    pub(crate) tags: Vec<String>,
}

impl CacheInfo {
    /// `entry`: the one that answers, or is made of the answer.
    pub(crate) fn of(status: Status, key: &str, entry: Option<&[u8]>, now_ms: u64) -> Self {
        let key = (status != Status::Bypass).then(|| key.to_owned());
        let Some((header, payload)) = entry.and_then(Header::parse) else {
            return Self {
                status,
                key,
                ..Self::default()
            };
        };
        let age = Duration::from_millis(now_ms.saturating_sub(header.filled_at));
        let life = (header.soft_ttl > 0).then(|| Duration::from_millis(header.soft_ttl.into()));
        Self {
            status,
            key,
            age: Some(age),
            time_left: life.map(|life| life.saturating_sub(age)),
            version: Some(header.token.number()),
            content: entry.and_then(|entry| content(entry, &header, payload)),
            tags: Vec::new(),
        }
    }

    /// With the tags of the call, and those that its entry names.
    pub(crate) fn tagged(mut self, namespace: &str, tags: &Tags, entry: Option<&[u8]>) -> Self {
        let own = tags
            .keys()
            .iter()
            .filter_map(|key| tag::name(namespace, key));
        let named = entry.and_then(extensions).map(|parts| parts.named);
        let named = named.unwrap_or_default();
        let all: BTreeSet<_> = own.chain(named).map(str::to_owned).collect();
        self.tags = all.into_iter().collect();
        self
    }

    /// Whether an entry has answered, or was made of the answer.
    pub(crate) fn has_entry(&self) -> bool {
        self.age.is_some()
    }

    /// Where the answer came from.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// The full key, namespace included; `None` when the cache took no part, and for a
    /// [batch](crate::docs::batches#batches), which has many.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// How long ago the entry was filled, by the store's clock; `None` where there is none: the cache
    /// took no part, or the result is an error or not to be kept.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        self.age
    }

    /// How long the entry stays fresh, by the store's clock: zero for a stale one; `None` also for a TTL beyond 49 days,
    /// which entries do not record. It is the entry's own TTL that is counted, [jitter](crate::Jitter) included,
    /// which by default makes it up to 5 % longer than the one that was asked for.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        self.time_left
    }

    /// A number that is new for every stored value; `None` where there is no entry, and for a batch.
    #[must_use]
    pub fn version(&self) -> Option<u128> {
        self.version
    }

    /// A hash of the value as it is encoded: the same for equal data that was loaded anew, and so fit for an
    /// `ETag`. A `HashMap` in it may be encoded in another order each time; a `BTreeMap` is not. `None` where there
    /// is no entry, for a batch, and of a value that is still to be [written](crate::docs::write_behind) to its source.
    /// It is no defence against values that somebody has made to collide.
    #[must_use]
    pub fn content(&self) -> Option<u128> {
        self.content
    }

    /// The tags of the entry, as [events](crate::events::Invalidated::tags) name them; none where the cache took no
    /// part, and for a batch.
    #[must_use]
    pub fn tags(&self) -> &[String] {
        &self.tags
    }
}

/// What tells a value from others; `None` of an entry that has none and only names tags, and of what its source does
/// not have yet: that may come to nothing.
fn content(entry: &[u8], header: &Header, payload: &[u8]) -> Option<u128> {
    // What is pending has no extensions.
    let is_marker = extensions(entry)?.stamp == Some(tag::DEAD);
    let mut hash = Xxh3::new();
    hash.update(&[header.kind as u8, header.codec]);
    hash.update(&header.fingerprint.to_le_bytes());
    hash.update(payload);
    (!is_marker).then(|| hash.digest128())
}

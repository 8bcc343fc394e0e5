//! Tags: labels that many entries share, so that one command makes all of these dead.
//!
//! The key of a tag holds its **generation**, 8 random bytes. An entry carries a **stamp**, the hash
//! of the generations of all its tags, and is alive only while these are what a reader finds now. To
//! invalidate a tag is to remove its key, just as a key is invalidated: the next load gives it a new
//! generation, and no entry has to be found or touched.
//!
//! * The generations are those of **before the load** (t1 of the model): a tag that is invalidated
//!   while the load runs leaves an entry that is dead from its beginning.
//! * A result is shared with those who joined the load only if the tags are still of these
//!   generations **after** the fill (t2): who joined in between may have come after an invalidation,
//!   which did not touch the lease.
//! * Generations are random and not counted. One that was evicted, or removed, never comes back, so
//!   no entry does either: losing one costs loads and nothing else. A server that restarts from an old
//!   snapshot may bring one back, as it does with keys: see [`OnFailover`](crate::OnFailover).
//! * A tombstone under the key of a tag bars all its entries, as one under a key bars that entry.

use std::hash::{BuildHasher, RandomState};

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64;

use crate::entry::Token;
use crate::extension::MOST_NAMED;
use crate::{key, template};

mod look;
mod stamp;
#[cfg(test)]
mod tests;

pub(crate) use look::{Generations, Life, alive, keys, look};
pub(crate) use stamp::{Basis, Stamp};

/// What comes between the namespace and the name of a tag. `#` can begin no rendered value.
pub(crate) const TAG: &str = "#tag:";

/// The same for the tag that all entries of one function share.
const FUNCTION: &str = "#fn:";

/// What the key of a tag holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Generation([u8; 8]);

impl Generation {
    /// One that no tag has had before.
    pub(crate) fn random() -> Self {
        // std seeds the keys of its hasher from the system's random numbers.
        let hash = RandomState::new().hash_one(Token::next());
        Self(hash.to_le_bytes())
    }

    /// `None`: these bytes are something else.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub(crate) fn bytes(self) -> Bytes {
        Bytes::copy_from_slice(&self.0)
    }
}

/// The stamp of these generations, whatever their order: functions that share entries need not name
/// their tags in the same one.
fn hash(mut generations: Vec<Generation>) -> [u8; 8] {
    generations.sort_unstable();
    let bytes: Vec<_> = generations.into_iter().flat_map(|one| one.0).collect();
    // Zero is the stamp of an entry that is dead on purpose and only names tags for the next load.
    xxh3_64(&bytes).max(1).to_le_bytes()
}

/// The tags of one call, by their keys in the store.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tags {
    keys: Vec<String>,
    /// How many of them every reader of the function renders for itself. The others are named in
    /// the entry.
    known: usize,
}

impl Tags {
    /// Tags given by hand.
    pub(crate) fn named<T: AsRef<str>>(
        namespace: &str,
        names: impl IntoIterator<Item = T>,
    ) -> Self {
        let names = names.into_iter();
        let mut tags = Self::default();
        for key in names.map(|name| tag_key(namespace, name.as_ref())) {
            tags.push(key);
        }
        tags
    }

    /// Adds one that the function's attribute gives.
    pub(crate) fn add(&mut self, key: String) {
        self.push(key);
        self.known = self.keys.len();
    }

    fn push(&mut self, key: String) {
        if !self.keys.contains(&key) {
            self.keys.push(key);
        }
    }

    pub(crate) fn keys(&self) -> &[String] {
        &self.keys
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether an entry has no room for so many names.
    pub(crate) fn are_too_many(&self) -> bool {
        self.keys.len() - self.known > MOST_NAMED
    }

    /// Those that the entry names.
    fn by_hand(&self) -> &[String] {
        &self.keys[self.known..]
    }

    /// What tells these tags from others; 0 for none. Who reads the same key under other tags may
    /// not share a load: whether it is fresh was not checked for those.
    pub(crate) fn cover(&self) -> u64 {
        match self.keys.as_slice() {
            [] => 0,
            keys => xxh3_64(keys.join("\0").as_bytes()),
        }
    }
}

/// The key in the store of a tag given by its name.
pub(crate) fn tag_key(namespace: &str, name: &str) -> String {
    key::marked_key(namespace, TAG, name)
}

/// The key of the tag that all entries of a function have, or of all functions that share a
/// template: the names of their placeholders do not matter.
pub(crate) fn function_key(namespace: &str, template: &str) -> String {
    key::marked_key(namespace, FUNCTION, &template::outline(template))
}

/// How an entry names the tag under `key`, whose name may be cut short already. That of a function
/// keeps its mark, with which no other name begins.
fn name<'a>(namespace: &str, key: &'a str) -> Option<&'a str> {
    let marked = key.strip_prefix(namespace)?.strip_prefix(':')?;
    match marked.strip_prefix(TAG) {
        Some(name) => Some(name),
        None => marked.starts_with(FUNCTION).then_some(marked),
    }
}

/// The key of a tag that an entry names.
fn named_key(namespace: &str, name: &str) -> String {
    match name.starts_with(FUNCTION) {
        true => format!("{namespace}:{name}"),
        false => tag_key(namespace, name),
    }
}

//! Tags: labels that many entries share, so that one command makes all of these dead.
//!
//! The key of a tag holds its **generation**, 8 random bytes. An entry carries a **stamp**, the hash
//! of all its tags with their generations, and is alive only while these are what a reader finds now. To
//! invalidate a tag is to remove its key, just as a key is invalidated: the next load gives it a new
//! generation, and no entry has to be found or touched.
//!
//! * A generation is that of **one tag**, which the stamp names beside it (t9 of the model): were one
//!   good for another tag too, who asks under that would find an entry alive whose own tag was
//!   invalidated.
//! * The generations are those of **before the load** (t1 of the model): a tag that is invalidated
//!   while the load runs leaves an entry that is dead from its beginning.
//! * A result is shared with those who joined the load only if the tags are still of these
//!   generations **after** the fill (t2): who joined in between may have come after an invalidation,
//!   which did not touch the lease.
//! * Generations are random and not counted. One that was evicted, or removed, never comes back, so
//!   no entry does either: losing one costs loads and nothing else. A server that restarts from an old
//!   snapshot may bring one back, as it does with keys: see [`OnFailover`](crate::OnFailover). In a cluster
//!   that server need not be the one of the entry, so a generation counts together with the epoch of its own.
//! * A tombstone under the key of a tag bars all its entries, as one under a key bars that entry.

use std::collections::HashSet;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::mem;

use xxhash_rust::xxh3::xxh3_64;

use crate::wire::entry::Token;
use crate::wire::extension::MOST_NAMED;
use crate::wire::key::room;
use crate::wire::{key, template};

/// What comes between the namespace and the name of a tag. `#` can begin no rendered value.
pub(crate) const TAG: &str = "#tag:";

/// The same for the tag that all entries of one function share.
const FUNCTION: &str = "#fn:";

/// How the keys of all tags of a namespace begin.
pub(crate) fn prefixes(namespace: &str) -> [String; 2] {
    [TAG, FUNCTION].map(|mark| format!("{namespace}:{mark}"))
}

/// What the key of a tag holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Generation(pub(crate) [u8; 8]);

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

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The same as what it is worth in an epoch: of one that stands again on a server that has lost
    /// invalidations no entry knows.
    pub(crate) fn in_epoch(mut self, epoch: u32) -> Self {
        let parts = self.0.iter_mut().zip(epoch.to_le_bytes());
        parts.for_each(|(byte, part)| *byte ^= part);
        self
    }
}

/// The stamp of an entry that is dead on purpose and only names tags for the next load.
pub(crate) const DEAD: [u8; 8] = [0; 8];

/// The stamp of these tags on an entry of `epoch`, whatever their order: functions that share entries need
/// not name theirs in the same one. Generations in that epoch too count as they stand.
pub(crate) fn hash(tags: &mut [(&String, Generation)], epoch: u32) -> [u8; 8] {
    tags.sort_unstable();
    let mut bytes = room::text().into_bytes();
    for (key, generation) in tags {
        bytes.extend_from_slice(&generation.in_epoch(epoch).0);
        // So that no two lists are the same bytes.
        bytes.extend_from_slice(&(key.len() as u64).to_le_bytes());
        bytes.extend_from_slice(key.as_bytes());
    }
    let hash = xxh3_64(&bytes);
    bytes.clear();
    room::give(String::from_utf8(bytes).unwrap_or_default());
    // Zero is that of what is dead.
    hash.max(1).to_le_bytes()
}

/// The tags of one call, by their keys in the store.
#[derive(Clone, Default)]
pub(crate) struct Tags {
    keys: Vec<String>,
    /// How many of them every reader of the function renders for itself. The others are named in
    /// the entry.
    pub(crate) known: usize,
}

impl Tags {
    /// Adds those given by hand.
    pub(crate) fn extend<T: AsRef<str>>(
        &mut self,
        namespace: &str,
        names: impl IntoIterator<Item = T>,
    ) {
        let key = |name: T| tag_key(namespace, name.as_ref());
        self.keys.extend(names.into_iter().map(key));
        // There may be very many.
        let mut seen = HashSet::new();
        self.keys.retain(|key| seen.insert(key.clone()));
    }

    /// None, with room for those of a call.
    pub(crate) fn of_call() -> Self {
        let (keys, known) = (room::list(), 0);
        Self { keys, known }
    }

    /// Adds one that the function's attribute gives.
    pub(crate) fn add(&mut self, key: String) {
        self.name(key);
        self.known = self.keys.len();
    }

    /// Adds one that the entry names.
    pub(crate) fn name(&mut self, key: String) {
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

    /// Adds those of another call for the same key, which were given in the same way.
    pub(crate) fn merge(&mut self, other: &Self) {
        let is_known = other.known > 0;
        for key in &other.keys {
            match is_known {
                true => self.add(key.clone()),
                false => self.name(key.clone()),
            }
        }
    }

    /// Those that every reader of each of `all` renders for itself.
    pub(crate) fn shared<'a>(mut all: impl Iterator<Item = &'a Self>) -> Self {
        let mut keys = all.next().map_or(&[][..], Self::rendered).to_vec();
        all.for_each(|tags| keys.retain(|key| tags.rendered().contains(key)));
        let known = keys.len();
        Self { keys, known }
    }

    fn rendered(&self) -> &[String] {
        &self.keys[..self.known]
    }

    /// Those that the entry names.
    pub(crate) fn by_hand(&self) -> &[String] {
        &self.keys[self.known..]
    }

    /// What tells these tags from others; 0 for none. Who reads the same key under other tags may
    /// not share a load: whether it is fresh was not checked for those.
    pub(crate) fn cover(&self) -> u64 {
        if self.is_empty() {
            return 0;
        }
        let names = self.keys.iter().map(|key| (key, Generation([0; 8])));
        u64::from_le_bytes(hash(&mut names.collect::<Vec<_>>(), 0))
    }
}

impl Drop for Tags {
    fn drop(&mut self) {
        if self.keys.capacity() > 0 {
            room::give_all(mem::take(&mut self.keys));
        }
    }
}

impl fmt::Debug for Tags {
    /// Says nothing of their names, which hold user data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tags").finish_non_exhaustive()
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
pub(crate) fn name<'a>(namespace: &str, key: &'a str) -> Option<&'a str> {
    let marked = key.strip_prefix(namespace)?.strip_prefix(':')?;
    match marked.strip_prefix(TAG) {
        Some(name) => Some(name),
        None => marked.starts_with(FUNCTION).then_some(marked),
    }
}

/// The key of a tag that an entry names.
pub(crate) fn named_key(namespace: &str, name: &str) -> String {
    match name.starts_with(FUNCTION) {
        true => format!("{namespace}:{name}"),
        false => tag_key(namespace, name),
    }
}

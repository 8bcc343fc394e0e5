//! The loader's side: the generations of before the load, and whether they still are.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::slice;
use std::time::Duration;

use futures_util::future::join_all;

use super::Generations;
use super::look::{self, is_barred};
use crate::engine::handle::Inner;
use crate::engine::source::Source;
use crate::policy::Policy;
use crate::store::{Answer, Store as _};
use crate::wire::entry::{Live, extensions};
use crate::wire::extension::{Extensions, MOST_NAMED};
use crate::wire::tag::{DEAD, Generation, Tags, hash, name, named_key};

/// How long a generation lives at least: one that is lost takes the entries of its tag along.
const SHORTEST_LIFE: Duration = Duration::from_secs(60 * 60);
/// That of one whose entries may live for any time.
const UNKNOWN_LIFE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// What a load began from, and its entry says of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Basis {
    /// That of the store.
    pub(crate) epoch: u32,
    pub(crate) stamp: Stamp,
}

/// The generations of the tags of one load, each in the epoch of its server; of no tags by default.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stamp {
    generations: Vec<Generation>,
    keys: Vec<String>,
    /// How many of them the entry need not name.
    known: usize,
}

impl Basis {
    /// A load that nothing is known of but the epoch in which it begins.
    pub(crate) fn of(epoch: u32) -> Self {
        Self {
            epoch,
            stamp: Stamp::default(),
        }
    }

    /// A load whose tags have generations that nobody has read. Its entry names all of them, and is
    /// only for those who wait for it.
    pub(crate) fn unread(epoch: u32, keys: Vec<String>) -> Self {
        let stamp = Stamp {
            keys,
            ..Stamp::default()
        };
        Self { epoch, stamp }
    }

    /// Whether no tag of this entry has been invalidated before the load began, and it is of the same
    /// server. What is made of its value may then be stored as the result of the load.
    pub(crate) fn carries_on(&self, live: &Live) -> bool {
        let stamp = extensions(&live.entry).map(|extensions| extensions.stamp);
        live.header.epoch == self.epoch && stamp == Some(self.stamp.hash(self.epoch))
    }

    /// Of each of `bases` whether no tag has been invalidated since, in one round trip.
    pub(crate) async fn stand(inner: &Inner, bases: &[&Self]) -> Vec<bool> {
        // Who joined knew nothing of a tag that an inner call has brought.
        let free = bases
            .iter()
            .map(|basis| !is_barred(inner, &basis.stamp.keys));
        let free: Vec<_> = free.collect();
        let read = look::read(
            &Source::store(inner),
            bases.iter().flat_map(|basis| &basis.stamp.keys),
        )
        .await;
        let stands = |(basis, free): (&&Self, bool)| {
            let stamp = &basis.stamp;
            let same = |read| match Generations::among(inner, read, &stamp.keys) {
                Generations::All(generations) => generations == stamp.generations,
                _ => false,
            };
            free && read.as_ref().is_ok_and(same)
        };
        bases.iter().zip(free).map(stands).collect()
    }
}

impl Stamp {
    /// Reads the generations of `tags`, and of those that the entry `before` names; gives one to
    /// those that have none. `None`: one of them is barred, or its invalidation is still to be sent.
    pub(crate) async fn take(
        inner: &Inner,
        tags: &Tags,
        policy: &Policy,
        before: Option<&[u8]>,
    ) -> Answer<Option<Self>> {
        let found = before.and_then(extensions).unwrap_or_default().named;
        if tags.is_empty() && found.is_empty() {
            return Ok(Some(Self::default()));
        }
        let mut keys = tags.keys().to_vec();
        for key in found.iter().map(|name| named_key(&inner.namespace, name)) {
            // A name that finds no room is asked for by whoever needs it.
            if keys.len() - tags.known < MOST_NAMED && !keys.contains(&key) {
                keys.push(key);
            }
        }
        // Those of the call have been asked for; those that the entry names were not known then.
        if is_barred(inner, &keys) {
            return Ok(None);
        }
        let read = generations(inner, keys, policy).await?.into_iter();
        let known: Option<Vec<_>> = read.map(|(key, found)| Some((key, found?))).collect();
        Ok(known.map(|read| Self::new(read.into_iter(), tags.known)))
    }

    fn new(parts: impl Iterator<Item = (String, Generation)>, known: usize) -> Self {
        let (keys, generations) = parts.unzip();
        Self {
            generations,
            keys,
            known,
        }
    }

    /// The tags and their generations.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (&String, Generation)> {
        self.keys.iter().zip(self.generations.iter().copied())
    }

    /// Adds a tag that an inner call was of. `false`: it was invalidated since it was read first.
    pub(crate) fn inherit(&mut self, key: &str, generation: Generation) -> bool {
        let known = self.parts().find(|(known, _)| *known == key);
        if let Some((_, known)) = known {
            return known == generation;
        }
        self.keys.push(key.to_owned());
        self.generations.push(generation);
        true
    }

    /// Whether there is no room for the names of so many tags, and of so many `more`.
    pub(crate) fn is_full(&self, more: usize) -> bool {
        self.keys.len() - self.known + more > MOST_NAMED
    }

    /// The tags whose generations it has from before the load.
    pub(crate) fn covered(&self) -> HashSet<&String> {
        self.keys.iter().collect()
    }

    /// The same with more tags, whose generations were not read before the load: what an entry says
    /// that has no value and only names tags for the next load.
    pub(crate) fn marker<'a>(&'a self, namespace: &str, more: &'a [String]) -> Extensions<'a> {
        let named = self.keys[self.known..].iter().chain(more);
        Extensions {
            stamp: Some(DEAD),
            named: named.filter_map(|key| name(namespace, key)).collect(),
            ..Extensions::default()
        }
    }

    /// Whether there are no tags.
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// What an entry of `epoch` says of it.
    pub(crate) fn extensions<'a>(&'a self, namespace: &str, epoch: u32) -> Extensions<'a> {
        let named = self.keys[self.known..].iter();
        Extensions {
            stamp: self.hash(epoch),
            named: named.filter_map(|key| name(namespace, key)).collect(),
            ..Extensions::default()
        }
    }

    /// `None` without tags.
    fn hash(&self, epoch: u32) -> Option<[u8; 8]> {
        (!self.is_empty()).then(|| hash(&mut self.parts().collect::<Vec<_>>(), epoch))
    }
}

/// The generations of the tags of many keys, which are loaded together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stamps(BTreeMap<String, Generation>);

impl Stamps {
    /// Reads those of `keys` that are not barred.
    pub(crate) async fn take(
        inner: &Inner,
        keys: impl Iterator<Item = String>,
        policy: &Policy,
    ) -> Answer<Self> {
        let free = |key: &String| !is_barred(inner, slice::from_ref(key));
        let keys: BTreeSet<_> = keys.filter(free).collect();
        if keys.is_empty() {
            return Ok(Self::default());
        }
        let keys: Vec<_> = keys.into_iter().collect();
        let read = match generations(inner, keys.clone(), policy).await {
            Err(_) if inner.store.is_shared_out() => each(inner, keys, policy).await,
            read => read?,
        };
        let read = read.into_iter();
        Ok(Self(
            read.filter_map(|(key, found)| Some((key, found?)))
                .collect(),
        ))
    }

    /// Whether all of `keys` were read.
    pub(crate) fn covers(&self, keys: &[String]) -> bool {
        keys.iter().all(|key| self.0.contains_key(key))
    }

    /// The stamp of one entry: of its own tags, and of those `more` that were read.
    pub(crate) fn of<'a>(
        &self,
        tags: &'a Tags,
        more: impl IntoIterator<Item = &'a String>,
    ) -> Stamp {
        let more = more.into_iter().filter(|key| !tags.keys().contains(key));
        let keys = tags.keys().iter().chain(more);
        let parts = keys.filter_map(|key| Some((key.clone(), *self.0.get(key)?)));
        Stamp::new(parts, tags.known)
    }
}

/// Gives each of `keys` a generation that has none. Those that are barred have none then either.
async fn generations(
    inner: &Inner,
    keys: Vec<String>,
    policy: &Policy,
) -> Answer<Vec<(String, Option<Generation>)>> {
    // Each its own: what is alive by one tag must not be by another.
    let new = keys.into_iter().map(|key| (key, Generation::random()));
    let new: Vec<_> = new.collect();
    let generations = inner.store.stamp(&new, life(inner, policy)).await?;
    let generations = new.into_iter().zip(generations);
    let counted = generations.map(|((key, _), generation)| {
        let epoch = inner.store.epoch(&key);
        let known = generation.filter(|_| inner.store.is_current(&key, epoch));
        (key, known.map(|generation| generation.in_epoch(epoch)))
    });
    Ok(counted.collect())
}

/// The same, where a server that is away costs its own tags alone.
async fn each(
    inner: &Inner,
    keys: Vec<String>,
    policy: &Policy,
) -> Vec<(String, Option<Generation>)> {
    let each = keys
        .into_iter()
        .map(|key| generations(inner, vec![key], policy));
    let read = join_all(each).await.into_iter();
    read.flat_map(Result::unwrap_or_default).collect()
}

/// Twice as long as the longest life of an entry, which is less than twice the TTL whatever its
/// jitter. Where each value tells its own, that is not known yet.
fn life(inner: &Inner, policy: &Policy) -> Duration {
    let policy = inner.settings.resolve(policy).unwrap_or_default();
    if policy.ttl_of_value {
        return UNKNOWN_LIFE;
    }
    let longest = policy.ttl.max(policy.negative_ttl).unwrap_or_default();
    let window = policy.stale_while_revalidate.max(policy.stale_if_error);
    let kept = longest
        .saturating_mul(4)
        .saturating_add(window.unwrap_or_default().saturating_mul(2));
    kept.max(SHORTEST_LIFE)
}

//! The reader's side: whether an entry is of the generations of now.

use std::collections::{BTreeSet, HashMap};
use std::iter;

use bytes::Bytes;

use crate::engine::context;
use crate::engine::handle::Inner;
use crate::engine::source::Source;
use crate::store::{Answer, Store as _};
use crate::wire::entry::{Live, extensions};
use crate::wire::tag::{Generation, Tags, hash, named_key};
use crate::wire::tombstone::Tombstone;

/// What the keys of some tags hold.
pub(crate) enum Generations {
    /// A generation for each.
    All(Vec<Generation>),
    /// Not every one has a generation: none of their entries is alive.
    Lost,
    /// A tombstone stands at one of them: nobody may fill.
    Barred,
}

/// What becomes of an entry that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Alive,
    /// One of its tags was invalidated since it was loaded, or is not among its tags.
    Dead,
    /// A tag bars it, or the tag's invalidation is to be replayed.
    Barred,
}

/// What stands under `key`, and under the tags of the call, in one round trip.
pub(crate) async fn look(
    source: &Source<'_>,
    key: &str,
    tags: &Tags,
) -> Answer<(Option<Bytes>, Generations)> {
    if tags.is_empty() {
        let entry = source.get(key).await?;
        return Ok((entry, Generations::none()));
    }
    let keys = iter::once(key).chain(tags.keys().iter().map(String::as_str));
    let mut answers = source.get_all(&keys.collect::<Vec<_>>()).await?;
    let generations = Generations::of(source.inner, tags.keys().iter().zip(&answers[1..]));
    answers.truncate(1);
    Ok((answers.pop().flatten(), generations))
}

/// The same for many keys, each under tags of its own.
pub(crate) async fn look_all(
    source: &Source<'_>,
    asked: &[(&str, &Tags)],
) -> Answer<Vec<(Option<Bytes>, Generations)>> {
    let tags = asked.iter().flat_map(|(_, tags)| tags.keys());
    let tags: BTreeSet<_> = tags.map(String::as_str).collect();
    let keys: Vec<_> = asked.iter().map(|(key, _)| *key).collect();
    let mut answers = read_all(source, keys.into_iter().chain(tags.iter().copied())).await?;
    let tags: Read<'_> = tags
        .into_iter()
        .zip(answers.split_off(asked.len()))
        .collect();
    let looked = answers.into_iter().zip(asked);
    Ok(looked
        .map(|(entry, (_, own))| (entry, Generations::among(source.inner, &tags, own.keys())))
        .collect())
}

/// What stands under some tags.
pub(super) type Read<'a> = HashMap<&'a str, Option<Bytes>>;

/// What stands under these, in one round trip.
pub(super) async fn read<'a>(
    source: &Source<'_>,
    tags: impl Iterator<Item = &'a String>,
) -> Answer<Read<'a>> {
    let tags: BTreeSet<_> = tags.map(String::as_str).collect();
    let answers = read_all(source, tags.iter().copied()).await?;
    Ok(tags.into_iter().zip(answers).collect())
}

async fn read_all<'a>(
    source: &Source<'_>,
    keys: impl Iterator<Item = &'a str>,
) -> Answer<Vec<Option<Bytes>>> {
    match keys.collect::<Vec<_>>().as_slice() {
        [] => Ok(Vec::new()),
        keys => source.get_all(keys).await,
    }
}

impl Generations {
    /// Those of no tags.
    pub(crate) fn none() -> Self {
        Self::All(Vec::new())
    }

    /// Of tags, and what was found there.
    pub(super) fn of<'a>(
        inner: &Inner,
        found: impl Iterator<Item = (&'a String, &'a Option<Bytes>)> + Clone,
    ) -> Self {
        let stands = |answer: &Bytes| Tombstone::stands(answer);
        if found
            .clone()
            .filter_map(|(_, answer)| answer.as_ref())
            .any(stands)
        {
            return Self::Barred;
        }
        let generation = |(tag, answer): (&String, &Option<Bytes>)| {
            let (generation, epoch) = (Generation::read(answer.as_ref()?)?, inner.store.epoch(tag));
            let is_known = inner.store.is_current(tag, epoch);
            is_known.then(|| generation.in_epoch(epoch))
        };
        let all: Option<_> = found.map(generation).collect();
        all.map_or(Self::Lost, Self::All)
    }

    /// Those of `tags`, which are among what was read.
    pub(super) fn among(inner: &Inner, read: &Read<'_>, tags: &[String]) -> Self {
        Self::of(inner, tags.iter().map(|tag| (tag, &read[tag.as_str()])))
    }

    /// Judges an entry that was found beside these generations, which are those of `tags`.
    pub(crate) async fn judge(self, source: &Source<'_>, tags: &Tags, live: &Live) -> Answer<Life> {
        let inner = source.inner;
        let found = match Found::of(inner, tags, live, self) {
            Ok(found) => found,
            Err(life) => return Ok(life),
        };
        let others: Vec<_> = found.others.iter().map(String::as_str).collect();
        let others = match others.as_slice() {
            [] => Vec::new(),
            // Boxed, so that reads that have no part in this are not larger for it.
            others => Box::pin(source.get_all(others)).await?,
        };
        let more = Self::of(inner, found.others.iter().zip(&others));
        Ok(found.weigh(inner, more))
    }
}

/// Judges an entry by generations that are kept in this process; `None` where one of them is not. Outside of a
/// load, which would have to be told of them.
#[inline]
pub(crate) fn judge_kept(
    inner: &Inner,
    tags: &Tags,
    live: &Live,
    kept: impl Fn(&str) -> Option<Generation>,
) -> Option<Life> {
    match is_untagged(tags, live) {
        true => Some(Life::Alive),
        false => judge_stamped(inner, tags, live, kept),
    }
}

fn judge_stamped(
    inner: &Inner,
    tags: &Tags,
    live: &Live,
    kept: impl Fn(&str) -> Option<Generation>,
) -> Option<Life> {
    /// So many need no allocation.
    const FEW: usize = 8;
    const NONE: (&String, Generation) = (&String::new(), Generation([0; 8]));
    let Some((stamp, others)) = stamped(inner, tags, live) else {
        return Some(Life::Dead);
    };
    if is_barred(inner, &others) {
        return Some(Life::Barred);
    }
    let (mut few, mut many) = ([NONE; FEW], Vec::new());
    let count = tags.keys().len() + others.len();
    let all = match few.get_mut(..count) {
        Some(few) => few,
        None => {
            many.resize(count, NONE);
            &mut many[..]
        }
    };
    for (part, key) in all.iter_mut().zip(tags.keys().iter().chain(&others)) {
        *part = (key, kept(key)?);
    }
    Some(life(all, live.header.epoch, stamp))
}

/// That of every hit that has nothing to do with tags.
fn is_untagged(tags: &Tags, live: &Live) -> bool {
    tags.is_empty() && !live.header.is_tagged()
}

/// That of an entry of this epoch and stamp, by the generations of all of its tags.
fn life(tags: &mut [(&String, Generation)], epoch: u32, stamp: [u8; 8]) -> Life {
    match tags.is_empty() || hash(tags, epoch) != stamp {
        true => Life::Dead,
        false => Life::Alive,
    }
}

/// An entry whose stamp is to be compared with generations.
struct Found<'a> {
    stamp: [u8; 8],
    epoch: u32,
    tags: &'a Tags,
    generations: Vec<Generation>,
    /// The tags that it names beside those.
    others: Vec<String>,
}

impl<'a> Found<'a> {
    /// An entry found beside the generations of `tags`; or what these tell of it.
    fn of(
        inner: &Inner,
        tags: &'a Tags,
        live: &Live,
        generations: Generations,
    ) -> Result<Self, Life> {
        if is_untagged(tags, live) {
            return Err(Life::Alive);
        }
        let generations = match generations {
            Generations::All(generations) => generations,
            Generations::Lost => return Err(Life::Dead),
            Generations::Barred => return Err(Life::Barred),
        };
        let (stamp, others) = stamped(inner, tags, live).ok_or(Life::Dead)?;
        // Before they are read.
        match is_barred(inner, &others) {
            true => Err(Life::Barred),
            false => Ok(Self {
                stamp,
                epoch: live.header.epoch,
                tags,
                generations,
                others,
            }),
        }
    }

    /// Judges it by all generations, `more` among them.
    fn weigh(&self, inner: &Inner, more: Generations) -> Life {
        let more = match more {
            Generations::All(more) => more,
            Generations::Lost => return Life::Dead,
            Generations::Barred => return Life::Barred,
        };
        let keys = self.tags.keys().iter().chain(&self.others);
        let mut tags: Vec<_> = keys
            .zip(self.generations.iter().copied().chain(more))
            .collect();
        let life = life(&mut tags, self.epoch, self.stamp);
        if life == Life::Alive {
            context::inherit(&inner.flights, tags.into_iter());
        }
        life
    }
}

/// Judges entries, each found beside the generations of these tags: reads the others of all in one round
/// trip.
pub(crate) async fn judge_all(
    source: &Source<'_>,
    found: Vec<(&Tags, &Live, Generations)>,
) -> Answer<Vec<Life>> {
    let (inner, found) = (source.inner, found.into_iter());
    let found = found.map(|(tags, live, own)| Found::of(inner, tags, live, own));
    let found: Vec<_> = found.collect();
    let read = read(
        source,
        found.iter().flatten().flat_map(|found| &found.others),
    )
    .await?;
    let judged = found.iter().map(|found| match found {
        Ok(found) => found.weigh(inner, Generations::among(inner, &read, &found.others)),
        Err(life) => *life,
    });
    Ok(judged.collect())
}

/// Whether the invalidation of one of `tags` is to be replayed.
pub(crate) fn is_barred(inner: &Inner, tags: &[String]) -> bool {
    tags.iter().any(|tag| inner.journal.pass(tag).is_none())
}

/// The stamp of an entry and those of its tags that `tags` does not know. `None`: it has no stamp, or
/// lacks a tag that was given by hand.
fn stamped(inner: &Inner, tags: &Tags, live: &Live) -> Option<([u8; 8], Vec<String>)> {
    let extensions = extensions(&live.entry)?;
    let named = extensions.named.iter();
    let named: Vec<_> = named
        .map(|name| named_key(&inner.namespace, name))
        .collect();
    let is_named = |tag: &String| named.contains(tag);
    if !tags.by_hand().iter().all(is_named) {
        return None;
    }
    let others = named.into_iter().filter(|tag| !tags.keys().contains(tag));
    Some((extensions.stamp?, others.collect()))
}

/// All tags of an entry that another reader has loaded, for one who asked under `tags`.
pub(crate) fn keys(inner: &Inner, tags: &Tags, entry: &[u8]) -> Vec<String> {
    let named = extensions(entry).unwrap_or_default().named;
    let named = named.iter().map(|name| named_key(&inner.namespace, name));
    tags.keys().iter().cloned().chain(named).collect()
}

/// An entry that was found without its tags, if it is alive and names all of `tags`. The tags of a
/// function's template are not known here, so its entries are not.
pub(crate) async fn alive(inner: &Inner, tags: &Tags, live: Live) -> Answer<Option<Live>> {
    let named = keys(inner, &Tags::default(), &live.entry);
    if !tags.keys().iter().all(|tag| named.contains(tag)) {
        return Ok(None);
    }
    let life = Generations::none()
        .judge(&Source::store(inner), &Tags::default(), &live)
        .await?;
    Ok((life == Life::Alive).then_some(live))
}

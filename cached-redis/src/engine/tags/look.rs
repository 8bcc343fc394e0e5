//! The reader's side: whether an entry is of the generations of now.

use std::collections::{BTreeSet, HashMap};
use std::iter;

use bytes::Bytes;

use crate::engine::context;
use crate::engine::handle::Inner;
use crate::error::StoreError;
use crate::store::Store as _;
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
    inner: &Inner,
    key: &str,
    tags: &Tags,
) -> Result<(Option<Bytes>, Generations), StoreError> {
    if tags.is_empty() {
        let entry = inner.store.get(key).await?;
        return Ok((entry, Generations::All(Vec::new())));
    }
    let keys = iter::once(key).chain(tags.keys().iter().map(String::as_str));
    let mut answers = inner.store.get_all(&keys.collect::<Vec<_>>()).await?;
    let generations = Generations::of(answers.get(1..).unwrap_or_default());
    answers.truncate(1);
    Ok((answers.pop().flatten(), generations))
}

impl Generations {
    pub(crate) fn of(answers: &[Option<Bytes>]) -> Self {
        let stands = |answer: &Bytes| Tombstone::stands(answer);
        if answers.iter().flatten().any(stands) {
            return Self::Barred;
        }
        let generation = |answer: &Option<Bytes>| Generation::read(answer.as_ref()?);
        let all: Option<_> = answers.iter().map(generation).collect();
        all.map_or(Self::Lost, Self::All)
    }

    /// Judges an entry that was found beside these generations, which are those of `tags`.
    pub(crate) async fn judge(
        self,
        inner: &Inner,
        tags: &Tags,
        live: &Live,
    ) -> Result<Life, StoreError> {
        // The way of every hit that has nothing to do with tags.
        if tags.is_empty() && !live.header.is_tagged() {
            return Ok(Life::Alive);
        }
        let mut generations = match self {
            Self::All(generations) => generations,
            Self::Lost => return Ok(Life::Dead),
            Self::Barred => return Ok(Life::Barred),
        };
        let Some((stamp, others)) = stamped(inner, tags, live) else {
            return Ok(Life::Dead);
        };
        if !others.is_empty() {
            if is_barred(inner, &others) {
                return Ok(Life::Barred);
            }
            let keys: Vec<_> = others.iter().map(String::as_str).collect();
            // Boxed, so that reads that have no part in this are not larger for it.
            match Self::of(&Box::pin(inner.store.get_all(&keys)).await?) {
                Self::All(more) => generations.extend(more),
                Self::Lost => return Ok(Life::Dead),
                Self::Barred => return Ok(Life::Barred),
            }
        }
        let keys = tags.keys().iter().chain(&others);
        Ok(Self::All(generations).weigh(inner, stamp, keys))
    }

    /// Judges the entry of this stamp, whose tags are `keys` with these generations.
    fn weigh<'a>(
        self,
        inner: &Inner,
        stamp: [u8; 8],
        keys: impl Iterator<Item = &'a String>,
    ) -> Life {
        let generations = match self {
            Self::All(generations) => generations,
            Self::Lost => return Life::Dead,
            Self::Barred => return Life::Barred,
        };
        let tags: Vec<_> = keys.zip(generations).collect();
        if tags.is_empty() || hash(tags.iter().copied()) != stamp {
            return Life::Dead;
        }
        context::inherit(&inner.flights, tags.into_iter());
        Life::Alive
    }
}

/// Judges entries that were found without their tags: reads those of all in one round trip.
pub(crate) async fn judge_all(inner: &Inner, lives: &[&Live]) -> Result<Vec<Life>, StoreError> {
    let none = Tags::default();
    let tagged = |live: &&Live| live.header.is_tagged().then(|| stamped(inner, &none, live));
    let stamps: Vec<_> = lives.iter().map(tagged).collect();
    let named = stamps.iter().flatten().flatten().map(|(_, named)| named);
    // Before they are read.
    let barred: Vec<_> = named.clone().map(|named| is_barred(inner, named)).collect();
    let keys: BTreeSet<_> = named.flatten().map(String::as_str).collect();
    let keys: Vec<_> = keys.into_iter().collect();
    let answers = match keys.as_slice() {
        [] => Vec::new(),
        keys => inner.store.get_all(keys).await?,
    };
    let standing: HashMap<_, _> = keys.into_iter().zip(answers).collect();
    let mut barred = barred.into_iter();
    let life = |stamp: &Option<Option<([u8; 8], Vec<String>)>>| match stamp {
        None => Life::Alive,
        Some(None) => Life::Dead,
        Some(Some(_)) if barred.next() == Some(true) => Life::Barred,
        Some(Some((stamp, named))) => {
            let answers = named.iter().map(|tag| standing[tag.as_str()].clone());
            Generations::of(&answers.collect::<Vec<_>>()).weigh(inner, *stamp, named.iter())
        }
    };
    Ok(stamps.iter().map(life).collect())
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
pub(crate) async fn alive(
    inner: &Inner,
    tags: &Tags,
    live: Live,
) -> Result<Option<Live>, StoreError> {
    let named = keys(inner, &Tags::default(), &live.entry);
    if !tags.keys().iter().all(|tag| named.contains(tag)) {
        return Ok(None);
    }
    let none = Generations::All(Vec::new());
    let life = none.judge(inner, &Tags::default(), &live).await?;
    Ok((life == Life::Alive).then_some(live))
}

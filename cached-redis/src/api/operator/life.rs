//! Whether a reader would take an entry.
//!
//! It has one stamp of all of its tags: so it tells that one of them was invalidated, and not which. That is known
//! only of a tag under which nobody has loaded since.

use bytes::Bytes;

use super::Operator;
use super::entry::{Entry, Life, TagFacts, TagState};
use crate::error::Error;
use crate::policy::failover::epoch_key;
use crate::store::{Answer, Store as _};
use crate::wire::entry;
use crate::wire::tag::{Generation, hash, name, named_key, tag_key};
use crate::wire::tombstone::Tombstone;

impl Operator<'_> {
    /// How the tag of this name stands.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn tag(&self, name: &str) -> Result<TagState, Error> {
        let key = tag_key(&self.inner.namespace, name);
        let found = self.inner.store.get_all(&[&key]).await?;
        Ok(state(found.first().and_then(Option::as_ref)))
    }

    /// Looks at the tags of an entry; `given` are those that its function has, where these can be told.
    pub(super) async fn judge(
        &self,
        entry: &mut Entry,
        bytes: &[u8],
        given: Option<Vec<String>>,
    ) -> Answer<()> {
        let extensions = entry::extensions(bytes).unwrap_or_default();
        let is_complete = given.is_some();
        let mut keys = given.unwrap_or_default();
        for named in &extensions.named {
            let tag = named_key(&self.inner.namespace, named);
            if !keys.contains(&tag) {
                keys.push(tag);
            }
        }
        let generations = self.look(entry, &keys).await?;
        let is_same = extensions.stamp.map(|stamp| match generations {
            Some(mut generations) if !keys.is_empty() => {
                hash(&mut generations, entry.epoch) == stamp
            }
            _ => false,
        });
        let has = |state| entry.tags.iter().any(|tag| tag.state == state);
        entry.life = match is_same {
            _ if entry.epoch_is_current == Some(false) => Life::Dead,
            _ if has(TagState::Barred) => Life::Barred,
            // Dead on purpose: it only names tags for the next load.
            _ if extensions.stamp == Some([0; 8]) || has(TagState::Gone) => Life::Dead,
            Some(true) => Life::Alive,
            None if keys.is_empty() => Life::Alive,
            _ if is_complete => Life::Dead,
            _ => Life::Unknown,
        };
        Ok(())
    }

    /// How the tags stand, and their generations, if all have one.
    async fn look<'k>(
        &self,
        entry: &mut Entry,
        keys: &'k [String],
    ) -> Answer<Option<Vec<(&'k String, Generation)>>> {
        if keys.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let asked: Vec<_> = keys.iter().map(String::as_str).collect();
        let found = self.inner.store.get_all(&asked).await?;
        let mut generations = Vec::with_capacity(keys.len());
        for (key, found) in keys.iter().zip(&found) {
            let name = name(&self.inner.namespace, key).unwrap_or(key).to_owned();
            let state = state(found.as_ref());
            entry.tags.push(TagFacts { name, state });
            // Where there are no epochs, generations are of none.
            let epoch = match entry.epoch {
                0 => 0,
                _ => self.epoch(key).await?.unwrap_or(0),
            };
            let generation = found.as_deref().and_then(Generation::read);
            generations.push(generation.map(|it| (key, it.in_epoch(epoch))));
        }
        Ok(generations.into_iter().collect())
    }

    /// The epoch of the server of a key, 0 where there are none; `None`: it is not known here.
    pub(super) async fn epoch(&self, key: &str) -> Answer<Option<u32>> {
        let (inner, store) = (self.inner, &self.inner.store);
        let own = inner.settings.on_failover.epoch_key(&inner.namespace);
        if own.is_some() {
            return Ok(Some(store.epoch(key)));
        }
        if store.is_shared_out() {
            return Ok(None);
        }
        // Others may have agreed on one.
        let stands = store.get_all(&[&epoch_key(&inner.namespace)]).await?;
        let text = stands.first().and_then(Option::as_deref);
        let text = text.and_then(|text| str::from_utf8(text).ok());
        let number = text.and_then(|text| text.split(' ').next()?.parse().ok());
        Ok(Some(number.unwrap_or(0)))
    }
}

fn state(found: Option<&Bytes>) -> TagState {
    match found {
        Some(bytes) if Tombstone::stands(bytes) => TagState::Barred,
        Some(bytes) if Generation::read(bytes).is_some() => TagState::Stands,
        _ => TagState::Gone,
    }
}

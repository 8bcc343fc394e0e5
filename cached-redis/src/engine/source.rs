//! Where a reader looks. For a function with `local` that is the store too, but over the connection whose
//! changes are announced, and what it shows is kept. For one that is `checked`, the store is asked whether
//! what is kept still stands: of that its head is shown, which has its token.

use std::time::Duration;

use bytes::Bytes;

use crate::engine::handle::Inner;
use crate::engine::local::Kept;
use crate::policy::Policy;
use crate::store::{Answer, AnyStore, Bare, Store as _};
use crate::wire::entry::Live;

/// See the module.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) inner: &'a Inner,
    keeps: Keeps,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Keeps {
    Nothing,
    /// What is announced to change, for so long.
    Announced(Duration),
    /// What stands.
    Standing,
}

impl<'a> Source<'a> {
    /// The store, of which nothing is kept.
    pub(crate) fn store(inner: &'a Inner) -> Self {
        let keeps = Keeps::Nothing;
        Self { inner, keeps }
    }

    /// That of a function with this policy.
    pub(crate) fn of(inner: &'a Inner, policy: &Policy) -> Self {
        let named = inner.settings.base(policy);
        let checked = policy.checked || named.is_some_and(|named| named.checked);
        let local = policy.local.or_else(|| named?.local);
        let keeps = match (checked, local) {
            (true, _) => Keeps::Standing,
            (false, Some(local)) => Keeps::Announced(local),
            (false, None) => Keeps::Nothing,
        };
        Self { inner, keeps }
    }

    /// Whether the store is in this process, and asked each time.
    pub(crate) fn is_in_memory(&self) -> bool {
        matches!(self.inner.store.bare(), Bare::Memory(_))
    }

    /// Whether it is, and need be asked for no more than whether what is kept still stands.
    pub(crate) fn is_local_in_memory(&self) -> bool {
        self.local().is_some() && self.is_in_memory()
    }

    /// For how long what was read is served without asking.
    pub(crate) fn local(&self) -> Option<Duration> {
        match self.keeps {
            Keeps::Announced(local) => Some(local),
            Keeps::Nothing | Keeps::Standing => None,
        }
    }

    /// Whether what is seen is not kept.
    pub(crate) fn keeps_nothing(&self) -> bool {
        self.keeps == Keeps::Nothing
    }

    /// The store itself, where nothing of what it shows is kept.
    pub(crate) fn plain(&self) -> Option<&'a AnyStore> {
        let is_plain = self.keeps == Keeps::Nothing || self.is_in_memory();
        is_plain.then_some(&self.inner.store)
    }

    pub(crate) async fn get(&self, key: &str) -> Answer<Option<Bytes>> {
        if let Some(store) = self.plain() {
            return store.get(key).await;
        }
        let mut answers = Box::pin(self.read(&[key])).await?;
        Ok(answers.pop().flatten())
    }

    pub(crate) async fn get_all(&self, keys: &[&str]) -> Answer<Vec<Option<Bytes>>> {
        match self.plain() {
            Some(store) => store.get_all(keys).await,
            None => Box::pin(self.read(keys)).await,
        }
    }

    async fn read(&self, keys: &[&str]) -> Answer<Vec<Option<Bytes>>> {
        match self.local() {
            Some(local) => self.read_and_keep(keys, local).await,
            None => self.check(keys).await,
        }
    }

    async fn read_and_keep(&self, keys: &[&str], local: Duration) -> Answer<Vec<Option<Bytes>>> {
        let (inner, level) = (self.inner, &self.inner.level);
        let tickets: Vec<_> = keys.iter().map(|key| level.ticket(key)).collect();
        let shown = inner.store.read_tracked(keys).await?;
        let answers = shown.entries.iter().zip(&shown.seen);
        for ((key, ticket), (entry, seen)) in keys.iter().zip(tickets).zip(answers) {
            let (Some(entry), Some(seen)) = (entry, seen) else {
                continue;
            };
            let else_ = inner.settings.local_staleness;
            if let Some((kept, rest)) = Kept::of(&inner.store, key, else_, entry) {
                level.keep(key, ticket, (seen, local), kept, rest);
            }
        }
        Ok(shown.entries)
    }

    /// Reads all but the payloads that are here.
    async fn check(&self, keys: &[&str]) -> Answer<Vec<Option<Bytes>>> {
        let known: Vec<_> = keys.iter().map(|key| self.inner.level.known(key)).collect();
        let parts = keys.iter().zip(&known);
        let parts = parts.map(|(key, live)| (*key, live.as_ref().map(|live| live.head().len())));
        let store = &self.inner.store;
        let mut answers = store.read_parts(&parts.collect::<Vec<_>>()).await?;
        let mut changed = Vec::new();
        for (at, (answer, live)) in answers.iter_mut().zip(known).enumerate() {
            match (&answer, live) {
                (Some(head), Some(live)) if **head == *live.head() => {
                    *answer = Some(live.entry.clone());
                }
                (Some(_), Some(_)) => changed.push(at),
                _ => {}
            }
        }
        if !changed.is_empty() {
            let again: Vec<_> = changed.iter().map(|at| keys[*at]).collect();
            for (at, entry) in changed.into_iter().zip(store.get_all(&again).await?) {
                answers[at] = entry;
            }
        }
        Ok(answers)
    }

    /// Lets an entry that was read, and is alive, share its decoded value.
    pub(crate) fn share(&self, key: &str, live: &mut Live) {
        let level = &self.inner.level;
        match self.keeps {
            Keeps::Nothing => {}
            Keeps::Announced(_) if !self.is_in_memory() => drop(level.share(key, live)),
            Keeps::Announced(_) | Keeps::Standing => level.share_on(key, live),
        }
    }
}

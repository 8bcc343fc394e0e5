//! Steps on many keys, on either store: pipelines on Redis, else one step after the other.

use std::time::Duration;

use bytes::Bytes;

use crate::store::many::{Answer, Asked, Filling, Granted};
use crate::store::{AnyStore, Store as _};
use crate::wire::entry::Token;

impl AnyStore {
    /// Puts `lease` under each key, as [`acquire`](super::Store::acquire) and
    /// [`acquire_over`](super::Store::acquire_over) do. A repetition may find its own lease.
    pub(crate) async fn acquire_all(
        &self,
        asked: &[Asked<'_>],
        lease: &Bytes,
        ttl: Duration,
    ) -> Vec<Answer<Granted>> {
        if let Self::Redis(store) = self {
            return store.acquire_all(asked, lease, ttl).await;
        }
        let mut answers = Vec::with_capacity(asked.len());
        for Asked { key, over } in asked {
            let lease = lease.clone();
            answers.push(match over {
                None => self.acquire(key, lease, ttl).await.map(Granted::of),
                Some(seen) => {
                    let over = self.acquire_over(key, seen.clone(), lease, ttl);
                    over.await.map(Granted::over)
                }
            });
        }
        answers
    }

    /// Puts `lease` over whatever stands under each key but a tombstone.
    pub(crate) async fn seize_all(
        &self,
        keys: &[String],
        lease: &Bytes,
        ttl: Duration,
    ) -> Vec<Answer<bool>> {
        if let Self::Redis(store) = self {
            return store.seize_all(keys, lease, ttl).await;
        }
        let mut answers = Vec::with_capacity(keys.len());
        for key in keys {
            answers.push(self.seize(key, lease.clone(), ttl).await);
        }
        answers
    }

    /// Gives what carries `token` under each key a new time to live.
    pub(crate) async fn extend_all(
        &self,
        keys: &[String],
        token: Token,
        ttl: Duration,
    ) -> Vec<Answer<bool>> {
        if let Self::Redis(store) = self {
            return store.extend_all(keys, token, ttl).await;
        }
        let mut answers = Vec::with_capacity(keys.len());
        for key in keys {
            answers.push(self.extend(key, token, ttl).await);
        }
        answers
    }

    /// Replaces what carries its token under each key.
    pub(crate) async fn fill_all(&self, fills: &[Filling<'_>]) -> Vec<Answer<bool>> {
        if let Self::Redis(store) = self {
            return store.fill_all(fills).await;
        }
        let mut answers = Vec::with_capacity(fills.len());
        for fill in fills {
            let filled = self.fill(fill.key, fill.token, fill.entry.clone(), fill.ttl);
            answers.push(filled.await);
        }
        answers
    }

    /// Removes what carries `token` under each key.
    pub(crate) async fn release_all(&self, keys: &[String], token: Token) -> Vec<Answer<bool>> {
        if let Self::Redis(store) = self {
            return store.release_all(keys, token).await;
        }
        let mut answers = Vec::with_capacity(keys.len());
        for key in keys {
            answers.push(self.release(key, token).await);
        }
        answers
    }
}

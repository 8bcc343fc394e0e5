//! The leases of one batch: one token and one heartbeat for all of its keys.
//!
//! A token is new for every attempt, and a batch makes one attempt at each of its keys, so one token
//! does for all: what stands under a key is compared with it there and nowhere else.

use bytes::Bytes;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::{iter, mem};

use crate::engine::claim::{self, Claimed};
use crate::engine::handle::Inner;
use crate::engine::lease::Pulse;
use crate::engine::tags::Stamps;
use crate::error::StoreError;
use crate::observe::status::Filled;
use crate::policy::Policy;
use crate::store::many::{Asked, Filling, Granted};
use crate::store::{Answer, Store as _};
use crate::util::beats::{Beat, Beating};
use crate::util::boxed::Boxed;
use crate::util::lock::Mutex;
use crate::util::moment::Moment;
use crate::wire::entry::{Header, Token};

/// Leases that are asked for or granted. Dropping them releases them: the asking or the load failed,
/// panicked or was given up.
pub(crate) struct Leases {
    inner: Arc<Inner>,
    token: Token,
    /// Those of their keys when the leases were asked for.
    epochs: Epochs,
    stamps: Stamps,
    /// The keys that may carry our token: all that were asked for and not refused, since an answer
    /// that never came may have been a grant.
    held: Vec<String>,
    pulse: Arc<Pulse>,
    heartbeat: Option<Beating>,
}

impl Leases {
    /// Of these keys, or some of them.
    pub(super) fn new<'k>(inner: &Arc<Inner>, keys: impl Iterator<Item = &'k str>) -> Self {
        Self {
            inner: Arc::clone(inner),
            token: Token::next(),
            // Before they are sent, as for a single lease.
            epochs: Epochs::note(inner, keys),
            stamps: Stamps::default(),
            held: Vec::new(),
            pulse: Arc::new(Pulse::begun()),
            heartbeat: None,
        }
    }

    pub(super) fn token(&self) -> Token {
        self.token
    }

    pub(super) fn epochs(&self) -> &Epochs {
        &self.epochs
    }

    /// The generations that the load under these leases begins from.
    pub(super) fn stamps(&self) -> &Stamps {
        &self.stamps
    }

    /// None yet, for a load that begins from the same.
    pub(super) fn beside(&self) -> Self {
        let mut leases = Self::new(&self.inner, iter::empty());
        leases.epochs = self.epochs.clone();
        leases.stamps = self.stamps.clone();
        leases
    }

    /// Reads the generations of `tags`. Where the store is away, none are known.
    pub(super) async fn read_tags(
        &mut self,
        policy: &Policy,
        tags: impl Iterator<Item = String>,
    ) -> Result<(), StoreError> {
        self.stamps = Stamps::take(&self.inner, tags, policy).await?;
        Ok(())
    }

    /// Asks for leases, and keeps those alive that were granted.
    pub(super) async fn acquire(&mut self, asked: &[Asked]) -> Vec<Answer<Granted>> {
        self.held = asked.iter().map(|asked| asked.key.clone()).collect();
        let (lease, life) = (self.entry(), self.inner.settings.lease);
        let mut answers = self
            .inner
            .store
            .acquire_all(asked, lease.clone(), life)
            .await;
        for answer in &mut answers {
            // The command was sent twice, and the first one was granted.
            if matches!(answer, Ok(Granted::No(Some(entry))) if *entry == lease) {
                *answer = Ok(Granted::Yes);
            }
        }
        self.granted(answers.iter().map(|answer| match answer {
            Ok(Granted::No(_)) => Some(false),
            answer => answer.is_ok().then_some(true),
        }));
        answers
    }

    /// Takes the leases of `keys` whatever stands there, unless that is a tombstone.
    pub(super) async fn seize(&mut self, keys: &[String]) -> Vec<Answer<bool>> {
        self.held = keys.to_vec();
        let (lease, life) = (self.entry(), self.inner.settings.lease);
        let answers = self.inner.store.seize_all(keys, lease, life).await;
        self.granted(answers.iter().map(|answer| answer.as_ref().ok().copied()));
        answers
    }

    /// Sends `fills`; which of them won. Leases that nothing is filled under are released.
    pub(super) async fn fill(mut self, fills: &[Filling]) -> Vec<Answer<Filled>> {
        let (inner, epochs) = (Arc::clone(&self.inner), mem::take(&mut self.epochs));
        let is_current = |fill: &Filling| inner.store.epoch(&fill.key) == epochs.of(&fill.key);
        if !fills.iter().all(is_current) {
            return fills.iter().map(|_| Ok(Filled::Overtaken)).collect();
        }
        let won = inner.store.fill_all(fills).await;
        let sent = fills.iter().zip(&won).filter(|(_, won)| won.is_ok());
        let ended: HashSet<_> = sent.map(|(fill, _)| fill.key.as_str()).collect();
        self.held.retain(|key| !ended.contains(key.as_str()));
        // The answers may be those of a new server, where leases stand although they were invalidated.
        let filled = |fill: &Filling, won| match won {
            true if is_current(fill) => Filled::Stored,
            false if fill.token == self.token => self.pulse.refused(&inner),
            _ => Filled::Overtaken,
        };
        let answers = fills.iter().zip(won);
        answers
            .map(|(fill, won)| won.map(|won| filled(fill, won)))
            .collect()
    }

    fn entry(&self) -> Bytes {
        Bytes::copy_from_slice(&Header::lease(self.token))
    }

    /// `answers`: whether the lease of each key was granted, `None` if that is not known.
    fn granted(&mut self, answers: impl Iterator<Item = Option<bool>>) {
        let answers: Vec<_> = answers.collect();
        let mut each = answers.iter();
        self.held.retain(|_| each.next() != Some(&Some(false)));
        if answers.contains(&Some(true)) {
            self.start_heartbeat();
        }
    }

    /// Releases those of `keys`: nothing will be filled there.
    pub(super) fn let_go(&mut self, keys: &HashSet<String>) {
        let held = mem::take(&mut self.held).into_iter();
        let (gone, held): (Vec<_>, _) = held.partition(|key| keys.contains(key));
        self.held = held;
        if self.heartbeat.is_some() && !gone.is_empty() {
            self.start_heartbeat();
        }
        self.release(gone);
    }

    /// One for what is held now.
    fn start_heartbeat(&mut self) {
        self.stop_heartbeat();
        if !self.held.is_empty() {
            let held = Arc::new(Held {
                inner: Arc::clone(&self.inner),
                keys: Mutex::new(self.held.clone()),
                token: self.token,
                pulse: Arc::clone(&self.pulse),
            });
            let period = self.inner.settings.lease / 3;
            self.heartbeat = Some(self.inner.runtime.beat(period, &held));
        }
    }

    fn release(&self, keys: Vec<String>) {
        if keys.is_empty() {
            return;
        }
        let (keys, token): (Arc<[String]>, _) = (keys.into(), self.token);
        // Unanswered, the leases run out by themselves.
        self.inner.finish(move |inner| {
            let keys = Arc::clone(&keys);
            async move {
                let released = inner.store.release_all(&keys, token).await;
                released.iter().all(Result::is_ok)
            }
        });
    }

    pub(super) fn stop_heartbeat(&mut self) {
        self.heartbeat = None;
    }
}

impl Drop for Leases {
    fn drop(&mut self) {
        self.stop_heartbeat();
        let held = mem::take(&mut self.held);
        self.release(held);
    }
}

/// The epochs of some keys at one moment.
#[derive(Clone, Default)]
pub(super) struct Epochs {
    /// That of the first, and those that are others: only in a cluster there are any.
    first: u32,
    others: HashMap<String, u32>,
}

impl Epochs {
    pub(super) fn note<'k>(inner: &Inner, keys: impl Iterator<Item = &'k str>) -> Self {
        let mut each = keys.map(|key| (key, inner.store.epoch(key)));
        let first = each.next().map_or(0, |(_, epoch)| epoch);
        let others = each.filter(|(_, epoch)| *epoch != first);
        let others = others.map(|(key, epoch)| (key.to_owned(), epoch)).collect();
        Self { first, others }
    }

    pub(super) fn of(&self, key: &str) -> u32 {
        self.others.get(key).copied().unwrap_or(self.first)
    }
}

/// The claims on the refreshes of many keys, which are leases beside their entries.
pub(crate) struct Claims(Leases);

impl Claims {
    /// Asks for those on `keys`; of each that was not granted why.
    pub(super) async fn ask(
        inner: &Arc<Inner>,
        keys: impl Iterator<Item = &str>,
    ) -> (Self, Vec<Answer<Option<Claimed>>>) {
        let key = |key: &str| claim::beside(inner, key);
        let asked = keys.map(|of| Asked {
            key: key(of),
            over: None,
        });
        let asked: Vec<_> = asked.collect();
        let mut leases = Leases::new(inner, asked.iter().map(|asked| asked.key.as_str()));
        let answers = leases.acquire(&asked).await.into_iter();
        let refused = |(asked, answer): (&Asked, Answer<_>)| match answer? {
            Granted::No(Some(entry)) => {
                Ok(Claimed::refused(&entry, inner.store.now_ms(&asked.key)))
            }
            Granted::Yes | Granted::No(None) => Ok(None),
        };
        let refused = asked.iter().zip(answers).map(refused).collect();
        (Self(leases), refused)
    }

    /// Gives back those on `keys`, which will not be loaded.
    pub(super) fn let_go<'k>(&mut self, keys: impl Iterator<Item = &'k str>) {
        let Self(leases) = self;
        let keys = keys.map(|key| claim::beside(&leases.inner, key)).collect();
        leases.let_go(&keys);
    }

    /// The load has failed: leaves word of it for the time of the throttle.
    pub(super) fn failed(self) {
        let Self(leases) = self;
        let (inner, throttle) = (Arc::clone(&leases.inner), leases.inner.settings.throttle);
        let fill = |key: &String| Filling {
            key: key.clone(),
            token: leases.token,
            entry: claim::word(inner.store.now_ms(key), throttle),
            ttl: throttle,
        };
        let fills: Vec<_> = leases.held.iter().map(fill).collect();
        let task = inner.runtime.work.begin();
        inner.runtime.spawn(async move {
            // Unanswered, this process alone rests.
            leases.fill(&fills).await;
            drop(task);
        });
    }
}

/// What is kept alive.
struct Held {
    inner: Arc<Inner>,
    keys: Mutex<Vec<String>>,
    token: Token,
    pulse: Arc<Pulse>,
}

impl Beat for Held {
    /// Without an answer the next one tries again; leases that are gone need no more of them.
    fn beat(self: Arc<Self>) -> Boxed<'static, bool> {
        Box::pin(async move {
            let (life, asked) = (self.inner.settings.lease, Moment::now());
            let keys = self.keys.lock().clone();
            let stands = self.inner.store.extend_all(&keys, self.token, life).await;
            if stands.contains(&Ok(true)) {
                self.pulse.renewed(asked);
            }
            let gone = keys.iter().zip(&stands);
            let gone = gone.filter(|(_, stands)| **stands == Ok(false));
            let gone: HashSet<_> = gone.map(|(key, _)| key).collect();
            let mut keys = self.keys.lock();
            keys.retain(|key| !gone.contains(key));
            if keys.is_empty() {
                self.pulse.gone(&self.inner);
            }
            !keys.is_empty()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::handle::Cache;

    #[tokio::test]
    async fn leases_that_are_let_go_are_released_and_the_others_held() {
        let cache = Cache::builder().url("memory://").build().await.unwrap();
        let held = async || {
            cache.flush().await.unwrap();
            let standing = cache.inner.store.get_all(&["a", "b"]).await.unwrap();
            [standing[0].is_some(), standing[1].is_some()]
        };
        let asked = ["a", "b"].map(|key| Asked {
            key: key.to_owned(),
            over: None,
        });
        let mut leases = Leases::new(&cache.inner, asked.iter().map(|asked| asked.key.as_str()));
        leases.acquire(&asked).await;
        assert_eq!(held().await, [true, true]);
        leases.let_go(&HashSet::from(["a".to_owned()]));
        assert_eq!(held().await, [false, true]);
        drop(leases);
        assert_eq!(held().await, [false, false]);
    }
}

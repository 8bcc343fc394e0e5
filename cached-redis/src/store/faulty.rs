//! A store behind a bad network.
//!
//! Each step is made into a future that owns all it needs, so that it can be late: it then runs in
//! a task of its own, however long its caller waits, as a command does that was sent.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{sleep, timeout};

use super::faults::{Fate, Faults};
use crate::error::StoreError;
use crate::store::{Outlet, Put, Store};
use crate::util::home::Home;
use crate::wire::entry::Token;
use crate::wire::lock::Grant;
use crate::wire::tag::Generation;

/// How many deadlines a step is held back if no later one comes.
const HELD_BACK: u32 = 10;

/// Any store, with faults before it.
#[derive(Debug)]
pub(crate) struct FaultyStore<S> {
    store: Arc<S>,
    faults: Faults,
    /// How long a caller waits for an answer.
    deadline: Duration,
    /// Where steps run that are late.
    runtime: Arc<Home>,
}

/// Boxed, since a store contains a faulty store contains a store.
type Step<T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send>>;

impl<S: Store> FaultyStore<S> {
    pub(crate) fn new(store: S, faults: Faults, deadline: Duration, runtime: Arc<Home>) -> Self {
        Self {
            store: Arc::new(store),
            faults,
            deadline,
            runtime,
        }
    }

    /// The store behind.
    pub(crate) fn store(&self) -> &S {
        &self.store
    }

    async fn run<T: Send + 'static>(&self, step: Step<T>) -> Result<T, StoreError> {
        let (number, fate) = self.faults.next();
        let step = numbered(self.faults.clone(), number, step);
        match fate {
            Fate::Run => step.await,
            Fate::LoseAnswer => step.await.and(Err(StoreError::Lost)),
            Fate::Fail => Err(StoreError::Unavailable),
            Fate::Drop => {
                sleep(self.deadline).await;
                Err(StoreError::Timeout)
            }
            Fate::Delay(delay) => self.send(sleep(delay), step).await,
            Fate::HoldBack => self.send(self.held_back(number), step).await,
        }
    }

    fn held_back(&self, number: u64) -> impl Future<Output = ()> + Send + 'static {
        let faults = self.faults.clone();
        let most = self.deadline.saturating_mul(HELD_BACK);
        async move {
            // With or without a later one.
            let _ = timeout(most, faults.overtaken(number)).await;
        }
    }

    /// Runs `step` after `pause`, whoever waits for it.
    async fn send<T: Send + 'static>(
        &self,
        pause: impl Future<Output = ()> + Send + 'static,
        step: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let sent = self.runtime.spawn(async move {
            pause.await;
            step.await
        });
        match timeout(self.deadline, sent).await {
            Ok(Ok(answer)) => answer,
            // The runtime is shutting down.
            Ok(Err(_)) => Err(StoreError::Unavailable),
            Err(_) => Err(StoreError::Timeout),
        }
    }
}

/// `step`, which tells that it has run.
async fn numbered<T>(faults: Faults, number: u64, step: Step<T>) -> Result<T, StoreError> {
    let answer = step.await;
    faults.has_run(number);
    answer
}

/// Runs one step on the store behind, of arguments that are owned.
macro_rules! step {
    ($this:ident, $store:ident => $step:expr) => {{
        let $store = Arc::clone(&$this.store);
        $this.run(Box::pin(async move { $step.await }))
    }};
}

type Answer<T> = Result<T, StoreError>;

impl<S: Store> Store for FaultyStore<S> {
    fn get(&self, key: &str) -> impl Future<Output = Answer<Option<Bytes>>> + Send {
        let key = key.to_owned();
        step!(self, store => store.get(&key))
    }

    fn get_all(&self, keys: &[&str]) -> impl Future<Output = Answer<Vec<Option<Bytes>>>> + Send {
        let keys: Vec<_> = keys.iter().map(|key| (*key).to_owned()).collect();
        step!(self, store => async move {
            let keys: Vec<_> = keys.iter().map(String::as_str).collect();
            store.get_all(&keys).await
        })
    }

    fn stamp(
        &self,
        tags: &[(String, Generation)],
        ttl: Duration,
    ) -> impl Future<Output = Answer<Vec<Option<Generation>>>> + Send {
        let tags = tags.to_vec();
        step!(self, store => store.stamp(&tags, ttl))
    }

    fn acquire(
        &self,
        key: &str,
        lease: Bytes,
        ttl: Duration,
    ) -> impl Future<Output = Answer<Option<Bytes>>> + Send {
        let key = key.to_owned();
        step!(self, store => store.acquire(&key, lease, ttl))
    }

    fn acquire_over(
        &self,
        key: &str,
        seen: Bytes,
        lease: Bytes,
        ttl: Duration,
    ) -> impl Future<Output = Answer<bool>> + Send {
        let key = key.to_owned();
        step!(self, store => store.acquire_over(&key, seen, lease, ttl))
    }

    fn seize(
        &self,
        key: &str,
        lease: Bytes,
        ttl: Duration,
    ) -> impl Future<Output = Answer<bool>> + Send {
        let key = key.to_owned();
        step!(self, store => store.seize(&key, lease, ttl))
    }

    fn extend(
        &self,
        key: &str,
        token: Token,
        ttl: Duration,
    ) -> impl Future<Output = Answer<bool>> + Send {
        let key = key.to_owned();
        step!(self, store => store.extend(&key, token, ttl))
    }

    fn fill(
        &self,
        key: &str,
        token: Token,
        entry: Bytes,
        ttl: Duration,
    ) -> impl Future<Output = Answer<bool>> + Send {
        let key = key.to_owned();
        step!(self, store => store.fill(&key, token, entry, ttl))
    }

    fn release(&self, key: &str, token: Token) -> impl Future<Output = Answer<bool>> + Send {
        let key = key.to_owned();
        step!(self, store => store.release(&key, token))
    }

    fn invalidate(&self, keys: &[String]) -> impl Future<Output = Answer<()>> + Send {
        let keys = keys.to_vec();
        step!(self, store => store.invalidate(&keys))
    }

    fn bar(
        &self,
        id: Token,
        life: Option<Duration>,
        prefixes: &[String],
    ) -> impl Future<Output = Answer<bool>> + Send {
        let prefixes = prefixes.to_vec();
        step!(self, store => store.bar(id, life, &prefixes))
    }

    fn scan(
        &self,
        prefix: &str,
        cursor: u64,
    ) -> impl Future<Output = Answer<(Vec<String>, u64)>> + Send {
        let prefix = prefix.to_owned();
        step!(self, store => store.scan(&prefix, cursor))
    }

    fn begin(
        &self,
        keys: &[String],
        token: Token,
        hold: Duration,
    ) -> impl Future<Output = Answer<()>> + Send {
        let keys = keys.to_vec();
        step!(self, store => store.begin(&keys, token, hold))
    }

    fn hold(
        &self,
        keys: &[String],
        token: Token,
        hold: Duration,
    ) -> impl Future<Output = Answer<bool>> + Send {
        let keys = keys.to_vec();
        step!(self, store => store.hold(&keys, token, hold))
    }

    fn end(
        &self,
        keys: &[String],
        token: Token,
        hold_off: Option<Duration>,
    ) -> impl Future<Output = Answer<bool>> + Send {
        let keys = keys.to_vec();
        step!(self, store => store.end(&keys, token, hold_off))
    }

    fn put(
        &self,
        key: &str,
        token: Token,
        entry: Bytes,
        ttl: Duration,
    ) -> impl Future<Output = Answer<Put>> + Send {
        let key = key.to_owned();
        step!(self, store => store.put(&key, token, entry, ttl))
    }

    fn invalidate_guarded(
        &self,
        keys: &[String],
        hold_off: Option<Duration>,
    ) -> impl Future<Output = Answer<()>> + Send {
        let keys = keys.to_vec();
        step!(self, store => store.invalidate_guarded(&keys, hold_off))
    }

    fn lock(
        &self,
        key: &str,
        holder: Token,
        life: Duration,
    ) -> impl Future<Output = Answer<Grant>> + Send {
        let key = key.to_owned();
        step!(self, store => store.lock(&key, holder, life))
    }

    fn extend_lock(
        &self,
        key: &str,
        holder: Token,
        life: Duration,
    ) -> impl Future<Output = Answer<bool>> + Send {
        let key = key.to_owned();
        step!(self, store => store.extend_lock(&key, holder, life))
    }

    fn unlock(&self, key: &str, holder: Token) -> impl Future<Output = Answer<bool>> + Send {
        let key = key.to_owned();
        step!(self, store => store.unlock(&key, holder))
    }

    fn publish(&self, outlet: &Outlet, message: Bytes) -> impl Future<Output = Answer<()>> + Send {
        let outlet = outlet.clone();
        step!(self, store => store.publish(&outlet, message))
    }

    fn now_ms(&self) -> u64 {
        self.store.now_ms()
    }

    fn epoch(&self) -> u32 {
        self.store.epoch()
    }

    fn is_current(&self, epoch: u32) -> bool {
        self.store.is_current(epoch)
    }
}

#[cfg(test)]
mod tests;

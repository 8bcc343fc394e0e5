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
use super::many::{Asked, Filling, Granted, many};
use super::steps::steps;
use super::tracked::Shown;
use crate::error::StoreError;
use crate::store::{Answer, AnyStore, Outlet, Put, Store};
use crate::util::tasks::Tasks;
use crate::wire::entry::Token;
use crate::wire::lock::Grant;
use crate::wire::tag::Generation;

/// How many keys a step on many keys has at most: of one call, some meet a fault and others do not.
const TOGETHER: usize = 2;

/// How many deadlines a step is held back if no later one comes.
const HELD_BACK: u32 = 10;

/// Either store, with faults before it.
#[derive(Debug)]
pub(crate) struct FaultyStore {
    store: Arc<AnyStore>,
    faults: Faults,
    /// How long a caller waits for an answer.
    deadline: Duration,
    /// Where steps run that are late.
    runtime: Arc<Tasks>,
}

/// Boxed, since a store contains a faulty store contains a store.
type Step<T> = Pin<Box<dyn Future<Output = Answer<T>> + Send>>;

impl FaultyStore {
    pub(crate) fn new(
        store: AnyStore,
        faults: Faults,
        deadline: Duration,
        runtime: Arc<Tasks>,
    ) -> Self {
        Self {
            store: Arc::new(store),
            faults,
            deadline,
            runtime,
        }
    }

    /// The store behind.
    pub(crate) fn store(&self) -> &AnyStore {
        &self.store
    }

    pub(super) fn reach(&self, step: &'static str, has_run: bool) {
        self.faults.reach(step, has_run);
    }

    async fn run<T: Send + 'static>(&self, name: &'static str, step: Step<T>) -> Answer<T> {
        self.reach(name, false);
        let (number, fate) = self.faults.next();
        let step = numbered(self.faults.clone(), name, number, step);
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
        step: impl Future<Output = Answer<T>> + Send + 'static,
    ) -> Answer<T> {
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
async fn numbered<T>(faults: Faults, name: &'static str, number: u64, step: Step<T>) -> Answer<T> {
    let answer = step.await;
    faults.reach(name, true);
    faults.has_run(number);
    answer
}

/// How what a step has kept of an argument is handed to the store.
trait Lend {
    type Lent<'a>
    where
        Self: 'a;

    fn lend(&self) -> Self::Lent<'_>;
}

impl Lend for String {
    type Lent<'a> = &'a str;

    fn lend(&self) -> &str {
        self
    }
}

impl<T: 'static> Lend for Vec<T> {
    type Lent<'a> = &'a [T];

    fn lend(&self) -> &[T] {
        self
    }
}

impl Lend for Outlet {
    type Lent<'a> = &'a Self;

    fn lend(&self) -> &Self {
        self
    }
}

macro_rules! lend_copies {
    ($($type:ty),+) => {$(
        impl Lend for $type {
            type Lent<'a> = Self;

            fn lend(&self) -> Self {
                self.clone()
            }
        }
    )+};
}
lend_copies!(Bytes, Token, Duration, Option<Duration>, u128);

macro_rules! fail {
    ($($(#[$doc:meta])* $step:ident($($name:ident: $type:ty),*) -> $answer:ty;)+) => {
        impl Store for FaultyStore {
            $(fn $step(&self, $($name: $type),*) -> impl Future<Output = Answer<$answer>> + Send {
                let store = Arc::clone(&self.store);
                $(let $name = $name.to_owned();)*
                self.run(stringify!($step), Box::pin(async move { store.$step($($name.lend()),*).await }))
            })+

            fn get_all(&self, keys: &[&str]) -> impl Future<Output = Answer<Vec<Option<Bytes>>>> + Send {
                let store = Arc::clone(&self.store);
                let keys: Vec<_> = keys.iter().map(|key| (*key).to_owned()).collect();
                self.run("get_all", Box::pin(async move {
                    let keys: Vec<_> = keys.iter().map(String::as_str).collect();
                    store.get_all(&keys).await
                }))
            }

            fn now_ms(&self, key: &str) -> u64 {
                self.store.now_ms(key)
            }

            fn epoch(&self, key: &str) -> u32 {
                self.store.epoch(key)
            }

            fn is_shared_out(&self) -> bool {
                self.store.is_shared_out()
            }

            fn is_current(&self, key: &str, epoch: u32) -> bool {
                self.store.is_current(key, epoch)
            }
        }
    };
}
steps!(fail);

impl FaultyStore {
    pub(super) async fn read_tracked(&self, keys: &[&str]) -> Answer<Shown> {
        let store = Arc::clone(&self.store);
        let keys: Vec<_> = keys.iter().map(|key| (*key).to_owned()).collect();
        let read = async move {
            let keys: Vec<_> = keys.iter().map(String::as_str).collect();
            store.read_tracked(&keys).await
        };
        self.run("read_tracked", Box::pin(read)).await
    }

    pub(super) async fn read_parts(
        &self,
        keys: &[(&str, Option<usize>)],
    ) -> Answer<Vec<Option<Bytes>>> {
        let store = Arc::clone(&self.store);
        let keys: Vec<_> = keys
            .iter()
            .map(|(key, of)| ((*key).to_owned(), *of))
            .collect();
        let read = async move {
            let keys: Vec<_> = keys.iter().map(|(key, of)| (key.as_str(), *of)).collect();
            store.read_parts(&keys).await
        };
        self.run("read_parts", Box::pin(read)).await
    }
}

macro_rules! fail_many {
    ($($(#[$doc:meta])* $step:ident($each:ident: $item:ty $(, $name:ident: $type:ty)*) -> $answer:ty
        { $($single:tt)* })+) => {
        impl FaultyStore {
            $(pub(super) async fn $step(
                &self,
                each: &[$item]
                $(, $name: $type)*
            ) -> Vec<Answer<$answer>> {
                let mut answers = Vec::with_capacity(each.len());
                for some in each.chunks(TOGETHER) {
                    let store = Arc::clone(&self.store);
                    let (some, count) = (some.to_vec(), some.len());
                    $(let $name = $name.clone();)*
                    let step = Box::pin(async move { Ok(store.$step(&some $(, $name)*).await) });
                    let answered = self.run(stringify!($step), step).await;
                    answers.extend(answered.unwrap_or_else(|error| vec![Err(error); count]));
                }
                answers
            })+
        }
    };
}
many!(fail_many);

#[cfg(test)]
mod tests;

//! A store whose steps are written down, each when it is called and when it is answered. One that is
//! given up is never answered.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use super::Answer;
use super::many::{Asked, Filling, Granted, many};
use super::steps::steps;
use super::trace::{Trace, Traced, number};
use super::tracked::Shown;
use crate::store::{AnyStore, Errand, Outlet, Put, Store};
use crate::wire::entry::Token;
use crate::wire::lock::Grant;
use crate::wire::tag::Generation;

/// Any store, with a trace of its steps.
#[derive(Debug)]
pub(crate) struct TracedStore {
    store: Box<AnyStore>,
    trace: Trace,
}

/// Boxed, since a store contains a traced store contains a store.
type Step<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

impl TracedStore {
    pub(crate) fn new(store: AnyStore, trace: Trace) -> Self {
        Self {
            store: Box::new(store),
            trace,
        }
    }

    /// The store behind.
    pub(crate) fn store(&self) -> &AnyStore {
        &self.store
    }

    /// Runs `step`; `given`: what it is given, if that is to be written down.
    async fn run<T: Traced>(&self, name: &str, given: Option<Value>, step: Step<'_, T>) -> T {
        let Some(given) = given else {
            return step.await;
        };
        let call = number();
        let line = json!({"Call": {"call": call, "step": name, "given": given}});
        self.trace.write(&line);
        let answered = step.await;
        let answer = answered.traced(&self.trace);
        let line = json!({"Answer": {"call": call, "answer": answer}});
        self.trace.write(&line);
        answered
    }
}

macro_rules! given {
    ($self:ident, $($name:ident),+) => {{
        let wanted = false $(|| $name.is_wanted(&$self.trace))+;
        wanted.then(|| json!([$($name.traced(&$self.trace)),+]))
    }};
}

macro_rules! trace {
    ($($(#[$doc:meta])* $step:ident($($name:ident: $type:ty),*) -> $answer:ty;)+) => {
        impl Store for TracedStore {
            $(fn $step(&self, $($name: $type),*) -> impl Future<Output = Answer<$answer>> + Send {
                let given = given!(self, $($name),*);
                let step = Box::pin(self.store.$step($($name),*));
                async move { self.run(stringify!($step), given, step).await }
            })+

            fn get_all(
                &self,
                keys: &[&str],
            ) -> impl Future<Output = Answer<Vec<Option<Bytes>>>> + Send {
                let given = given!(self, keys);
                let step = Box::pin(self.store.get_all(keys));
                async move { self.run("get_all", given, step).await }
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
steps!(trace);

impl TracedStore {
    /// What is written down is not told of.
    pub(super) fn takes(&self, errand: Errand<'_>) -> bool {
        !errand.keys().any(|key| self.trace.wants(key)) && self.store.takes(errand)
    }

    /// To the model it is a look as any other.
    pub(super) async fn read_tracked(&self, keys: &[&str]) -> Answer<Shown> {
        let given = given!(self, keys);
        let step = Box::pin(self.store.read_tracked(keys));
        self.run("get_all", given, step).await
    }

    /// What is traced is looked at whole.
    pub(super) async fn read_parts(
        &self,
        keys: &[(&str, Option<usize>)],
    ) -> Answer<Vec<Option<Bytes>>> {
        let keys: Vec<_> = keys.iter().map(|(key, _)| *key).collect();
        self.get_all(&keys).await
    }
}

macro_rules! trace_many {
    ($($(#[$doc:meta])* $step:ident($each:ident: $item:ty $(, $name:ident: $type:ty)*) -> $answer:ty
        { $($single:tt)* })+) => {
        impl TracedStore {
            $(pub(super) async fn $step(
                &self,
                each: &[$item]
                $(, $name: $type)*
            ) -> Vec<Answer<$answer>> {
                let given = given!(self, each $(, $name)*);
                let step = Box::pin(self.store.$step(each $(, $name)*));
                self.run(stringify!($step), given, step).await
            })+
        }
    };
}
many!(trace_many);

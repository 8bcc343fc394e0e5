//! The user's function, in its caller's task or in one of its own.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;

use super::load::Ran;
use super::map::{Id, Many, Value};
use super::plan::Plan;
use super::renew::Work;
use crate::engine::encode::Encoder;
use crate::engine::handle::Inner;
use crate::engine::shape::ErrorSharing;
use crate::engine::verdict::Verdict;
use crate::observe::registry::Function;
use crate::policy::Policy;
use crate::read::background;
use crate::read::load::{Detached, InPlace};
use crate::util::boxed::Boxed;
use crate::wire::codec::{Choice, Equal};

/// The user's function, for the ids that it is asked for.
pub(crate) trait Loads<S: Many, E, C, U>: Sized {
    /// Whether it can go on without its caller.
    const DETACHES: bool;

    /// Runs it in the caller's task.
    fn run(&mut self, ids: Vec<Id<S>>) -> impl Future<Output = S::Return>;

    /// Does `work` behind the caller, if it can go on without that, who may wait for it so long.
    fn in_background(
        &mut self,
        plan: &Plan<'_, S, E, C, U>,
        work: Work<Id<S>>,
        patience: Option<Duration>,
    ) -> Option<Late<S>>;
}

/// Work that its caller waits for, but not for ever.
pub(crate) struct Late<S: Many> {
    ended: Boxed<'static, bool>,
    ran: oneshot::Receiver<Ran<S>>,
}

impl<S: Many> Late<S> {
    /// What came of it, if it ends in time. A load that panics does so here as well.
    pub(super) async fn in_time(mut self) -> Option<Ran<S>> {
        match self.ended.await {
            true => self.ran.try_recv().ok(),
            false => None,
        }
    }
}

impl<S, E, C, U, F, L> Loads<S, E, C, U> for InPlace<F>
where
    S: Many,
    F: FnMut(Vec<Id<S>>) -> L,
    L: Future<Output = S::Return>,
{
    const DETACHES: bool = false;

    fn run(&mut self, ids: Vec<Id<S>>) -> impl Future<Output = S::Return> {
        (self.0)(ids)
    }

    fn in_background(
        &mut self,
        _: &Plan<'_, S, E, C, U>,
        _: Work<Id<S>>,
        _: Option<Duration>,
    ) -> Option<Late<S>> {
        None
    }
}

impl<S, E, C, U, F, G, L> Loads<S, E, C, U> for Detached<F>
where
    S: Many<Stored: Serialize + DeserializeOwned> + Send + Sync + 'static,
    S::Ok: Send + 'static,
    S::Error: Send + 'static,
    Id<S>: Send + Sync + 'static,
    E: ErrorSharing<S::Error> + Copy + Send + Sync + 'static,
    C: Choice + Send + Sync + 'static,
    U: Fn(&Value<S>) -> Verdict + Clone + Send + Sync + 'static,
    F: FnMut() -> G,
    G: FnOnce(Vec<Id<S>>) -> L + Send + 'static,
    L: Future<Output = S::Return> + Send + 'static,
{
    const DETACHES: bool = true;

    fn run(&mut self, ids: Vec<Id<S>>) -> impl Future<Output = S::Return> {
        (self.0)()(ids)
    }

    fn in_background(
        &mut self,
        plan: &Plan<'_, S, E, C, U>,
        work: Work<Id<S>>,
        patience: Option<Duration>,
    ) -> Option<Late<S>> {
        let (owned, load) = (Owned::of(plan), (self.0)());
        let begun = plan.inner.runtime.work.begin();
        let (sender, ran) = oneshot::channel();
        let task = Box::pin(async move {
            if let Some(ran) = owned.plan().work(work, load).await {
                // Its caller may be gone.
                let _ = sender.send(ran);
            }
            drop(begun);
        });
        let ended = background::spawn(plan.inner, task, patience);
        Some(Late { ended, ran })
    }
}

/// A plan that borrows nothing from its caller.
struct Owned<S: Many, E, C, U> {
    inner: Arc<Inner>,
    function: &'static Function,
    policy: Policy,
    codec: C,
    describes: bool,
    origin: Option<u64>,
    equal: Equal<S::Stored>,
    errors: E,
    verdict: U,
}

impl<S: Many, E: Copy, C: Copy, U: Clone> Owned<S, E, C, U> {
    fn of(plan: &Plan<'_, S, E, C, U>) -> Self {
        Self {
            inner: Arc::clone(plan.inner),
            function: plan.function,
            policy: *plan.encoder.policy,
            codec: plan.codec,
            describes: plan.encoder.describes,
            origin: plan.encoder.origin,
            equal: plan.equal,
            errors: plan.errors,
            verdict: plan.verdict.clone(),
        }
    }

    fn plan(&self) -> Plan<'_, S, E, C, U> {
        Plan {
            inner: &self.inner,
            function: self.function,
            encoder: Encoder {
                inner: &self.inner,
                function: self.function,
                policy: &self.policy,
                describes: self.describes,
                version: None,
                origin: self.origin,
            },
            codec: self.codec,
            equal: self.equal,
            errors: self.errors,
            verdict: &self.verdict,
        }
    }
}

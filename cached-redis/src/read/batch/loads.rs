//! The user's function, in its caller's task or in one of its own.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::load::Ran;
use super::plan::{EachPlan, Id, Plan};
use super::renew::Work;
use crate::engine::encode::Encoder;
use crate::engine::handle::Inner;
use crate::engine::plan::{ErrorOf, OkOf, ReturnOf};
use crate::observe::registry::Function;
use crate::policy::Policy;
use crate::read::background;
use crate::read::load::{Detached, InPlace};
use crate::util::boxed::Boxed;

/// The user's function, for the ids that it is asked for.
pub(crate) trait Loads<P: EachPlan>: Sized {
    /// Whether it can go on without its caller.
    const DETACHES: bool;

    /// Runs it in the caller's task.
    fn run(&mut self, ids: Vec<Id<P>>) -> impl Future<Output = ReturnOf<P>>;

    /// Does `work` behind the caller, if it can go on without that, who may wait for it so long.
    fn in_background(
        &mut self,
        plan: &Plan<'_, P>,
        work: Work<Id<P>>,
        patience: Option<Duration>,
    ) -> Option<Late<P>>;
}

/// Work that its caller waits for, but not for ever.
pub(crate) struct Late<P: EachPlan> {
    ended: Boxed<'static, bool>,
    ran: oneshot::Receiver<Ran<P>>,
}

impl<P: EachPlan> Late<P> {
    /// What came of it, if it ends in time. A load that panics does so here as well.
    pub(super) async fn in_time(mut self) -> Option<Ran<P>> {
        match self.ended.await {
            true => self.ran.try_recv().ok(),
            false => None,
        }
    }
}

impl<P, F, L> Loads<P> for InPlace<F>
where
    P: EachPlan,
    F: FnMut(Vec<Id<P>>) -> L,
    L: Future<Output = ReturnOf<P>>,
{
    const DETACHES: bool = false;

    fn run(&mut self, ids: Vec<Id<P>>) -> impl Future<Output = ReturnOf<P>> {
        (self.0)(ids)
    }

    fn in_background(
        &mut self,
        _: &Plan<'_, P>,
        _: Work<Id<P>>,
        _: Option<Duration>,
    ) -> Option<Late<P>> {
        None
    }
}

impl<P, F, G, L> Loads<P> for Detached<F>
where
    P: EachPlan + Clone + Send + Sync + 'static,
    OkOf<P>: Send + 'static,
    ErrorOf<P>: Send + 'static,
    Id<P>: Send + Sync + 'static,
    F: FnMut() -> G,
    G: FnOnce(Vec<Id<P>>) -> L + Send + 'static,
    L: Future<Output = ReturnOf<P>> + Send + 'static,
{
    const DETACHES: bool = true;

    fn run(&mut self, ids: Vec<Id<P>>) -> impl Future<Output = ReturnOf<P>> {
        (self.0)()(ids)
    }

    fn in_background(
        &mut self,
        plan: &Plan<'_, P>,
        work: Work<Id<P>>,
        patience: Option<Duration>,
    ) -> Option<Late<P>> {
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
struct Owned<P> {
    inner: Arc<Inner>,
    function: &'static Function,
    policy: Policy,
    describes: bool,
    origin: Option<u64>,
    own: P,
    collects: bool,
}

impl<P: Clone> Owned<P> {
    fn of(plan: &Plan<'_, P>) -> Self {
        Self {
            inner: Arc::clone(plan.inner),
            function: plan.function,
            policy: *plan.encoder.policy,
            describes: plan.encoder.describes,
            origin: plan.encoder.origin,
            own: plan.own.clone(),
            collects: plan.collects,
        }
    }

    fn plan(&self) -> Plan<'_, P> {
        Plan {
            inner: &self.inner,
            function: self.function,
            encoder: Encoder {
                inner: &self.inner,
                key: "",
                function: self.function,
                policy: &self.policy,
                describes: self.describes,
                version: None,
                origin: self.origin,
            },
            own: &self.own,
            collects: self.collects,
        }
    }
}

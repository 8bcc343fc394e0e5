//! The user's function, in its caller's task or in one of its own.

use std::future::poll_fn;

use tokio::sync::oneshot::{self, Receiver, Sender};

use super::called::Called;
use super::callee::{Job, Ran};
use super::ids::Ids;
use super::plan::{EachPlan, Id, Value};
use crate::engine::plan::{ErrorOf, OkOf, ResultOf, ReturnOf};
use crate::read::load::{Detached, InPlace};
use crate::util::boxed::Boxed;

/// The user's function, for the ids that it is asked for: a [`Load`](crate::read::load::Load) that runs as often as
/// it is needed.
pub(crate) trait Loads<P: EachPlan>: Sized {
    /// Whether it can go on without its caller.
    const DETACHES: bool;
    /// The function's future.
    type Future: Future<Output = ReturnOf<P>>;
    /// Where what it gives in a task of its own is waited for.
    type Apart: Default;

    /// Runs it.
    fn run(&mut self, ids: Vec<Id<P>>) -> Self::Future;

    /// The task that does `job`, if there can be one without the caller.
    fn detach(
        &mut self,
        plan: P,
        ids: Ids<Id<P>>,
        job: Box<dyn Job>,
        apart: &mut Self::Apart,
    ) -> Option<Boxed<'static, ()>>;

    /// What it gave there.
    fn heard(apart: &mut Self::Apart, to: &mut Option<ResultOf<P>>) -> Option<Box<Ran>>;
}

impl<P, F, L> Loads<P> for InPlace<F>
where
    P: EachPlan,
    F: FnMut(Vec<Id<P>>) -> L,
    L: Future<Output = ReturnOf<P>>,
{
    const DETACHES: bool = false;
    type Future = L;
    type Apart = ();

    fn run(&mut self, ids: Vec<Id<P>>) -> L {
        (self.0)(ids)
    }

    fn detach(
        &mut self,
        _: P,
        _: Ids<Id<P>>,
        _: Box<dyn Job>,
        (): &mut (),
    ) -> Option<Boxed<'static, ()>> {
        None
    }

    fn heard((): &mut (), _: &mut Option<ResultOf<P>>) -> Option<Box<Ran>> {
        None
    }
}

impl<P, F, G, L> Loads<P> for Detached<F>
where
    P: EachPlan + Send + 'static,
    OkOf<P>: Send + 'static,
    ErrorOf<P>: Send + 'static,
    Id<P>: Send + 'static,
    Value<P>: Send + 'static,
    F: FnMut() -> G,
    G: FnOnce(Vec<Id<P>>) -> L + Send + 'static,
    L: Future<Output = ReturnOf<P>> + Send + 'static,
{
    const DETACHES: bool = true;
    type Future = L;
    type Apart = Option<Receiver<(ResultOf<P>, Box<Ran>)>>;

    fn run(&mut self, ids: Vec<Id<P>>) -> L {
        (self.0)()(ids)
    }

    fn detach(
        &mut self,
        plan: P,
        ids: Ids<Id<P>>,
        job: Box<dyn Job>,
        heard: &mut Self::Apart,
    ) -> Option<Boxed<'static, ()>> {
        let mut load = Some((self.0)());
        let load = move |ids| load.take().expect("a job loads once")(ids);
        let called = Called::new(plan, InPlace(load), ids);
        let (sender, receiver) = oneshot::channel();
        if job.is_awaited() {
            *heard = Some(receiver);
        }
        Some(Box::pin(apart(job, called, sender)))
    }

    fn heard(apart: &mut Self::Apart, to: &mut Option<ResultOf<P>>) -> Option<Box<Ran>> {
        let (result, ran) = apart.as_mut()?.try_recv().ok()?;
        *to = Some(result);
        Some(ran)
    }
}

/// Does a job in a task of its own, whose caller may be gone at its end.
async fn apart<P: EachPlan, F: Loads<P>>(
    mut job: Box<dyn Job>,
    called: Called<P, F>,
    caller: Sender<(ResultOf<P>, Box<Ran>)>,
) {
    let mut flow = job.begin();
    // Dropped before the right to it is given back, as in a caller's own task.
    let mut called = called;
    let ran = poll_fn(|context| flow.poll(&mut called, context)).await;
    if let (Some(ran), Some(result)) = (ran, called.last()) {
        let _ = caller.send((result, ran));
    }
}

//! The user's function, ready to run.

use std::future::poll_fn;

use tokio::sync::oneshot::{self, Receiver, Sender};

use crate::engine::plan::{AnyPlan, ErrorOf, OkOf, ResultOf, ReturnOf};
use crate::read::background::Job;
use crate::read::callee::{Called, Ended, Execution};
use crate::util::boxed::Boxed;

/// How a load runs.
pub(crate) trait Load<P: AnyPlan>: Sized {
    /// Whether it can go on without its caller.
    const DETACHES: bool;
    /// The function's future.
    type Future: Future<Output = ReturnOf<P>>;
    /// Where what it gives in a task of its own is waited for.
    type Apart: Default;

    /// Runs it.
    fn run(self) -> Self::Future;

    /// Runs it in a task of its own, if it can. Whether that ends in time.
    fn detach(
        self,
        plan: P,
        job: Box<Job>,
        apart: &mut Self::Apart,
    ) -> Option<Boxed<'static, bool>>;

    /// Hands over what it gave there.
    fn heard(apart: &mut Self::Apart, to: &mut Option<ResultOf<P>>) -> Option<Ended>;
}

/// A load that borrows from its caller, and so runs in its caller's task.
pub(crate) struct InPlace<F>(pub(crate) F);

impl<P, F, L> Load<P> for InPlace<F>
where
    P: AnyPlan,
    F: FnOnce() -> L,
    L: Future<Output = ReturnOf<P>>,
{
    const DETACHES: bool = false;
    type Future = L;
    type Apart = ();

    fn run(self) -> L {
        (self.0)()
    }

    fn detach(self, _: P, _: Box<Job>, (): &mut ()) -> Option<Boxed<'static, bool>> {
        None
    }

    fn heard((): &mut (), _: &mut Option<ResultOf<P>>) -> Option<Ended> {
        None
    }
}

/// A load that can be made to own what it needs, and so to run in a task of its own.
pub(crate) struct Detached<F>(pub(crate) F);

impl<P, F, G, L> Load<P> for Detached<F>
where
    P: AnyPlan + Send + 'static,
    OkOf<P>: Send + 'static,
    ErrorOf<P>: Send + 'static,
    F: FnOnce() -> G,
    G: FnOnce() -> L + Send + 'static,
    L: Future<Output = ReturnOf<P>> + Send + 'static,
{
    const DETACHES: bool = true;
    type Future = L;
    type Apart = Option<Receiver<(ResultOf<P>, Ended)>>;

    fn run(self) -> L {
        (self.0)()()
    }

    fn detach(
        self,
        plan: P,
        job: Box<Job>,
        heard: &mut Self::Apart,
    ) -> Option<Boxed<'static, bool>> {
        let called = Called::new(plan, InPlace((self.0)()));
        let (sender, receiver) = oneshot::channel();
        *heard = Some(receiver);
        Some(job.spawn(|job| Box::pin(apart(job, called, sender))))
    }

    fn heard(apart: &mut Self::Apart, to: &mut Option<ResultOf<P>>) -> Option<Ended> {
        let (result, ended) = apart.as_mut()?.try_recv().ok()?;
        *to = Some(result);
        Some(ended)
    }
}

/// Runs a function in a task of its own, whose caller may be gone at its end.
async fn apart<P: AnyPlan, F: Load<P>>(
    mut job: Box<Job>,
    mut called: Called<P, F>,
    caller: Sender<(ResultOf<P>, Ended)>,
) {
    let Some(running) = job.begin().await else {
        return;
    };
    let Some(mut execution) = Execution::begin(running, &mut called) else {
        return;
    };
    // Dropped before the right to it is given back, as in a caller's own task.
    let mut called = called;
    let ended = poll_fn(|context| execution.poll(&mut called, context)).await;
    let _ = caller.send((called.answer(), ended));
}

//! The user's function, ready to run.

use std::future::ready;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::engine::context::{self, Loading};
use crate::engine::plan::{AnyPlan, ErrorOf, OkOf, ResultOf, ReturnOf};
use crate::engine::shape::Shape as _;
use crate::engine::tags::Stamp;
use crate::observe::span::LoadSpan;
use crate::read::background::Job;
use crate::read::right::{Running, Told};

/// What a load gave; and what its caller is told who waits for it from another task.
pub(crate) type Ran<P> = (ResultOf<P>, Option<Told>);

/// Where it runs.
pub(crate) enum Place<'a> {
    Here(Box<Running<'a>>),
    /// In a task of its own.
    Apart(Box<Job>),
}

/// Runs the function, and settles what becomes of its result. `None`: it was given up.
pub(crate) async fn run<P, F>(place: Place<'_>, plan: P, load: F) -> Option<Ran<P>>
where
    P: AnyPlan,
    F: Load<P>,
{
    let running = match place {
        Place::Here(running) => running,
        Place::Apart(job) => return load.detach(job, plan).await,
    };
    let (loading, span) = (running.loading.as_ref(), running.span());
    let (returned, said) = context::run(loading, span, || load.run()).await;
    let result = P::Shape::result(returned);
    let settled = plan.show(running.format(), &result, |outcome| {
        running.settle(said, outcome)
    });
    if let Some(rest) = settled.rest {
        rest.await;
    }
    Some((result, settled.told))
}

/// Runs it without a cache, for a load that it may be a part of.
pub(crate) async fn without_cache<F: Future>(
    inside: Option<Arc<Loading>>,
    load: impl FnOnce() -> F,
) -> F::Output {
    let (returned, said) = context::run(inside.as_ref(), LoadSpan::default(), load).await;
    if let Some(inside) = inside {
        said.hand_on(inside.flights(), &Stamp::default());
    }
    returned
}

/// How a load runs.
pub(crate) trait Load<P: AnyPlan>: Sized {
    /// Whether it can go on without its caller.
    const DETACHES: bool;

    /// Runs it.
    fn run(self) -> impl Future<Output = ReturnOf<P>>;

    /// Runs it in a task of its own, if it can; what it gave, if its caller has waited for that.
    fn detach(self, job: Box<Job>, plan: P) -> impl Future<Output = Option<Ran<P>>>;
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

    fn run(self) -> impl Future<Output = ReturnOf<P>> {
        (self.0)()
    }

    fn detach(self, _: Box<Job>, _: P) -> impl Future<Output = Option<Ran<P>>> {
        ready(None)
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

    fn run(self) -> impl Future<Output = ReturnOf<P>> {
        (self.0)()()
    }

    async fn detach(self, job: Box<Job>, plan: P) -> Option<Ran<P>> {
        let load = InPlace((self.0)());
        let (sender, mut ran) = oneshot::channel();
        let ended = job.spawn(|mut job| {
            Box::pin(async move {
                if let Some(running) = job.begin().await {
                    // Its caller may be gone.
                    let _ = sender.send(run(Place::Here(running), plan, load).await);
                }
            })
        });
        match ended.await {
            true => ran.try_recv().ok().flatten(),
            false => None,
        }
    }
}

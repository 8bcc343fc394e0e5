//! The function of a call, as the read flow sees it: what is of the function's own types is behind one trait, so that
//! all else is compiled once.
//!
//! The flow gets it whenever it is polled, and does not keep it. So whether a call can be sent between threads is up
//! to the function's own future and values.

use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use crate::engine::context::{Loading, Scoped};
use crate::engine::encode::Encoder;
use crate::engine::plan::{AnyPlan, OkOf, Outcome, ResultOf, ReturnOf};
use crate::engine::shape::Shape as _;
use crate::observe::span::LoadSpan;
use crate::protocol::progress::SharedError;
use crate::read::background::Job;
use crate::read::load::Load;
use crate::read::right::{Running, Settled, Told};
use crate::util::boxed::Boxed;
use crate::wire::codec::Format;
use crate::wire::entry::Live;

/// See the module.
pub(crate) trait Callee {
    /// Whether its codec describes itself, given that of the cache.
    fn describes(&self, cache: Format) -> bool;
    /// Decodes an entry and keeps the value, if it can be read.
    fn decode(&mut self, encoder: &Encoder<'_>, live: &Live) -> bool;
    /// Answers with the value that was decoded last, if there is one.
    fn serve(&mut self) -> bool;
    /// Answers with the error of another call, if it is of the function's type.
    fn fail(&mut self, shared: &SharedError) -> bool;
    /// Begins the function inside of `loading`, unless it has run.
    fn begin(&mut self, loading: Option<Arc<Loading>>) -> bool;
    /// Goes on with it. What it gives is the answer.
    fn run(&mut self, context: &mut Context<'_>) -> Poll<()>;
    /// Shows the answer.
    fn show(&self, cache: Format, to: &mut dyn FnMut(Outcome<'_>));
    /// Runs the function in a task of its own, if it can and has not run. Whether that ends in time.
    fn detach(&mut self, job: Box<Job>) -> Option<Boxed<'static, bool>>;
    /// Answers with what the function gave there.
    fn hear(&mut self) -> Option<Ended>;
}

/// The function of one call: its plan and its load, and what these have given.
pub(crate) struct Called<P: AnyPlan, F: Load<P>> {
    plan: P,
    load: Option<F>,
    future: Option<Scoped<F::Future>>,
    apart: F::Apart,
    decoded: Option<OkOf<P>>,
    answer: Option<ResultOf<P>>,
}

impl<P: AnyPlan, F: Load<P>> Called<P, F> {
    pub(crate) fn new(plan: P, load: F) -> Self {
        Self {
            plan,
            load: Some(load),
            future: None,
            apart: F::Apart::default(),
            decoded: None,
            answer: None,
        }
    }

    /// What the call returns, once it is answered.
    pub(crate) fn returned(self) -> ReturnOf<P> {
        P::Shape::returned(self.answer())
    }

    /// The answer, once there is one.
    pub(crate) fn answer(self) -> ResultOf<P> {
        self.answer.expect("a call ends with its answer")
    }
}

impl<P: AnyPlan, F: Load<P>> Callee for Called<P, F> {
    fn describes(&self, cache: Format) -> bool {
        self.plan.describes(cache)
    }

    fn decode(&mut self, encoder: &Encoder<'_>, live: &Live) -> bool {
        let decoded = self.plan.decode(encoder, live);
        let is_read = decoded.is_some();
        if is_read {
            self.decoded = decoded;
        }
        is_read
    }

    fn serve(&mut self) -> bool {
        self.answer = self.decoded.take().map(Ok);
        self.answer.is_some()
    }

    fn fail(&mut self, shared: &SharedError) -> bool {
        self.answer = self.plan.take(shared).map(Err);
        self.answer.is_some()
    }

    fn begin(&mut self, loading: Option<Arc<Loading>>) -> bool {
        let load = self.load.take();
        self.future = load.map(|load| Scoped::of(loading, load.run()));
        self.future.is_some()
    }

    fn run(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let Some(future) = &mut self.future {
            let answer = &mut self.answer;
            let to = |returned| *answer = Some(P::Shape::result(returned));
            ready!(Pin::new(future).poll_to(context, to));
            self.future = None;
        }
        Poll::Ready(())
    }

    fn show(&self, cache: Format, to: &mut dyn FnMut(Outcome<'_>)) {
        if let Some(answer) = &self.answer {
            self.plan.show(cache, answer, to);
        }
    }

    fn detach(&mut self, job: Box<Job>) -> Option<Boxed<'static, bool>> {
        self.load.take()?.detach(self.plan, job, &mut self.apart)
    }

    fn hear(&mut self) -> Option<Ended> {
        F::heard(&mut self.apart, &mut self.answer)
    }
}

/// A function that runs, until what becomes of its result is settled.
pub(crate) struct Execution<'a> {
    /// Until the function has returned.
    running: Option<Box<Running<'a>>>,
    span: LoadSpan,
    rest: Option<Boxed<'a, ()>>,
    ended: Ended,
}

/// How it has ended.
#[derive(Default)]
pub(crate) struct Ended {
    pub(crate) is_ok: bool,
    /// For who waits for it from another task.
    pub(crate) told: Option<Box<Told>>,
}

impl<'a> Execution<'a> {
    /// `None`: the function has run before.
    pub(crate) fn begin(running: Box<Running<'a>>, callee: &mut dyn Callee) -> Option<Self> {
        let begun = callee.begin(running.loading.clone());
        begun.then(|| Self {
            span: running.span(),
            running: Some(running),
            rest: None,
            ended: Ended::default(),
        })
    }

    pub(crate) fn poll(
        &mut self,
        callee: &mut dyn Callee,
        context: &mut Context<'_>,
    ) -> Poll<Ended> {
        if self.running.is_some() {
            let polled = {
                let _entered = self.span.enter();
                callee.run(context)
            };
            ready!(polled);
            drop(mem::take(&mut self.span));
            self.settle(callee);
        }
        if let Some(rest) = &mut self.rest {
            ready!(rest.as_mut().poll(context));
            self.rest = None;
        }
        Poll::Ready(mem::take(&mut self.ended))
    }

    fn settle(&mut self, callee: &dyn Callee) {
        let format = self.running.as_ref().map(|running| running.format());
        callee.show(format.unwrap_or_default(), &mut |outcome| {
            let Some(running) = self.running.take() else {
                return;
            };
            let is_ok = matches!(outcome, Outcome::Value { .. });
            let Settled { rest, told } = running.settle(outcome);
            (self.rest, self.ended) = (rest, Ended { is_ok, told });
        });
    }
}

//! The function of a batch: what its flow sees of it, and what its types are.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::callee::{Callee, Failed, Job, Ran};
use super::ids::Ids;
use super::loads::Loads;
use super::plan::{EachPlan, Id, Value};
use crate::engine::context::{Loading, Scoped};
use crate::engine::encode::Encoder;
use crate::engine::id_map::IdMap;
use crate::engine::plan::{OkOf, Outcome, ResultOf, ReturnOf};
use crate::engine::shape::Shape as _;
use crate::protocol::progress::SharedError;
use crate::util::boxed::Boxed;
use crate::wire::codec::Format;
use crate::wire::entry::Live;

/// See the module: a plan and its load, and what these have given.
pub(crate) struct Called<P: EachPlan, F: Loads<P>> {
    plan: P,
    load: F,
    ids: Ids<Id<P>>,
    future: Option<Scoped<F::Future>>,
    apart: F::Apart,
    /// What entries answer, beside the ids.
    read: Vec<Option<Value<P>>>,
    /// What the function gave last.
    last: Option<ResultOf<P>>,
    loaded: Vec<OkOf<P>>,
}

impl<P: EachPlan, F: Loads<P>> Called<P, F> {
    pub(crate) fn new(plan: P, load: F, ids: Ids<Id<P>>) -> Self {
        Self {
            plan,
            load,
            ids,
            future: None,
            apart: F::Apart::default(),
            read: Vec::new(),
            last: None,
            loaded: Vec::new(),
        }
    }

    /// What the function gave last.
    pub(super) fn last(self) -> Option<ResultOf<P>> {
        self.last
    }

    /// What the batch returns.
    pub(super) fn returned(self, ended: Result<(), Failed>) -> ReturnOf<P> {
        let answers = ended.map(|()| answers(self.ids, self.read, self.loaded));
        let error = self.last.and_then(Result::err);
        P::Shape::returned(answers.map_err(|Failed| error.expect("what fails has an error")))
    }
}

/// What has been loaded, and what was read: that also in the place of what a load gave unasked.
fn answers<M: IdMap>(ids: Ids<M::Id>, read: Vec<Option<M::Value>>, loaded: Vec<M>) -> M {
    let mut loaded = loaded.into_iter();
    let mut answers = loaded.next().unwrap_or_default();
    answers.reserve(read.len());
    let read = ids.into_iter().zip(read);
    let read = read.filter_map(|(id, value)| Some((id, value?)));
    answers.extend(loaded.flatten().chain(read));
    answers
}

impl<P: EachPlan, F: Loads<P>> Callee for Called<P, F> {
    fn describes(&self, cache: Format) -> bool {
        self.plan.describes(cache)
    }

    fn decode(&mut self, place: usize, encoder: &Encoder<'_>, live: &Live) -> bool {
        let Some(value) = self.plan.decode(encoder, live) else {
            return false;
        };
        if self.read.is_empty() {
            self.read.resize_with(self.ids.len(), || None);
        }
        if let [first, others @ ..] = &mut self.read[self.ids.places(place)] {
            *first = value;
            // Each has one of its own: values need not be `Clone`.
            for other in others {
                *other = self.plan.decode(encoder, live).flatten();
            }
        }
        true
    }

    fn forget(&mut self, place: usize) {
        self.read[self.ids.places(place)].fill_with(|| None);
    }

    fn fail(&mut self, shared: &SharedError) -> bool {
        let Some(error) = self.plan.take(shared) else {
            return false;
        };
        self.last = Some(Err(error));
        true
    }

    fn begin(&mut self, places: Option<&[usize]>, loading: Option<Arc<Loading>>) {
        let ids = match places {
            Some(places) => self.ids.of(places),
            None => self.ids.take(),
        };
        self.future = Some(Scoped::of(loading, self.load.run(ids)));
    }

    fn run(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        if let Some(future) = &mut self.future {
            let last = &mut self.last;
            let to = |returned| *last = Some(P::Shape::result(returned));
            ready!(Pin::new(future).poll_to(context, to));
            self.future = None;
        }
        Poll::Ready(matches!(self.last, Some(Ok(_))))
    }

    fn show(&self, place: usize, cache: Format, to: &mut dyn FnMut(Outcome<'_>)) {
        match &self.last {
            Some(Ok(values)) => {
                let value = self.ids.at(place).iter().find_map(|id| values.value(id));
                self.plan.show(cache, Ok(value), to);
            }
            Some(Err(error)) => self.plan.show(cache, Err(error), to),
            None => {}
        }
    }

    fn answer(&mut self) -> Result<(), Failed> {
        let values = self.last.take_if(|last| last.is_ok());
        let values = values.and_then(Result::ok).ok_or(Failed)?;
        self.loaded.push(values);
        Ok(())
    }

    fn detach(&mut self, places: &[usize], job: Box<dyn Job>) -> Option<Boxed<'static, ()>> {
        let ids = self.ids.apart(places);
        self.load.detach(self.plan, ids, job, &mut self.apart)
    }

    fn hear(&mut self) -> Option<Box<Ran>> {
        F::heard(&mut self.apart, &mut self.last)
    }
}

//! What goes on behind the caller, in a task of its own: [the same](crate::read::background) for many entries.

use std::mem;
use std::sync::Arc;

use super::call::{Item, Request};
use super::callee::{Job, Ran};
use super::desk::Flow;
use super::load::Loader;
use super::plan::Plan;
use super::renew::{Held, Renewal, Work};
use crate::engine::encode::Encoder;
use crate::engine::handle::Inner;
use crate::observe::registry::Function;
use crate::policy::Policy;
use crate::read::control::Wish;
use crate::util::work::Begun;

/// Work with all that it needs, and without its caller.
pub(super) struct Background {
    inner: Arc<Inner>,
    function: &'static Function,
    policy: Policy,
    describes: bool,
    origin: Option<u64>,
    wish: Wish,
    requests: Vec<Request>,
    /// What is held of each of them.
    held: Vec<Held>,
    work: Option<Work>,
    is_awaited: bool,
    /// It is what its caller leaves behind.
    _work: Begun,
}

impl Background {
    pub(super) fn new(
        plan: &Plan<'_>,
        work: Work,
        renewals: Vec<Renewal<'_>>,
        is_awaited: bool,
    ) -> Box<Self> {
        let requests = renewals.iter().map(|one| one.item.request.clone());
        Box::new(Self {
            inner: Arc::clone(plan.inner),
            function: plan.function,
            policy: *plan.encoder.policy,
            describes: plan.encoder.describes,
            origin: plan.encoder.origin,
            wish: plan.wish,
            requests: requests.collect(),
            held: renewals.into_iter().map(|one| one.held).collect(),
            work: Some(work),
            is_awaited,
            _work: plan.inner.runtime.work.begin(),
        })
    }

    fn plan(&self) -> Plan<'_> {
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
            wish: self.wish,
            detaches: false,
        }
    }
}

impl Job for Background {
    fn is_awaited(&self) -> bool {
        self.is_awaited
    }

    fn begin(&mut self) -> Flow<'_, Option<Box<Ran>>> {
        let (work, held) = (self.work.take(), mem::take(&mut self.held));
        let job = &*self;
        Flow::new(|desk| {
            let loader = Loader {
                plan: job.plan(),
                desk,
            };
            let items = Item::all(&job.requests);
            let renewals = items.zip(held).map(|(item, held)| Renewal { item, held });
            let renewals = renewals.collect();
            Box::pin(async move { loader.work(work?, renewals).await })
        })
    }
}

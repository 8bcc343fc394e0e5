//! What a batch does after what: [the flow](crate::read::flow) of many searches, compiled once.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;

use tokio::time::Instant;

use super::answer::Answers;
use super::call::{Asked, Item, Request};
use super::callee::{Callee, Failed};
use super::desk::{Desk, Flow};
use super::load::Loader;
use super::plan::Plan;
use super::steps::{self, One};
use crate::engine::context::{self, Loading};
use crate::engine::encode::Encoder;
use crate::engine::mode;
use crate::engine::tags::Stamp;
use crate::observe::event::Event;
use crate::observe::span::LoadSpan;
use crate::policy::Policy;
use crate::read::control::{self, Mode};
use crate::read::info::CacheInfo;
use crate::read::pause::Pause;

/// Begins it.
pub(super) fn begin<'a>(
    asked: &'a Asked,
    policy: &'a Policy,
    detaches: bool,
    callee: &dyn Callee,
) -> Flow<'a, Result<(), Failed>> {
    let Some((plan, requests)) = plan(asked, policy, detaches, callee) else {
        let inside = context::inside(policy.isolated);
        return Flow::new(|desk| Box::pin(plain(desk, inside)));
    };
    Flow::new(|desk| {
        let reader = Reader {
            loader: Loader { plan, desk },
            answers: Answers::new(plan),
            began: None,
            pause: None,
        };
        Box::pin(reader.read(asked.call.mode, requests))
    })
}

/// What it goes by; `None` when the function shall simply run.
fn plan<'a>(
    Asked { call, requests }: &'a Asked,
    policy: &'a Policy,
    detaches: bool,
    callee: &dyn Callee,
) -> Option<(Plan<'a>, &'a [Request])> {
    let (inner, requests) = (&call.cache()?.inner, requests.as_deref()?);
    let function = call.function;
    if inner.settings.is_unfit(policy) {
        let first = function.without_policy.first();
        inner.emit(&function.site, &Event::NoPolicy(first));
        let tags = requests.iter().flat_map(|request| request.tags.keys());
        context::carry(&inner.flights, tags.cloned());
        return None;
    }
    let encoder = Encoder {
        inner,
        key: "",
        function,
        policy,
        describes: callee.describes(inner.settings.format),
        version: None,
        origin: call.origin,
    };
    let plan = Plan {
        inner,
        function,
        encoder,
        wish: call.wish,
        detaches,
    };
    Some((plan, requests))
}

/// Runs the function without the cache.
async fn plain(desk: Desk<'_>, inside: Option<Arc<Loading>>) -> Result<(), Failed> {
    desk.run(None, inside.clone(), LoadSpan::default()).await;
    if let Some(inside) = inside {
        inside.heard().hand_on(inside.flights(), &Stamp::default());
    }
    desk.ask(|callee| callee.answer()).await
}

/// One batch on its way.
pub(super) struct Reader<'a> {
    pub(super) loader: Loader<'a>,
    pub(super) answers: Answers<'a>,
    /// Since when it waits for others.
    began: Option<Instant>,
    /// Between looks at leases of other processes.
    pub(super) pause: Option<Pause>,
}

impl<'a> Deref for Reader<'a> {
    type Target = Loader<'a>;

    fn deref(&self) -> &Loader<'a> {
        &self.loader
    }
}

impl<'a> Reader<'a> {
    async fn read(mut self, mode: mode::Mode, requests: &'a [Request]) -> Result<(), Failed> {
        // Bypasses, until they are answered.
        for request in requests {
            control::collect(self.wish.place, &request.key, CacheInfo::default);
        }
        let items = Item::all(requests).collect();
        match self.wish.mode {
            Mode::Cached if mode == mode::Mode::Shadow => Box::pin(self.shadow(items)).await,
            Mode::Refreshed => Box::pin(self.refresh(items, HashMap::new())).await,
            Mode::Cached | Mode::Uncached => self.find(items).await,
        }
    }

    async fn find(&mut self, items: Vec<Item<'a>>) -> Result<(), Failed> {
        let ones = self.glance(items).await;
        // Hits need no room for what else there is to do.
        match ones.is_empty() && self.answers.kept.is_empty() {
            true => Ok(()),
            false => Box::pin(self.go_on(ones)).await,
        }
    }

    async fn go_on(&mut self, ones: Vec<One<'a>>) -> Result<(), Failed> {
        let found = self.search(ones).await;
        self.with(Answers::go_on_behind).await;
        // A call that fails loads no more in its caller's place.
        found?;
        self.renew_in_place().await;
        Ok(())
    }

    async fn search(&mut self, mut ones: Vec<One<'a>>) -> Result<(), Failed> {
        while !ones.is_empty() {
            steps::look(self.function, &mut ones).await;
            ones = self.served(ones).await?;
            let policy = self.encoder.policy;
            let rights = steps::contend(self.inner, self.function, policy, &mut ones).await;
            ones = self.served(ones).await?;
            ones = self.lead(ones, rights).await?;
            ones = self.bypass(ones).await?;
            ones = self.wait(ones).await?;
            // Those for whom the time to wait is spent.
            ones = self.bypass(ones).await?;
        }
        Ok(())
    }

    /// What `what` says of the answers and the function.
    pub(super) async fn with<T: Send + 'a>(
        &mut self,
        what: impl FnOnce(&mut Answers<'a>, &mut dyn Callee) -> T + Send + 'a,
    ) -> T {
        let mut answers = self.answers.take();
        let ask = self.desk.ask(move |callee| {
            let told = what(&mut answers, callee);
            (answers, told)
        });
        let (answers, told) = ask.await;
        self.answers = answers;
        told
    }

    /// Takes the answers there are; gives back those without one.
    async fn served(&mut self, mut ones: Vec<One<'a>>) -> Result<Vec<One<'a>>, Failed> {
        if ones.iter().any(One::is_answered) {
            ones = self
                .with(|answers, callee| answers.served(ones, callee))
                .await?;
        }
        Ok(self.keep(ones).await)
    }

    /// The same of one that was waited for: what it finds waits for no others.
    pub(super) async fn served_at_once(&mut self, one: One<'a>) -> Result<Vec<One<'a>>, Failed> {
        let one = vec![one];
        match one.iter().any(One::is_answered) {
            true => {
                self.with(|answers, callee| answers.served(one, callee))
                    .await
            }
            false => Ok(one),
        }
    }

    /// When it began to wait for others.
    pub(super) fn began(&mut self) -> Instant {
        *self.began.get_or_insert_with(Instant::now)
    }
}

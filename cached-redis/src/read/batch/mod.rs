//! Batches: many ids in one call, each with an entry, a lease and a flight of its own, the same that
//! the single form of the function has.
//!
//! ```text
//! look at all ── values ─────────────────────────────────────────────────────► hits
//!  ▲   │
//!  │   ├─ open: enter the flights, ask for the leases ── granted ──► one load ──► fills
//!  │   ├─ the store is away, or a key is barred ────────────────────► one load
//!  │   └─ loaded by somebody else ── wait ──┐
//!  └──────── those without an answer ◄──────┘
//! ```
//!
//! What single reads promise holds for each key on its own: a flight is closed before its fill is
//! sent, and shared only if that fill won.
//!
//! What a load says, of tags above all, it says of all of its ids: nobody knows to which of them it
//! belongs. So each of its entries carries every tag of the load, beside those that the attribute gives it.
//!
//! What one look finds past its TTL inside a stale window, or close to it, is served and loaded anew by one
//! load, in the background where that can be: see `renew.rs`. What may be served only if its load fails is held
//! meanwhile, and loaded with what is missing: see `lead.rs`.
//!
//! Two batches may each hold keys that the other one needs, and neither waits for ever: a batch
//! **waits for others only while it holds nothing**. It asks for all it can have at once, loads and
//! fills that, and only then waits for the rest. So it may have to call its function more than once:
//! when a load that it waited for came to nothing. The one exception, loads without a lease, are
//! entered in the order of their keys: see `wait.rs`.

use std::collections::HashMap;
use std::ops::Deref;

use tokio::time::Instant;

use crate::engine::encode::Encoder;
use crate::engine::id_map::IdMap as _;
use crate::engine::plan::{ErrorOf, OkOf, ReturnOf};
use crate::engine::shape::Shape as _;
use crate::engine::{context, mode};
use crate::observe::event::Event;
use crate::observe::status::Status;
use crate::policy::Policy;
use crate::protocol::read::Step;
use crate::read::control::{self, Mode, Wish};
use crate::read::info::CacheInfo;
use crate::read::load::without_cache;
use crate::read::pause::Pause;
use crate::read::reader;
use crate::read::search::Lookup;
use crate::store::Store as _;

mod answer;
mod call;
mod fill;
mod glance;
mod key;
mod lead;
mod leases;
mod load;
mod loads;
mod map;
pub(crate) mod plan;
mod refresh;
mod renew;
#[cfg(test)]
mod schedules;
mod steps;
mod summary;
mod wait;

use answer::Kept;
pub use call::Batch;
use call::{Ids, Item, Request, Target};
use load::Made;
pub(crate) use loads::Loads;
pub use map::Each;
pub(crate) use map::Many;
use plan::{EachPlan, Id, Plan};
use renew::Renewal;
use steps::One;
use summary::Summary;

/// Answers a batch from the cache, or by its loads. Without ids there is nothing to load.
pub(crate) async fn read<P, F>(batch: Batch<Id<P>>, policy: &Policy, own: P, load: F) -> ReturnOf<P>
where
    P: EachPlan,
    F: Loads<P>,
{
    if batch.ids.is_empty() {
        return P::Shape::returned(Ok(OkOf::<P>::default()));
    }
    let (wish, mode) = (batch.call.wish, batch.call.mode);
    let Target {
        inner,
        function,
        origin,
        requests,
        ids,
    } = match batch.target(OkOf::<P>::same) {
        Ok(target) => target,
        Err(ids) => return plain::<P, F>(policy, load, ids).await,
    };
    if inner.settings.is_unfit(policy) {
        let first = function.without_policy.first();
        inner.emit(&function.site, &Event::NoPolicy(first));
        let tags = requests.iter().flat_map(|request| request.tags.keys());
        context::carry(&inner.flights, tags.cloned());
        let ids = ids.into_iter().flat_map(Ids::into_iter).collect();
        return plain::<P, F>(policy, load, ids).await;
    }
    let encoder = Encoder {
        inner: &inner,
        key: "",
        function,
        policy,
        describes: own.describes(inner.settings.format),
        version: None,
        origin,
    };
    // Bypasses, until they are answered.
    for request in &requests {
        control::collect(wish.place, &request.key, CacheInfo::default);
    }
    let plan = Plan {
        inner: &inner,
        function,
        encoder,
        own: &own,
        collects: wish.is_told(),
    };
    let mut found = OkOf::<P>::default();
    found.reserve(requests.len());
    let mut reader = Reader {
        plan,
        load,
        found,
        began: None,
        pause: None,
        renewals: Vec::new(),
        audits: Vec::new(),
        kept: Vec::new(),
        wish,
        summary: Summary::default(),
    };
    let items = Target::items(ids, &requests);
    let result = match wish.mode {
        Mode::Cached if mode == mode::Mode::Shadow => reader.shadow(items).await,
        Mode::Refreshed => reader.refresh(items, HashMap::new()).await,
        Mode::Cached | Mode::Uncached => reader.find(items).await,
    };
    P::Shape::returned(result.map(|()| reader.found))
}

/// Runs the function without the cache.
async fn plain<P, F>(policy: &Policy, mut load: F, ids: Vec<Id<P>>) -> ReturnOf<P>
where
    P: EachPlan,
    F: Loads<P>,
{
    let inside = context::inside(policy.isolated);
    without_cache(inside, || load.run(ids)).await
}

/// One batch on its way, and all it needs to know.
struct Reader<'a, P: EachPlan, F> {
    plan: Plan<'a, P>,
    load: F,
    found: OkOf<P>,
    /// Since when it waits for others.
    began: Option<Instant>,
    /// Between looks at leases of other processes.
    pause: Option<Pause>,
    /// What is to be loaded anew behind the caller.
    renewals: Vec<Renewal<Id<P>>>,
    /// What is to be compared with a load there.
    audits: Vec<Renewal<Id<P>>>,
    /// What is to be loaded anew in the caller's place, and answers unless it is.
    kept: Vec<(Renewal<Id<P>>, Kept<P>)>,
    wish: Wish,
    summary: Summary,
}

impl<'a, P: EachPlan, F> Deref for Reader<'a, P, F> {
    type Target = Plan<'a, P>;

    fn deref(&self) -> &Self::Target {
        &self.plan
    }
}

impl<'r, P: EachPlan, F: Loads<P>> Reader<'r, P, F> {
    async fn find(&mut self, items: Vec<Item<'_, Id<P>>>) -> Result<(), ErrorOf<P>> {
        let found = self.search(items).await;
        self.go_on_behind();
        // A call that fails loads no more in its caller's place.
        found?;
        self.renew_in_place().await;
        Ok(())
    }

    async fn search(&mut self, items: Vec<Item<'_, Id<P>>>) -> Result<(), ErrorOf<P>> {
        let mut ones = self.glance(items).await;
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

    fn ones<'k>(&self, items: Vec<Item<'k, Id<P>>>) -> Vec<One<'k, Id<P>>>
    where
        'r: 'k,
    {
        items.into_iter().map(|item| self.one(item)).collect()
    }

    fn one<'k>(&self, item: Item<'k, Id<P>>) -> One<'k, Id<P>>
    where
        'r: 'k,
    {
        let lookup = self.lookup(&item);
        One::new(item, lookup)
    }

    fn lookup<'k>(&self, item: &Item<'k, Id<P>>) -> Lookup<'k>
    where
        'r: 'k,
    {
        let (key, tags) = item.asked();
        let Plan {
            inner, function, ..
        } = self.plan;
        Lookup::new(inner, function, key, tags, self.plan.encoder.policy)
    }

    /// Takes the answers there are, and goes on behind the caller with what has to be; gives back those
    /// without one.
    async fn served<'k>(
        &mut self,
        ones: Vec<One<'k, Id<P>>>,
    ) -> Result<Vec<One<'k, Id<P>>>, ErrorOf<P>> {
        // Most often there are none.
        let mut rest = Vec::new();
        for one in ones {
            rest.extend(self.serve(one)?);
        }
        self.go_on_behind();
        Ok(self.keep(rest).await)
    }

    /// The same of one that was waited for: what it finds waits for no others.
    fn served_at_once<'k>(
        &mut self,
        one: One<'k, Id<P>>,
    ) -> Result<Option<One<'k, Id<P>>>, ErrorOf<P>> {
        let rest = self.serve(one);
        self.go_on_behind();
        rest
    }

    fn serve<'k>(&mut self, mut one: One<'k, Id<P>>) -> Result<Option<One<'k, Id<P>>>, ErrorOf<P>> {
        if !one.is(|step| matches!(step, Step::Serve(_) | Step::Fail(_))) {
            return Ok(Some(one));
        }
        match one.lookup.search.end() {
            Step::Serve(live) => return Ok(self.take_one(one, live)),
            Step::Fail(shared) => {
                if let Some(error) = self.own.take(&shared) {
                    self.answered(Status::Joined, None);
                    return Err(error);
                }
                // Another error type under the same key is another function's load: look again.
            }
            _ => {}
        }
        Ok(Some(one))
    }

    /// When it began to wait for others.
    fn began(&mut self) -> Instant {
        *self.began.get_or_insert_with(Instant::now)
    }

    /// Counts an answer, as single reads do, and describes it to whoever asked.
    fn answered(&mut self, status: Status, made: Option<&Made>) {
        self.emit(&Event::of(status));
        self.describe(status, made);
    }

    /// Describes an answer that has been counted.
    fn describe(&mut self, status: Status, made: Option<&Made>) {
        if let Some(Made {
            request: Some(request),
            entry,
        }) = made
        {
            let Request { key, tags, .. } = request;
            let info = || reader::info(self.inner, key, tags, status, Some(entry));
            control::collect(self.wish.place, key, info);
        }
        if self.wish.info {
            let entry = made.map(|made| &*made.entry);
            // Its age is by the clock of its own server.
            let request = made.and_then(|made| made.request.as_ref());
            let key = request.map_or("", |request| &request.key);
            let info = CacheInfo::of(status, key, entry, self.inner.store.now_ms(key));
            control::report(self.summary.add(&info));
        }
    }
}

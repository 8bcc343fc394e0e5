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
//! Two batches may each hold keys that the other one needs, and neither waits for ever: a batch
//! **waits for others only while it holds nothing**. It asks for all it can have at once, loads and
//! fills that, and only then waits for the rest. So it may have to call its function more than once:
//! when a load that it waited for came to nothing. The one exception, loads without a lease, are
//! entered in the order of their keys: see `wait.rs`.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::engine::encode::Encoder;
use crate::engine::handle::Inner;
use crate::engine::shape::{ErrorSharing, Shape};
use crate::engine::verdict::Verdict;
use crate::engine::{context, mode};
use crate::observe::event::Event;
use crate::observe::registry::Function;
use crate::observe::status::Status;
use crate::policy::Policy;
use crate::protocol::read::Step;
use crate::read::control::{self, Mode, Wish};
use crate::read::flow;
use crate::read::renew::InPlace;
use crate::read::search::{Lookup, Pause, Rights};
use crate::store::Store as _;
use crate::wire::codec::{Choice, Equal};
use crate::wire::entry::{Header, Live};

mod call;
mod fill;
mod leases;
mod load;
mod map;
mod refresh;
#[cfg(test)]
mod schedules;
mod steps;
mod summary;
mod wait;

use crate::engine::batched::Batched;
pub use call::Batch;
use call::{Ids, Item, Target};
pub use map::Each;
pub(crate) use map::Many;
use steps::One;
use summary::Summary;

type Id<S> = <<S as Shape>::Ok as Batched>::Id;
type Value<S> = <<S as Shape>::Ok as Batched>::Value;

/// How a batch loads, and what of it is kept.
pub(crate) struct Task<E, C, U, F> {
    pub(crate) errors: E,
    pub(crate) codec: C,
    pub(crate) verdict: U,
    pub(crate) load: F,
}

/// Answers a batch from the cache, or by its loads. Without ids there is nothing to load.
pub(crate) async fn read<S, E, C, U, F, L>(
    batch: Batch<Id<S>>,
    policy: &Policy,
    shape: S,
    task: Task<E, C, U, F>,
) -> S::Return
where
    S: Many<Stored: Serialize + DeserializeOwned>,
    E: ErrorSharing<S::Error> + Copy,
    C: Choice,
    U: Fn(&Value<S>) -> Verdict,
    F: FnMut(Vec<Id<S>>) -> L,
    L: Future<Output = S::Return>,
{
    if batch.ids.is_empty() {
        return S::returned(Ok(S::Ok::default()));
    }
    let (wish, mode) = (batch.call.wish, batch.call.mode);
    let Target {
        inner,
        function,
        origin,
        requests,
        ids,
    } = match batch.target(<S::Ok as Batched>::same) {
        Ok(target) => target,
        Err(ids) => return plain(policy, task, ids).await,
    };
    if inner.settings.is_unfit(policy) {
        let first = function.without_policy.first();
        inner.emit(&function.site, &Event::NoPolicy(first));
        let tags = requests.iter().flat_map(|request| request.tags.keys());
        context::carry(&inner.flights, tags.cloned());
        let ids = ids.into_iter().flat_map(Ids::into_iter).collect();
        return plain(policy, task, ids).await;
    }
    let encoder = Encoder {
        inner: &inner,
        function,
        policy,
        codec: task.codec,
        version: None,
        origin,
    };
    let mut reader = Reader::<S, E, C, U, F> {
        inner: &inner,
        function,
        encoder,
        equal: shape.equal_stored(),
        errors: task.errors,
        verdict: task.verdict,
        load: task.load,
        found: S::Ok::default(),
        began: None,
        pause: None,
        wish,
        summary: Summary::default(),
    };
    let items = Target::items(ids, &requests);
    let result = match wish.mode {
        Mode::Cached if mode == mode::Mode::Shadow => reader.shadow(items).await,
        Mode::Refreshed => reader.refresh(items, HashMap::new()).await,
        Mode::Cached | Mode::Uncached => reader.find(items).await,
    };
    S::returned(result.map(|()| reader.found))
}

/// Runs the function without the cache.
async fn plain<K, R, E, C, U, F, L>(policy: &Policy, mut task: Task<E, C, U, F>, ids: Vec<K>) -> R
where
    F: FnMut(Vec<K>) -> L,
    L: Future<Output = R>,
{
    let Some(inside) = context::inside(policy.isolated) else {
        return (task.load)(ids).await;
    };
    let load = InPlace(|| (task.load)(ids));
    flow::without_cache(inside, load).await
}

/// One batch on its way, and all it needs to know.
struct Reader<'a, S: Many, E, C, U, F> {
    inner: &'a Arc<Inner>,
    function: &'static Function,
    encoder: Encoder<'a, C>,
    /// How values are compared, where that is known.
    equal: Equal<S::Stored>,
    errors: E,
    verdict: U,
    load: F,
    found: S::Ok,
    /// Since when it waits for others.
    began: Option<Instant>,
    /// Between looks at leases of other processes.
    pause: Option<Pause>,
    wish: Wish,
    summary: Summary,
}

impl<'r, S, E, C, U, F, L> Reader<'r, S, E, C, U, F>
where
    S: Many<Stored: Serialize + DeserializeOwned>,
    E: ErrorSharing<S::Error> + Copy,
    C: Choice,
    U: Fn(&Value<S>) -> Verdict,
    F: FnMut(Vec<Id<S>>) -> L,
    L: Future<Output = S::Return>,
{
    async fn find(&mut self, items: Vec<Item<'_, Id<S>>>) -> Result<(), S::Error> {
        let mut ones = self.ones(items);
        while !ones.is_empty() {
            steps::look(self.inner, self.function, &mut ones).await;
            ones = self.served(ones)?;
            let policy = self.encoder.policy;
            let leases = steps::contend(self.inner, self.function, policy, &mut ones).await;
            ones = self.served(ones)?;
            ones = self.lead(ones, leases).await?;
            ones = self.bypass(ones).await?;
            ones = self.wait(ones).await?;
            // Those for whom the time to wait is spent.
            ones = self.bypass(ones).await?;
        }
        Ok(())
    }

    fn ones<'k>(&self, items: Vec<Item<'k, Id<S>>>) -> Vec<One<'k, Id<S>>>
    where
        'r: 'k,
    {
        let (inner, policy) = (self.inner, self.encoder.policy);
        let one = |item: Item<'k, _>| One {
            lookup: Lookup::new(
                inner,
                self.function,
                &item.request.key,
                &item.request.tags,
                policy,
            ),
            item,
            rights: Rights::default(),
        };
        items.into_iter().map(one).collect()
    }

    /// Takes the answers there are; gives back those without one.
    fn served<'k>(&mut self, ones: Vec<One<'k, Id<S>>>) -> Result<Vec<One<'k, Id<S>>>, S::Error> {
        let mut rest = Vec::with_capacity(ones.len());
        for one in ones {
            rest.extend(self.serve(one)?);
        }
        Ok(rest)
    }

    fn serve<'k>(&mut self, mut one: One<'k, Id<S>>) -> Result<Option<One<'k, Id<S>>>, S::Error> {
        if !one.is(|step| matches!(step, Step::Serve(_) | Step::Fail(_))) {
            return Ok(Some(one));
        }
        match one.lookup.search.end() {
            Step::Serve(live) => return Ok(self.take(one, live)),
            Step::Fail(shared) => {
                if let Some(error) = self.errors.take(&shared) {
                    self.answered(Status::Joined, None);
                    return Err(error);
                }
                // Another error type under the same key is another function's load: look again.
            }
            _ => {}
        }
        Ok(Some(one))
    }

    /// Takes the answer of an entry; gives the one back that it is of no use to.
    fn take<'k>(&mut self, mut one: One<'k, Id<S>>, live: Live) -> Option<One<'k, Id<S>>> {
        let Some(value) = self.value(&one.item, &live) else {
            one.lookup.outdated(live);
            return Some(one);
        };
        self.answered(one.lookup.status(), Some(&live.header));
        let mut ids = one.item.ids.into_iter();
        let first = ids.next();
        // Each has one of its own: values need not be `Clone`.
        let others = ids.filter_map(|id| {
            let value = self.encoder.decode(&live)??;
            Some((id, S::restored(value)))
        });
        self.found.extend(others);
        let first = first.zip(value);
        self.found
            .extend(first.map(|(id, value)| (id, S::restored(value))));
        None
    }

    /// When it began to wait for others.
    fn began(&mut self) -> Instant {
        *self.began.get_or_insert_with(Instant::now)
    }

    /// What makes and reads the entry of `item`.
    fn encoder(&self, item: &Item<'_, Id<S>>) -> Encoder<'r, C> {
        let version = item.request.version;
        Encoder {
            version,
            ..self.encoder
        }
    }

    /// What an entry answers, `Some(None)` for a known absence; `None` if it is past its TTL, or of
    /// another version or type.
    fn value(&self, item: &Item<'_, Id<S>>, live: &Live) -> Option<Option<S::Stored>> {
        let encoder = self.encoder(item);
        if !flow::judge(&encoder, live).is_in_ttl() {
            return None;
        }
        let value = encoder.decode(live);
        if value.is_none() {
            self.emit(&Event::Undecodable);
        }
        value
    }

    /// Counts an answer, as single reads do, and describes it to whoever asked.
    fn answered(&mut self, status: Status, header: Option<&Header>) {
        self.emit(&Event::of(status));
        self.describe(status, header);
    }

    /// Describes an answer that has been counted.
    fn describe(&mut self, status: Status, header: Option<&Header>) {
        if self.wish.info {
            let now_ms = self.inner.store.now_ms();
            control::report(self.summary.add(status, header, now_ms));
        }
    }

    fn emit(&self, event: &Event<'_>) {
        self.inner.emit(&self.function.site, event);
    }
}

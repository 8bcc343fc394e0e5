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
//! belongs. So each of its entries carries every tag of the load.
//!
//! Two batches may each hold keys that the other one needs, and neither waits for ever: a batch
//! **waits for others only while it holds nothing**. It asks for all it can have at once, loads and
//! fills that, and only then waits for the rest. So it may have to call its function more than once:
//! when a load that it waited for came to nothing. The one exception, loads without a lease, are
//! entered in the order of their keys: see `bypass.rs`.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::engine::encode::Packer;
use crate::engine::handle::Inner;
use crate::engine::shape::{ErrorSharing, Shape};
use crate::engine::{context, mode};
use crate::observe::event::Event;
use crate::observe::registry::Function;
use crate::observe::status::Status;
use crate::policy::Policy;
use crate::protocol::budget::Budget;
use crate::protocol::flight::{Flight, Seat};
use crate::protocol::freshness;
use crate::protocol::journal::Pass;
use crate::read::control::{self, Mode, Wish};
use crate::read::flow;
use crate::read::renew::InPlace;
use crate::read::search::Pause;
use crate::store::Store as _;
use crate::wire::codec::{Choice, Equal};
use crate::wire::entry::{Header, Live};

mod bypass;
mod call;
mod fill;
mod leases;
mod load;
mod look;
mod map;
mod refresh;
#[cfg(test)]
mod schedules;
mod summary;
mod wait;

use crate::engine::batched::Batched;
pub use call::Batch;
use call::{Item, Target};
use leases::Leases;
use look::{Claim, Spot};
pub use map::Each;
pub(crate) use map::Many;
use summary::Summary;

/// The `unless` of batches that have none.
pub fn never<T>(_: &T) -> bool {
    false
}

type Id<S> = <<S as Shape>::Ok as Batched>::Id;
type Value<S> = <<S as Shape>::Ok as Batched>::Value;

/// How a batch loads, and what of it is kept.
pub(crate) struct Task<E, C, U, F> {
    pub(crate) errors: E,
    pub(crate) codec: C,
    pub(crate) unless: U,
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
    U: Fn(&Value<S>) -> bool,
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
        items,
    } = match batch.target(<S::Ok as Batched>::same) {
        Ok(target) => target,
        Err(ids) => return plain(policy, task, ids).await,
    };
    if inner.settings.is_unfit(policy) {
        let first = function.without_policy.first();
        inner.emit(&function.site, &Event::NoPolicy(first));
        let ids = items.into_iter().flat_map(Item::into_ids).collect();
        return plain(policy, task, ids).await;
    }
    let packer = Packer {
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
        packer,
        equal: shape.equal_stored(),
        errors: task.errors,
        unless: task.unless,
        load: task.load,
        found: S::Ok::default(),
        budget: Budget::new(inner.settings.wait),
        pause: Pause::new(None),
        wish,
        summary: Summary::default(),
    };
    let result = match wish.mode {
        Mode::Cached if mode == mode::Mode::Shadow => reader.shadow(items).await,
        Mode::Refreshed => reader.refresh(items, HashSet::new()).await,
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
    let Some(inside) = context::inside(policy.alone) else {
        return (task.load)(ids).await;
    };
    let load = InPlace(|| (task.load)(ids));
    flow::without_cache(inside, load).await
}

/// One batch on its way, and all it needs to know.
struct Reader<'a, S: Many, E, C, U, F> {
    inner: &'a Arc<Inner>,
    function: &'static Function,
    packer: Packer<'a, C>,
    /// How values are compared, where that is known.
    equal: Equal<S::Stored>,
    errors: E,
    unless: U,
    load: F,
    found: S::Ok,
    /// How long it waits for others.
    budget: Budget,
    /// Between looks at leases of other processes.
    pause: Pause,
    wish: Wish,
    summary: Summary,
}

/// Items, sorted by what is to be done about them.
struct Round<K> {
    open: Vec<(Item<K>, Pass, Option<Bytes>)>,
    own: Vec<(Item<K>, Flight)>,
    seats: Vec<(Item<K>, Seat)>,
    elsewhere: Vec<Item<K>>,
    alone: Vec<Item<K>>,
    /// To be looked up again.
    again: Vec<Item<K>>,
}

impl<K> Round<K> {
    fn new() -> Self {
        Self {
            open: Vec::new(),
            own: Vec::new(),
            seats: Vec::new(),
            elsewhere: Vec::new(),
            alone: Vec::new(),
            again: Vec::new(),
        }
    }
}

impl<S, E, C, U, F, L> Reader<'_, S, E, C, U, F>
where
    S: Many<Stored: Serialize + DeserializeOwned>,
    E: ErrorSharing<S::Error> + Copy,
    C: Choice,
    U: Fn(&Value<S>) -> bool,
    F: FnMut(Vec<Id<S>>) -> L,
    L: Future<Output = S::Return>,
{
    async fn find(&mut self, items: Vec<Item<Id<S>>>) -> Result<(), S::Error> {
        let mut items = items;
        while !items.is_empty() {
            let mut round = Round::new();
            self.look(items, &mut round).await;
            let leases = self.contend(&mut round).await;
            self.lead(&mut round, leases).await?;
            self.load_alone(&mut round).await?;
            self.wait(&mut round).await?;
            // Those for whom the time to wait is spent.
            self.load_alone(&mut round).await?;
            items = round.again;
        }
        Ok(())
    }

    async fn look(&mut self, items: Vec<Item<Id<S>>>, round: &mut Round<Id<S>>) {
        let keys: Vec<_> = items.iter().map(|item| item.key.as_str()).collect();
        let spots = look::look(self.inner, self.function, &keys).await;
        for (item, spot) in items.into_iter().zip(spots) {
            self.place(item, spot, round);
        }
    }

    /// Asks for the leases of what is open.
    async fn contend(&mut self, round: &mut Round<Id<S>>) -> Leases {
        let open = std::mem::take(&mut round.open);
        let claims = open.iter().map(|(item, pass, over)| Claim {
            key: &item.key,
            pass: *pass,
            over: over.clone(),
        });
        let policy = self.packer.policy;
        let (leases, spots) =
            look::contend(self.inner, self.function, policy, claims.collect()).await;
        for ((item, ..), spot) in open.into_iter().zip(spots) {
            self.place(item, spot, round);
        }
        // What came instead of a lease and is of no use either.
        let open = round.open.drain(..).map(|(item, ..)| item);
        round.again.extend(open);
        leases
    }

    fn place(&mut self, item: Item<Id<S>>, spot: Spot, round: &mut Round<Id<S>>) {
        match spot {
            Spot::Live(live, pass) => {
                // A read that had to wait was answered by another one's load.
                let waited = self.budget.has_begun();
                let status = if waited { Status::Joined } else { Status::Hit };
                if let Err((item, dead)) = self.take(item, live, status) {
                    round.open.push((item, pass, Some(dead)));
                }
            }
            Spot::Open(pass, over) => round.open.push((item, pass, over)),
            Spot::Lead(flight) => round.own.push((item, flight)),
            Spot::Seat(seat) => round.seats.push((item, seat)),
            Spot::Elsewhere => round.elsewhere.push(item),
            Spot::Again => round.again.push(item),
            Spot::Alone => round.alone.push(item),
        }
    }

    /// Takes the answer of an entry; gives the item back with one that is of no use. Past its TTL,
    /// it is of none: a batch has no stale windows.
    fn take(
        &mut self,
        item: Item<Id<S>>,
        live: Live,
        status: Status,
    ) -> Result<(), (Item<Id<S>>, Bytes)> {
        let Some(value) = self.value(&live) else {
            return Err((item, live.entry));
        };
        self.answered(status, Some(&live.header));
        // Each has one of its own: values need not be `Clone`.
        let others = item.others.into_iter().filter_map(|id| {
            let value = self.packer.unpack(&live)??;
            Some((id, S::restored(value)))
        });
        self.found.extend(others);
        self.found
            .extend(value.map(|value| (item.id, S::restored(value))));
        Ok(())
    }

    /// What an entry answers, `Some(None)` for a known absence; `None` if it is past its TTL, or of
    /// another type.
    fn value(&self, live: &Live) -> Option<Option<S::Stored>> {
        if freshness::is_past_ttl(&live.header, self.inner.store.now_ms()) {
            return None;
        }
        let value = self.packer.unpack(live);
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

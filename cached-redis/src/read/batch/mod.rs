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

use std::future::poll_fn;

use crate::engine::id_map::IdMap as _;
use crate::engine::plan::{OkOf, ReturnOf};
use crate::engine::shape::Shape as _;
use crate::policy::Policy;

mod answer;
mod call;
mod called;
mod callee;
mod desk;
mod fill;
mod flow;
mod glance;
mod ids;
mod job;
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

pub use call::Batch;
use called::Called;
pub(crate) use loads::Loads;
pub use map::Each;
pub(crate) use map::Many;
use plan::{EachPlan, Id};

/// Answers a batch from the cache, or by its loads. Without ids there is nothing to load.
#[expect(
    clippy::manual_async_fn,
    reason = "an argument of an async function has two places in its future"
)]
pub(crate) fn read<P, F>(
    batch: Batch<Id<P>>,
    policy: &Policy,
    plan: P,
    load: F,
) -> impl Future<Output = ReturnOf<P>>
where
    P: EachPlan,
    F: Loads<P>,
{
    async move {
        if batch.ids().is_empty() {
            return P::Shape::returned(Ok(OkOf::<P>::default()));
        }
        let (asked, ids) = batch.split(OkOf::<P>::same);
        // In this order: a load is dropped before the right to it is given back.
        let (mut flow, mut called) = {
            let called = Called::new(plan, load, ids);
            (flow::begin(&asked, policy, F::DETACHES, &called), called)
        };
        let ended = poll_fn(|context| flow.poll(&mut called, context)).await;
        called.returned(ended)
    }
}

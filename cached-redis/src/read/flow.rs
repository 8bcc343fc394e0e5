//! The read flow: hit, miss, wait, load, fill.
//!
//! ```text
//! look ── value ─────────────────────────────────────────────► hit
//!  │ ▲
//!  │ └──── start over ◄── somebody else's load ended ◄── wait ◄─┐
//!  ▼                                                            │
//! nothing, or nothing usable ── enter the flight ── a seat ─────┘
//!                                  │ the lead
//!                                  ▼
//!                    acquire ── granted ──► load ──► fill
//!                       ▲ └── another process has it: wait and look again
//! ```
//!
//! Everything left of the load is in [`search`](crate::read::search), what becomes of its result in
//! [`right`](crate::read::right), and what comes after what in [`driver`](crate::read::driver): all of that
//! sees bytes. What is here is compiled for each function. Wherever the store fails or the time to wait is
//! spent, the function runs without it.
//!
//! The load runs in the caller's own task, so borrowed arguments and `&self` just work. If that
//! caller is dropped, so are its flight and its lease: waiters start over with their own loads.
//!
//! An entry that is to be loaded anew while it is served, or that may be served if a load fails, goes
//! its own way: see [`renew`](crate::read::renew).

use std::ops::ControlFlow::{self, Break, Continue};

use crate::engine::plan::{AnyPlan, OkOf, ReturnOf};
use crate::engine::shape::Shape as _;
use crate::policy::Policy;
use crate::read::call::Call;
use crate::read::driver::{Do, Driver, Next};
use crate::read::load::{self, Load, Place};
use crate::read::local::{Asked, Shown};
use crate::read::reader::Reader;
use crate::read::right::Running;

/// Answers a call from the cache, or by its load.
///
/// What runs the load is boxed: the future of a hit stays small, however large the function's is. What is given
/// is captured where it stays, since an argument of an async function has two places in its future.
pub(crate) fn read<P, F>(
    call: Call,
    policy: &Policy,
    plan: P,
    load: F,
) -> impl Future<Output = ReturnOf<P>>
where
    P: AnyPlan,
    F: Load<P>,
{
    let mut load = Some(load);
    async move {
        // What was read last.
        let mut value = None;
        // `None`: the function simply runs.
        let mut begun = match begin(&call, policy, plan, F::DETACHES, &mut value) {
            Break(ok) => return P::Shape::returned(Ok(ok)),
            Continue(begun) => begun,
        };
        // Where it is: moved, it would have another place.
        let driver = &mut begun;
        let result = 'answered: loop {
            let next = loop {
                let Some(driver) = driver else {
                    break Do::Load(Box::new(Running::without_cache(&call, policy)));
                };
                match driver.next().await {
                    Next::Do(next) => break next,
                    Next::Read(shown) => {
                        if let Some(ok) = answer(plan, driver, shown, &mut value) {
                            break 'answered Ok(ok);
                        }
                    }
                }
            };
            // Awaited behind that, so that what it is made of has no place any more.
            let (runs, is_apart) = {
                let (place, is_apart) = match next {
                    Do::Serve => match value.take() {
                        Some(value) => break Ok(value),
                        None => continue,
                    },
                    Do::Fail(shared) => match plan.take(&shared) {
                        Some(error) => {
                            if let Some(driver) = driver {
                                driver.failed();
                            }
                            break Err(error);
                        }
                        // Another error type under the same key is another function's load: look again.
                        None => continue,
                    },
                    Do::Load(running) => (Place::Here(running), false),
                    Do::Detach(job) => (Place::Apart(job), true),
                };
                let Some(load) = load.take() else { continue };
                (Box::pin(load::run(place, plan, load)), is_apart)
            };
            let result = match runs.await {
                Some((result, told)) => {
                    if let (Some(driver), true) = (&mut *driver, is_apart) {
                        driver.told(told, result.is_ok());
                    }
                    result
                }
                None => continue,
            };
            if let (Some(driver), true) = (&mut *driver, result.is_err())
                && driver.falls_back().await
            {
                continue;
            }
            break result;
        };
        P::Shape::returned(result)
    }
}

/// A hit in process memory, which needs no future; else the beginning of a read, or nothing when the function shall
/// simply run.
fn begin<'a, P: AnyPlan>(
    call: &'a Call,
    policy: &'a Policy,
    plan: P,
    detaches: bool,
    last: &mut Option<OkOf<P>>,
) -> ControlFlow<OkOf<P>, Option<Driver<'a>>> {
    let asked = match Asked::by(call, policy).served(call, plan) {
        Ok(ok) => return Break(ok),
        Err(asked) => asked,
    };
    let Some(reader) = Reader::of(call, policy, |format| plan.describes(format)) else {
        return Continue(None);
    };
    let mut driver = Driver::new(reader, call, detaches);
    let shown = driver.local(asked);
    match shown.and_then(|shown| answer(plan, &mut driver, shown, last)) {
        Some(ok) => Break(ok),
        None => Continue(Some(driver)),
    }
}

/// The value of an entry, if that is served and no more is to be done; else it is the one that was read `last`.
fn answer<P: AnyPlan>(
    plan: P,
    driver: &mut Driver<'_>,
    shown: Shown,
    last: &mut Option<OkOf<P>>,
) -> Option<OkOf<P>> {
    match plan.decode(&driver.reader.encoder, &shown) {
        None => driver.undecodable(shown),
        Some(ok) if driver.serves(shown) => return Some(ok),
        some => *last = some,
    }
    None
}

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

use crate::engine::plan::{AnyPlan, ResultOf, ReturnOf};
use crate::engine::shape::Shape as _;
use crate::policy::Policy;
use crate::read::call::Call;
use crate::read::driver::{Do, Driver};
use crate::read::load::{self, Load};
use crate::read::right::Running;

/// Answers a call from the cache, or by its load.
///
/// What runs the load is boxed: the future of a hit stays small, however large the function's is.
pub(crate) async fn read<P, F>(call: Call, policy: &Policy, plan: P, load: F) -> ReturnOf<P>
where
    P: AnyPlan,
    F: Load<P>,
{
    let result = match Driver::of(&call, policy, |format| plan.describes(format), F::DETACHES) {
        Some(driver) => answer(driver, plan, load).await,
        None => {
            let running = Box::new(Running::without_cache(&call, policy));
            Box::pin(load::run(running, plan, load)).await.0
        }
    };
    P::Shape::returned(result)
}

async fn answer<P, F>(mut driver: Driver<'_>, plan: P, load: F) -> ResultOf<P>
where
    P: AnyPlan,
    F: Load<P>,
{
    // What was read last.
    let (mut value, mut load) = (None, Some(load));
    loop {
        let next = match driver.at_once() {
            Some(next) => next,
            None => driver.later().await,
        };
        let ran = match next {
            Do::Read(live) => {
                match plan.decode(&driver.reader.encoder, &live) {
                    None => driver.undecodable(live),
                    Some(ok) if driver.serves(live) => return Ok(ok),
                    some => value = some,
                }
                continue;
            }
            Do::Serve => match value.take() {
                Some(value) => return Ok(value),
                None => continue,
            },
            Do::Fail(shared) => match plan.take(&shared) {
                Some(error) => {
                    driver.failed();
                    return Err(error);
                }
                // Another error type under the same key is another function's load: look again.
                None => continue,
            },
            Do::Load(running) => match load.take() {
                Some(load) => Box::pin(load::run(running, plan, load)).await.0,
                None => continue,
            },
            Do::Detach(job) => {
                let Some(load) = load.take() else { continue };
                match Box::pin(load.detach(job, plan)).await {
                    Some((result, told)) => {
                        driver.told(told, result.is_ok());
                        result
                    }
                    None => continue,
                }
            }
        };
        match ran {
            Err(_) if driver.falls_back().await => {}
            result => return result,
        }
    }
}

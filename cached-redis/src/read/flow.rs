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
//! [`right`](crate::read::right), and what comes after what in [`driver`](crate::read::driver). What is here asks
//! the driver, and has [the function](crate::read::callee) do what only that can: [`read`] and the callee are
//! compiled for each. Wherever the store fails or the time to wait is spent, the function runs without it.
//!
//! The load runs in the caller's own task, so borrowed arguments and `&self` just work. If that
//! caller is dropped, so are its flight and its lease: waiters start over with their own loads.
//!
//! An entry that is to be loaded anew while it is served, or that may be served if a load fails, goes
//! its own way: see [`renew`](crate::read::renew).

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::engine::plan::{AnyPlan, ReturnOf};
use crate::engine::shape::Shape as _;
use crate::error::StoreError;
use crate::policy::Policy;
use crate::protocol::bypass::BypassLoad;
use crate::protocol::progress::SharedError;
use crate::read::call::Call;
use crate::read::callee::{Called, Callee, Execution};
use crate::read::driver::{Do, Driver, Next, Turn};
use crate::read::load::Load;
use crate::read::local::{Asked, Shown};
use crate::read::reader::Reader;
use crate::read::right::Running;
use crate::read::search::Seen;
use crate::util::boxed::Boxed;

/// Answers a call from the cache, or by its load.
#[expect(
    clippy::manual_async_fn,
    reason = "an argument of an async function has two places in its future"
)]
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
    async move {
        let asked = match Asked::by(&call, policy).served(&call, plan) {
            Ok(ok) => return P::Shape::returned(Ok(ok)),
            Err(asked) => asked,
        };
        // In this order: the load is dropped before the right to it is given back.
        let (mut flow, mut called) = {
            let mut called = Called::new(plan, load);
            (
                begin(&call, policy, asked, F::DETACHES, &mut called),
                called,
            )
        };
        if let Some(flow) = &mut flow {
            poll_fn(|context| flow.as_mut().poll(&mut called, context)).await;
        }
        called.returned()
    }
}

/// A call on its way, in an allocation that nobody but this file looks into: so neither what it does nor how it is
/// dropped is compiled for each function.
type Flow<'a> = Pin<Box<dyn Answering + Send + 'a>>;

trait Answering {
    /// Goes on until the callee has the answer.
    fn poll(self: Pin<&mut Self>, callee: &mut dyn Callee, context: &mut Context<'_>) -> Poll<()>;
}

/// Begins it. `None`: it is answered at once, which needs no future.
fn begin<'a>(
    call: &'a Call,
    policy: &'a Policy,
    asked: Asked,
    detaches: bool,
    callee: &mut dyn Callee,
) -> Option<Flow<'a>> {
    let Some(reader) = Reader::of(call, policy, |format| callee.describes(format)) else {
        let running = Box::new(Running::without_cache(call, policy));
        return Some(Box::pin(Execution::begin(running, callee)?));
    };
    let mut driver = Driver::new(reader, call, detaches);
    if let Some(shown) = driver.at_once(asked)
        && is_served(&mut driver, shown, callee)
    {
        return None;
    }
    Some(flow(driver, Driver::look))
}

/// `look` is [`Driver::look`], whose future has no name.
fn flow<'a, F>(driver: Driver<'a>, look: fn(&mut Driver<'a>) -> F) -> Flow<'a>
where
    F: Future<Output = Result<Seen, StoreError>> + Send + 'a,
{
    Box::pin(Steps {
        look,
        driver: Some(driver),
        looks: None,
        at: At::Asks,
    })
}

/// Without a cache, the function is all there is.
impl Answering for Execution<'_> {
    fn poll(self: Pin<&mut Self>, callee: &mut dyn Callee, context: &mut Context<'_>) -> Poll<()> {
        Execution::poll(self.get_mut(), callee, context).map(drop)
    }
}

pin_project_lite::pin_project! {
    /// Where a call is.
    struct Steps<'a, F> {
        look: fn(&mut Driver<'a>) -> F,
        // Unless it waits.
        driver: Option<Driver<'a>>,
        // While it looks: all that hits wait for, and so in the same allocation.
        #[pin]
        looks: Option<F>,
        at: At<'a>,
    }
}

enum At<'a> {
    /// The driver says what is next, once it has looked.
    Asks,
    Waits(Boxed<'a, (Driver<'a>, Option<Next<'a>>)>),
    /// The function runs.
    Runs(Execution<'a>),
    /// It runs in a task of its own.
    RunsApart(Boxed<'static, bool>),
    /// It has failed.
    FallsBack(Boxed<'a, (Driver<'a>, bool)>),
    Answered,
}

impl<'a, F: Future<Output = Result<Seen, StoreError>>> Answering for Steps<'a, F> {
    fn poll(self: Pin<&mut Self>, callee: &mut dyn Callee, context: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        loop {
            *this.at = match this.at {
                At::Asks => {
                    let Some(driver) = this.driver else {
                        return Poll::Ready(());
                    };
                    if let Some(looks) = this.looks.as_mut().as_pin_mut() {
                        let seen = ready!(looks.poll(context));
                        driver.saw(seen);
                        this.looks.set(None);
                    }
                    match driver.ask() {
                        Turn::Look => {
                            this.looks.set(Some((this.look)(driver)));
                            At::Asks
                        }
                        Turn::Next(next) => At::after(driver, next, callee),
                        Turn::Wait(place) => At::waits(this.driver, place),
                    }
                }
                At::Waits(next) => {
                    let (driver, next) = ready!(next.as_mut().poll(context));
                    let driver = this.driver.insert(driver);
                    next.map_or(At::Asks, |next| At::after(driver, next, callee))
                }
                At::Runs(load) => {
                    let ended = ready!(load.poll(callee, context));
                    At::ended(this.driver, ended.is_ok)
                }
                At::RunsApart(in_time) => {
                    let in_time = ready!(in_time.as_mut().poll(context));
                    At::ended_apart(this.driver, in_time, callee)
                }
                At::FallsBack(falls_back) => {
                    let (driver, is_served) = ready!(falls_back.as_mut().poll(context));
                    *this.driver = Some(driver);
                    At::answered_if(!is_served)
                }
                At::Answered => return Poll::Ready(()),
            }
        }
    }
}

impl<'a> At<'a> {
    /// Does what is next.
    fn after(driver: &mut Driver<'a>, next: Next<'a>, callee: &mut dyn Callee) -> Self {
        match next {
            Next::Read(shown) => Self::answered_if(is_served(driver, shown, callee)),
            Next::Do(Do::Serve) => Self::answered_if(callee.serve()),
            Next::Do(Do::Fail(shared)) => Self::answered_if(fails(driver, &shared, callee)),
            Next::Do(Do::Load(running)) => {
                Execution::begin(running, callee).map_or(Self::Asks, Self::Runs)
            }
            Next::Do(Do::Detach(job)) => callee.detach(job).map_or(Self::Asks, Self::RunsApart),
        }
    }

    fn answered_if(is_answered: bool) -> Self {
        match is_answered {
            true => Self::Answered,
            false => Self::Asks,
        }
    }

    fn waits(driver: &mut Option<Driver<'a>>, place: Option<BypassLoad>) -> Self {
        match driver.take() {
            Some(driver) => Self::Waits(Box::pin(driver.wait(place))),
            None => Self::Asks,
        }
    }

    /// The task has ended, or has kept its caller waiting for too long.
    fn ended_apart(
        driver: &mut Option<Driver<'a>>,
        in_time: bool,
        callee: &mut dyn Callee,
    ) -> Self {
        let Some(ended) = in_time.then(|| callee.hear()).flatten() else {
            return Self::Asks;
        };
        if let Some(driver) = driver {
            driver.told(ended.told, ended.is_ok);
        }
        Self::ended(driver, ended.is_ok)
    }

    /// Is answered by what has been loaded, unless that is an error in the place of which something is served.
    fn ended(driver: &mut Option<Driver<'a>>, is_ok: bool) -> Self {
        match driver.take_if(|_| !is_ok) {
            Some(driver) => Self::FallsBack(Box::pin(driver.falls_back())),
            None => Self::Answered,
        }
    }
}

/// Whether the entry is decoded and served, and no more is to be done.
fn is_served(driver: &mut Driver<'_>, shown: Shown, callee: &mut dyn Callee) -> bool {
    match callee.decode(&driver.reader.encoder, &shown) {
        false => {
            driver.undecodable(shown);
            false
        }
        true => driver.serves(shown) && callee.serve(),
    }
}

/// Whether the error is the answer. One of another type under the same key is of another function's load: look again.
fn fails(driver: &Driver<'_>, shared: &SharedError, callee: &mut dyn Callee) -> bool {
    let fails = callee.fail(shared);
    if fails {
        driver.failed();
    }
    fails
}

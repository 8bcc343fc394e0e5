//! Where a flow has its function do what only that can, and waits for what comes of it.
//!
//! The flow is one for all functions and cannot hold one: whether a call can be sent between threads is up to the
//! function's own future and values. So the function comes along whenever the flow is polled, and does what is asked
//! here then.
//!
//! One thing is asked at a time, and whoever asks is to be polled whenever the flow is.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::callee::Callee;
use crate::engine::context::Loading;
use crate::observe::span::LoadSpan;
use crate::util::boxed::Boxed;
use crate::util::lock::Mutex;

/// What is asked, until it is done.
type Ask<'a> = Box<dyn FnMut(&mut dyn Callee, &mut Context<'_>) -> Poll<()> + Send + 'a>;

/// See the module.
#[derive(Clone, Default)]
pub(super) struct Desk<'a>(Arc<Mutex<Option<Ask<'a>>>>);

impl<'a> Desk<'a> {
    /// What the function says to `what`.
    pub(super) async fn ask<T: Send + 'a>(
        &self,
        what: impl FnOnce(&mut dyn Callee) -> T + Send + 'a,
    ) -> T {
        let mut what = Some(what);
        self.until(move |callee, _| match what.take() {
            Some(what) => Poll::Ready(what(callee)),
            None => Poll::Pending,
        })
        .await
    }

    /// Runs the function for the ids at `places`, or for all; whether it succeeds.
    pub(super) async fn run(
        &self,
        places: Option<Vec<usize>>,
        loading: Option<Arc<Loading>>,
        span: LoadSpan,
    ) -> bool {
        let mut begins = Some((places, loading));
        self.until(move |callee, context| {
            if let Some((places, loading)) = begins.take() {
                callee.begin(places.as_deref(), loading);
            }
            let _entered = span.enter();
            callee.run(context)
        })
        .await
    }

    async fn until<T: Send + 'a>(
        &self,
        mut done: impl FnMut(&mut dyn Callee, &mut Context<'_>) -> Poll<T> + Send + 'a,
    ) -> T {
        let answer = Arc::new(Mutex::new(None));
        let told = Arc::clone(&answer);
        let ask: Ask<'a> = Box::new(move |callee, context| {
            done(callee, context).map(|answer| *told.lock() = Some(answer))
        });
        let other = self.0.lock().replace(ask);
        debug_assert!(other.is_none(), "two things are asked at a time");
        // The flow is polled again as soon as that is done, so nobody has to be woken.
        poll_fn(|_| answer.lock().take().map_or(Poll::Pending, Poll::Ready)).await
    }

    /// Does what is asked, as far as it goes; `true`: that is done.
    fn does(&self, callee: &mut dyn Callee, context: &mut Context<'_>) -> bool {
        let Some(mut ask) = self.0.lock().take() else {
            return false;
        };
        let is_done = ask(callee, context).is_ready();
        if !is_done {
            *self.0.lock() = Some(ask);
        }
        is_done
    }
}

/// A flow, and the desk that it asks at.
pub(crate) struct Flow<'a, T> {
    steps: Boxed<'a, T>,
    desk: Desk<'a>,
}

impl<'a, T> Flow<'a, T> {
    pub(super) fn new(steps: impl FnOnce(Desk<'a>) -> Boxed<'a, T>) -> Self {
        let desk = Desk::default();
        Self {
            steps: steps(desk.clone()),
            desk,
        }
    }

    pub(super) fn poll(&mut self, callee: &mut dyn Callee, context: &mut Context<'_>) -> Poll<T> {
        loop {
            let polled = self.steps.as_mut().poll(context);
            if polled.is_ready() || !self.desk.does(callee, context) {
                return polled;
            }
        }
    }
}

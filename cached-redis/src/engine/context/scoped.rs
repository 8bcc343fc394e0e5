//! Loads that run, and are dropped, where they are heard.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::{LOADING, Loading, Said};
use crate::observe::span::LoadSpan;

/// Runs `load` so that it can speak, if there is a `loading` to listen; what it gave and what it said.
/// Its future is made here: as an argument it would have a place beside its box.
pub(crate) async fn run<F: Future>(
    loading: Option<&Arc<Loading>>,
    span: LoadSpan,
    load: impl FnOnce() -> F,
) -> (F::Output, Said) {
    let mut scoped = Scoped::new(loading.cloned(), load());
    let polled = |context: &mut Context<'_>| {
        let _entered = span.enter();
        scoped.poll(context)
    };
    let output = poll_fn(polled).await;
    let said = loading.map(|loading| loading.heard());
    (output, said.unwrap_or_default())
}

/// A load that runs, and is dropped, where it is heard: what its destructors say is not for the load around it.
pub(crate) struct Scoped<F> {
    loading: Option<Arc<Loading>>,
    /// `None` when it has ended.
    load: Option<Pin<Box<F>>>,
}

impl<F: Future> Scoped<F> {
    pub(crate) fn new(loading: Option<Arc<Loading>>, load: F) -> Self {
        let load = Some(Box::pin(load));
        Self { loading, load }
    }

    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<F::Output> {
        let mut polled = Poll::Pending;
        enter(self.loading.as_ref(), &mut || {
            if let Some(load) = &mut self.load {
                polled = load.as_mut().poll(context);
            }
            if polled.is_ready() {
                self.load = None;
            }
        });
        polled
    }
}

impl<F> Drop for Scoped<F> {
    fn drop(&mut self) {
        if self.load.is_some() {
            leave(self.loading.as_ref(), &mut || self.load = None);
        }
    }
}

/// Takes the last step inside of `loading`, if the thread still has task-locals.
fn leave(loading: Option<&Arc<Loading>>, step: &mut dyn FnMut()) {
    struct Last<'a>(&'a mut dyn FnMut());

    impl Drop for Last<'_> {
        fn drop(&mut self) {
            (self.0)();
        }
    }

    let last = Last(step);
    match loading {
        // What is dropped with a scope is dropped inside of it, and outside at the end of a thread.
        Some(loading) => drop(LOADING.scope(Arc::clone(loading), async move { drop(last) })),
        None => drop(last),
    }
}

/// Takes a step inside of `loading`. By reference, so that it is compiled once.
fn enter(loading: Option<&Arc<Loading>>, step: &mut dyn FnMut()) {
    match loading {
        Some(loading) => LOADING.sync_scope(Arc::clone(loading), step),
        None => step(),
    }
}

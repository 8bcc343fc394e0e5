//! Futures of one place in the program. The body of an `async fn` is compiled into whatever awaits it, and
//! once more for each part of the program that does.

use std::pin::Pin;
use std::task::{Context, Poll};

pin_project_lite::pin_project! {
    /// See the module.
    pub(crate) struct Outlined<F> {
        #[pin]
        pub(crate) future: F,
    }
}

impl<F: Future> Future for Outlined<F> {
    type Output = F::Output;

    #[inline(never)]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        self.project().future.poll(context)
    }
}

pin_project_lite::pin_project! {
    /// A future whose body is compiled where this is made, and not in whatever awaits it.
    pub(crate) struct Made<F, T> {
        #[pin]
        future: F,
        poll: fn(Pin<&mut F>, &mut Context<'_>) -> Poll<T>,
    }
}

impl<F: Future> Made<F, F::Output> {
    /// To be called by a function that is not generic and not inlined.
    pub(crate) fn new(future: F) -> Self {
        let poll = F::poll;
        Self { future, poll }
    }
}

impl<F, T> Future for Made<F, T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let made = self.project();
        (made.poll)(made.future, context)
    }
}

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

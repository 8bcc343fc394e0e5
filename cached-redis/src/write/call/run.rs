//! A function under `#[invalidates]`, from its first step until what it made outdated is removed.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::util::boxed::Boxed;
use crate::write::call::Write;

pin_project_lite::pin_project! {
    /// See the module. Dropped, it drops the body before the write, which is sent then: what a body does when it is
    /// dropped is part of it. By hand, as what an async block captures and then awaits has two places in its future.
    pub(super) struct Run<F: Future, J> {
        // `None` when it has ended.
        #[pin]
        body: Option<F>,
        stage: Stage<F::Output, J>,
    }
}

enum Stage<R, J> {
    Body(Write, J),
    Sent(Boxed<'static, ()>, R),
    Ended,
}

impl<F: Future, J> Run<F, J> {
    pub(super) fn new(write: Write, body: F, judge: J) -> Self {
        let (body, stage) = (Some(body), Stage::Body(write, judge));
        Self { body, stage }
    }
}

impl<F: Future, J: FnOnce(&mut Write, &F::Output) -> bool> Future for Run<F, J> {
    type Output = F::Output;

    /// One function: see [`outlined`](crate::util::outlined).
    #[inline(never)]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        if let Some(body) = this.body.as_mut().as_pin_mut() {
            let returned = ready!(body.poll(context));
            this.body.set(None);
            if let Stage::Body(mut write, judge) = std::mem::replace(this.stage, Stage::Ended) {
                // Should it panic, what has returned is dropped before the write too.
                let returned = returned;
                let is_ok = judge(&mut write, &returned);
                *this.stage = Stage::Sent(write.0.finish(is_ok), returned);
            }
        }
        if let Stage::Sent(sent, _) = this.stage {
            ready!(sent.as_mut().poll(context));
        }
        match std::mem::replace(this.stage, Stage::Ended) {
            Stage::Sent(_, returned) => Poll::Ready(returned),
            _ => panic!("polled after its end"),
        }
    }
}

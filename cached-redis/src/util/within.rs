//! Futures that run, and are dropped, where a task-local has a value. What `LocalKey::scope` does is compiled for each
//! future; here it is once for each task-local.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::task::LocalKey;

/// The value of a task-local. It is cloned for each step.
pub(crate) trait Local: Clone + 'static {
    fn key() -> &'static LocalKey<Self>;
}

pin_project_lite::pin_project! {
    /// See the module.
    pub(crate) struct Within<V: Local, F> {
        // `None`: what it has around this future.
        value: Option<V>,
        // `None` when it has ended.
        #[pin]
        future: Option<F>,
    }

    impl<V: Local, F> PinnedDrop for Within<V, F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.future.is_some() {
                leave(this.value.take(), &mut || this.future.set(None));
            }
        }
    }
}

impl<V: Local, F> Within<V, F> {
    pub(crate) fn new(value: Option<V>, future: F) -> Self {
        let future = Some(future);
        Self { value, future }
    }
}

impl<V: Local, F: Future> Within<V, F> {
    /// Goes on, and hands over what the future comes to: it is moved once.
    pub(crate) fn poll_to(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        to: impl FnOnce(F::Output),
    ) -> Poll<()> {
        let (mut this, mut to) = (self.project(), Some(to));
        enter(this.value.as_ref(), &mut || {
            let future = this.future.as_mut().as_pin_mut();
            if let Poll::Ready(output) = future.expect("polled before its end").poll(context) {
                if let Some(to) = to.take() {
                    to(output);
                }
                this.future.set(None);
            }
        });
        match to {
            Some(_) => Poll::Pending,
            None => Poll::Ready(()),
        }
    }
}

impl<V: Local, F: Future> Future for Within<V, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let mut output = None;
        let polled = self.poll_to(context, |it| output = Some(it));
        polled.map(|()| output.expect("it has ended"))
    }
}

/// A closure: see [`erased`](crate::util::erased).
trait Step {
    fn take(&mut self);
}

impl<F: FnMut()> Step for F {
    fn take(&mut self) {
        self();
    }
}

/// Takes a step.
fn enter<V: Local>(value: Option<&V>, step: &mut dyn Step) {
    match value {
        Some(value) => V::key().sync_scope(value.clone(), || step.take()),
        None => step.take(),
    }
}

/// Takes the last step; without the value where the thread has no task-locals any more.
fn leave<V: Local>(value: Option<V>, step: &mut dyn Step) {
    struct Last<'a>(&'a mut dyn Step);

    impl Drop for Last<'_> {
        fn drop(&mut self) {
            self.0.take();
        }
    }

    let last = Last(step);
    match value {
        // What is dropped with a scope is dropped inside of it, and outside at the end of a thread.
        Some(value) => drop(V::key().scope(value, async move { drop(last) })),
        None => drop(last),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::future::pending;
    use std::thread;

    use futures_util::FutureExt as _;

    use super::*;

    tokio::task_local! {
        static NUMBER: Box<u8>;
    }

    impl Local for Box<u8> {
        fn key() -> &'static LocalKey<Self> {
            &NUMBER
        }
    }

    fn number() -> Option<u8> {
        NUMBER.try_with(|number| **number).ok()
    }

    /// Says what it sees when it is dropped.
    struct Dropped<'a>(&'a RefCell<Vec<Option<u8>>>);

    impl Drop for Dropped<'_> {
        fn drop(&mut self) {
            self.0.borrow_mut().push(number());
        }
    }

    #[tokio::test]
    async fn a_future_runs_and_is_dropped_where_the_value_is_and_nowhere_else() {
        let seen = RefCell::default();
        let future = async {
            let _dropped = Dropped(&seen);
            tokio::task::yield_now().await;
            (
                number(),
                Within::<Box<u8>, _>::new(None, async { number() }).await,
            )
        };
        assert_eq!(
            Within::new(Some(Box::new(1)), future).await,
            (Some(1), Some(1))
        );
        let dropped = Dropped(&seen);
        let never = async move {
            let _dropped = dropped;
            pending::<()>().await;
        };
        let mut never = Box::pin(Within::new(Some(Box::new(2)), never));
        assert_eq!((never.as_mut().now_or_never(), number()), (None, None));
        drop(never);
        assert_eq!((seen.take(), number()), (vec![Some(1), Some(2)], None));
    }

    #[test]
    #[should_panic = "polled before its end"]
    fn polled_after_its_end_it_panics_as_futures_do() {
        let mut future = Box::pin(Within::new(Some(Box::new(1)), async {}));
        assert_eq!(future.as_mut().now_or_never(), Some(()));
        future.as_mut().now_or_never();
    }

    #[test]
    fn at_the_end_of_a_thread_it_is_dropped_all_the_same() {
        struct Last(Option<Box<dyn Send>>);

        thread_local! {
            static LAST: RefCell<Last> = const { RefCell::new(Last(None)) };
        }
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        let future = Within::new(Some(Box::new(3)), async move { drop(sender) });
        let thread = thread::spawn(move || {
            LAST.with_borrow_mut(|last| last.0 = Some(Box::new(future)));
            // Made after that, and so gone before.
            NUMBER.sync_scope(Box::new(4), || ());
        });
        thread.join().unwrap();
        receiver.recv().unwrap_err();
    }
}

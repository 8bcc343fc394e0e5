//! What calls leave behind them to be finished: fills, refreshes, invalidations, releases of leases.
//!
//! Its tasks die with their runtime. A program that ends right after its work would lose what it has
//! loaded and leave its leases, on which the next one waits; so it can wait for them before.

use std::sync::Arc;

use tokio::sync::{oneshot, watch};

/// That of one cache.
#[derive(Default)]
pub(crate) struct Work(watch::Sender<State>);

#[derive(Clone, Copy, Default)]
struct State {
    tasks: usize,
    /// How often there was nothing left to do: where calls go on, the moment is short.
    rests: u64,
}

impl Work {
    /// One more task, until what is returned is dropped. To be called before it is spawned.
    pub(crate) fn begin(self: &Arc<Self>) -> Begun {
        self.0.send_if_modified(|state| {
            state.tasks += 1;
            false
        });
        Begun(Arc::clone(self))
    }

    /// For a task that waits until somebody lets go: it counts from that very moment.
    pub(crate) fn cue(self: &Arc<Self>) -> (Cue, oneshot::Receiver<Begun>) {
        let (sender, given) = oneshot::channel();
        let cue = Cue {
            work: Arc::clone(self),
            sender: Some(sender),
        };
        (cue, given)
    }

    pub(crate) fn tasks(&self) -> usize {
        self.0.borrow().tasks
    }

    /// Until a moment at which there is nothing to do.
    pub(crate) async fn done(&self) {
        let mut state = self.0.subscribe();
        let rests = state.borrow().rests;
        let rest = state.wait_for(|now| now.tasks == 0 || now.rests != rests);
        // It cannot fail: the sender is here.
        let _ = rest.await;
    }
}

/// A task that has not ended.
pub(crate) struct Begun(Arc<Work>);

impl Drop for Begun {
    fn drop(&mut self) {
        self.0.0.send_if_modified(|state| {
            state.tasks -= 1;
            let rests = state.tasks == 0;
            state.rests += u64::from(rests);
            rests
        });
    }
}

/// Dropped, it has the task go on that waits for it.
pub(crate) struct Cue {
    work: Arc<Work>,
    sender: Option<oneshot::Sender<Begun>>,
}

impl Drop for Cue {
    fn drop(&mut self) {
        if let Some(sender) = self.sender.take() {
            // Nobody takes it if the task has ended.
            let _ = sender.send(self.work.begin());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    #[test]
    fn a_moment_of_rest_is_enough_for_those_who_wait() {
        let work = Arc::<Work>::default();
        let mut context = Context::from_waker(Waker::noop());
        let mut wait = |mut done: std::pin::Pin<&mut dyn Future<Output = ()>>| {
            done.as_mut().poll(&mut context).is_ready()
        };
        assert!(wait(pin!(work.done())), "there is nothing");
        let (first, second) = (work.begin(), work.begin());
        let mut done = pin!(work.done());
        drop(first);
        assert!(!wait(done.as_mut()) && work.tasks() == 1);
        drop(second);
        let _third = work.begin();
        assert!(wait(done) && !wait(pin!(work.done())));
    }
}

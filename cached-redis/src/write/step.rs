//! An invalidation of one step, which needs no task: the store is given it, and tells how it ended.
//!
//! So nothing is lost with its caller, dropped or left alone, nor with the caller's runtime. It is told by whoever
//! drives the connection, wherever the cache has its home; where that has ended, the connection ends with it, and
//! where nobody drives it, the thread of the deadlines does. What was not confirmed by then is in the
//! [journal](crate::protocol::journal), before anybody learns of it.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use crate::engine::handle::Inner;
use crate::error::StoreError;
use crate::protocol::journal::{Attempt, Hold};
use crate::store::{Answer, Told, Waiting};
use crate::util::lock::Mutex;
use crate::util::moment::Moment;
use crate::util::work::Begun;
use crate::wire::targets::Targets;
use crate::write::attempt::Sending;
use crate::write::invalidation::Invalidation;

/// See the module.
struct Step {
    inner: Arc<Inner>,
    targets: Arc<Targets>,
    /// From before it was sent.
    attempt: Attempt,
    state: Mutex<State>,
}

struct State {
    /// Until it is told.
    sending: Option<Sending>,
    /// Until the end.
    left: Option<Left>,
    ended: Option<(Invalidation, Moment)>,
    waker: Option<Waker>,
}

struct Left {
    /// What bars the keys.
    hold: Option<Hold>,
    /// Whoever flushes waits for it.
    _begun: Begun,
}

/// A step that was sent, until its end; dropped before, it goes on.
pub(crate) struct SentStep {
    step: Arc<Step>,
    waiting: Option<Waiting>,
}

impl SentStep {
    /// Of what [is a step](Sending::is_step), after the commit.
    pub(crate) fn new(sending: Sending, hold: Option<Hold>) -> Self {
        let (inner, targets) = sending.place();
        let left = Left {
            hold,
            _begun: inner.runtime.work.begin(),
        };
        let state = Mutex::new(State {
            sending: Some(sending),
            left: Some(left),
            ended: None,
            waker: None,
        });
        let step = Arc::new(Step {
            attempt: inner.journal.begin(),
            inner,
            targets,
            state,
        });
        let keys = &step.targets.keys;
        let waiting = step.inner.store.remove(keys, Arc::clone(&step) as _);
        if waiting.is_none() {
            step.told(Err(StoreError::Lost));
        }
        Self { step, waiting }
    }

    pub(crate) fn poll(&mut self, context: &Context<'_>) -> Poll<(Invalidation, Moment)> {
        let inner = &self.step.inner;
        let waiting = &mut self.waiting;
        waiting.take_if(|waiting| inner.store.attend(waiting, context));
        let Some(ended) = self.step.ended(context) else {
            return Poll::Pending;
        };
        if ended.0 == Invalidation::Deferred {
            // Whoever has told it may have had no runtime.
            inner.runtime.tend();
        }
        Poll::Ready(ended)
    }
}

impl Drop for SentStep {
    fn drop(&mut self) {
        self.step.leave();
    }
}

impl Step {
    /// `None`: whoever polls is woken then.
    fn ended(&self, context: &Context<'_>) -> Option<(Invalidation, Moment)> {
        let mut state = self.state.lock();
        if state.ended.is_none() {
            let before = state.waker.replace(context.waker().clone());
            drop(state);
            drop(before);
            return None;
        }
        state.ended
    }

    /// Nobody waits for the end: bars what only those who wait know of.
    fn leave(&self) {
        let mut state = self.state.lock();
        let Some(left) = &mut state.left else { return };
        let hold = || Hold::new(&self.inner.journal);
        let hold = left.hold.get_or_insert_with(hold);
        hold.add(Targets::clone(&self.targets));
        // What that ends may have to be told.
        drop(state);
        self.inner.runtime.tend();
    }
}

impl Told for Step {
    fn told(&self, answer: Answer<Option<Bytes>>) {
        let sending = self.state.lock().sending.take();
        let mut end = End(self, Invalidation::Deferred);
        if let Some(sending) = sending {
            end.1 = sending.told(self.attempt, answer.map(drop));
        }
    }
}

/// However it ends; in a panic, what was sent has deferred itself.
struct End<'a>(&'a Step, Invalidation);

impl Drop for End<'_> {
    fn drop(&mut self) {
        let Self(step, ended) = self;
        let left = step.state.lock().left.take();
        // Before anybody goes on.
        drop(left);
        let mut state = step.state.lock();
        state.ended = Some((*ended, Moment::now()));
        let waker = state.waker.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }
}

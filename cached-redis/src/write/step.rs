//! An invalidation of one step, or the end of a write in two phases, which needs no task: the store is given it, and
//! tells how it ended.
//!
//! So nothing is lost with its caller, dropped or left alone, nor with the caller's runtime. It is told by whoever
//! drives the connection, wherever the cache has its home; where that has ended, the connection ends with it, and
//! where nobody drives it, the thread of the deadlines does. What was not confirmed by then is in the
//! [journal](crate::protocol::journal), before anybody learns of it.

use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use crate::engine::handle::Inner;
use crate::error::StoreError;
use crate::protocol::journal::{Attempt, Hold};
use crate::store::{Answer, Errand, Told, Waiting};
use crate::util::lock::Mutex;
use crate::util::moment::Moment;
use crate::util::work::Begun;
use crate::wire::targets::Targets;
use crate::write::attempt::Sending;
use crate::write::dispatch::Sent;
use crate::write::ending::Ending;
use crate::write::invalidation::Invalidation;

/// What is sent by it.
pub(crate) enum Work {
    /// Of what [is a step](Sending::is_step).
    Removal(Sending),
    /// The same of a write in two phases.
    End(Box<Ending>),
}

impl Work {
    fn place(&self) -> (Arc<Inner>, Arc<Targets>) {
        match self {
            Self::Removal(sending) => sending.place(),
            Self::End(ending) => ending.sending.place(),
        }
    }

    fn errand<'a>(&'a self, keys: &'a [String]) -> Errand<'a> {
        match self {
            Self::Removal(_) => Errand::Remove(keys),
            Self::End(ending) => ending.errand(),
        }
    }
}

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
    work: Option<Work>,
    /// Until the end.
    left: Option<Left>,
    ended: Option<Ended>,
    waker: Option<Waker>,
    /// Nobody waits for it any more.
    deserted: bool,
}

struct Left {
    /// What bars the keys.
    hold: Option<Hold>,
    /// Whoever flushes waits for it.
    _begun: Begun,
}

enum Ended {
    All(Invalidation, Moment),
    /// But for this.
    Rest(Box<Sent>),
}

/// A step that was sent, until its end; dropped before, it goes on.
pub(crate) struct SentStep {
    step: Arc<Step>,
    waiting: Option<Waiting>,
}

impl SentStep {
    /// After the commit.
    pub(crate) fn new(work: Work, hold: Option<Hold>) -> Self {
        let (inner, targets) = work.place();
        let left = Left {
            hold,
            _begun: inner.runtime.work.begin(),
        };
        let attempt = inner.journal.begin();
        let state = Mutex::new(State {
            work: None,
            left: Some(left),
            ended: None,
            waker: None,
            deserted: false,
        });
        let step = Arc::new(Step {
            attempt,
            inner,
            targets,
            state,
        });
        // Locked until it is sent, so that nobody is told before.
        let mut state = step.state.lock();
        let errand = state.work.insert(work).errand(&step.targets.keys);
        let waiting = step.inner.store.tell(errand, Arc::clone(&step) as _);
        drop(state);
        if waiting.is_none() {
            step.told(Err(StoreError::Unavailable));
        }
        Self { step, waiting }
    }

    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<(Invalidation, Moment)> {
        let inner = &self.step.inner;
        let waiting = &mut self.waiting;
        waiting.take_if(|waiting| inner.store.attend(waiting, context));
        let ended = ready!(self.step.poll(context));
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
    /// Whoever polls is woken at the end.
    fn poll(&self, context: &mut Context<'_>) -> Poll<(Invalidation, Moment)> {
        let mut state = self.state.lock();
        match &mut state.ended {
            Some(Ended::All(ended, known)) => Poll::Ready((*ended, *known)),
            Some(Ended::Rest(rest)) => rest.poll_end(context),
            None => {
                let before = state.waker.replace(context.waker().clone());
                drop(state);
                drop(before);
                Poll::Pending
            }
        }
    }

    /// Nobody waits for the end: bars what only those who wait know of.
    fn leave(&self) {
        let mut state = self.state.lock();
        state.deserted = true;
        let rest = state.ended.take();
        if let Some(left) = &mut state.left {
            let hold = || Hold::new(&self.inner.journal);
            let hold = left.hold.get_or_insert_with(hold);
            hold.add(Targets::clone(&self.targets));
            // What that ends may have to be told.
            drop(state);
            self.inner.runtime.tend();
            return;
        }
        drop(state);
        // It looks after itself.
        drop(rest);
    }

    fn end(&self, ended: Ended) {
        let mut state = self.state.lock();
        let (left, deserted) = (state.left.take(), state.deserted);
        drop(state);
        // What is left looks after itself from here on.
        let ended = (!deserted).then_some(ended);
        // Before anybody goes on.
        drop(left);
        let mut state = self.state.lock();
        state.ended = ended;
        let waker = state.waker.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }
}

impl Told for Step {
    fn told(&self, answer: Answer<i64>) {
        let mut state = self.state.lock();
        let Some(work) = state.work.take() else {
            return;
        };
        let mut hold = state.left.as_mut().and_then(|left| left.hold.take());
        drop(state);
        let mut end = End(self, None);
        let ended = match work {
            Work::Removal(sending) => Ok(sending.told(self.attempt, answer.map(drop))),
            Work::End(ending) => ending.told(self.attempt, answer, &mut hold),
        };
        end.1 = Some(ended);
        drop(hold);
    }

    fn is_patient(&self) -> bool {
        true
    }
}

/// However it ends; in a panic, what was sent has deferred itself.
struct End<'a>(&'a Step, Option<Result<Invalidation, Sent>>);

impl Drop for End<'_> {
    fn drop(&mut self) {
        let ended = self.1.take().unwrap_or(Ok(Invalidation::Deferred));
        self.0.end(match ended {
            Ok(ended) => Ended::All(ended, Moment::now()),
            Err(rest) => Ended::Rest(Box::new(rest)),
        });
    }
}

//! Where the readers of a batch wait, and their answers.
//!
//! Wakers are woken and dropped while nothing is locked: with the last of a task goes what the task has.

use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::keys::{Keys, Places};
use crate::error::StoreError;
use crate::store::Answer;
use crate::util::sync::Mutex;

/// How a batch ended.
#[derive(Debug)]
pub(in crate::store::redis) enum Outcome {
    Answered,
    /// The server does not let us read several keys at once: all start over.
    Refused,
    /// All start over.
    Again,
    Failed(StoreError),
}

impl Outcome {
    /// As that of an operation.
    pub(super) fn answer(&self) -> Answer<()> {
        match self {
            Self::Failed(error) => Err(error.clone()),
            Self::Answered | Self::Refused | Self::Again => Ok(()),
        }
    }
}

/// How a read ended; `None`: it starts over.
type Ended = Option<Answer<()>>;

/// Reads that are made together.
#[derive(Default)]
pub(super) struct Batch(Mutex<Slots>);

#[derive(Default)]
struct Slots {
    /// Those of the readers who wait.
    wakers: Vec<Option<Waker>>,
    outcome: Option<Outcome>,
    answers: Vec<Option<Bytes>>,
    /// How many readers have not got them yet.
    left: usize,
    /// How many ticks nobody has waited for it.
    age: u32,
}

impl Slots {
    /// The answers are kept for none but the readers: they are slices of what was received.
    fn leave(&mut self) {
        self.left -= 1;
        if self.left == 0 {
            self.answers.clear();
        }
    }

    fn read(&self, places: &Places, mut got: impl FnMut(Option<Bytes>)) -> Poll<Ended> {
        let mut get = |place: &usize| {
            got(self.answers.get(*place).ok_or(StoreError::Answer)?.clone());
            Ok(())
        };
        Poll::Ready(match &self.outcome {
            None => return Poll::Pending,
            Some(Outcome::Again | Outcome::Refused) => None,
            Some(Outcome::Failed(error)) => Some(Err(error.clone())),
            Some(Outcome::Answered) => Some(match places {
                Places::One(place) => get(place),
                Places::Several(places) => places.iter().try_for_each(get),
            }),
        })
    }
}

/// What nobody joins any more, once it is no longer open.
#[derive(Default)]
pub(in crate::store::redis) struct Closed {
    pub(super) batch: Arc<Batch>,
    pub(in crate::store::redis) keys: Keys,
}

impl Closed {
    pub(super) fn join(&mut self, keys: &[&str], waker: &Waker) -> Join {
        let places = self.keys.places(keys);
        self.batch.join(places, waker)
    }
}

impl Batch {
    fn join(self: &Arc<Self>, places: Places, waker: &Waker) -> Join {
        let mut slots = self.0.lock();
        slots.wakers.push(Some(waker.clone()));
        slots.left += 1;
        Join {
            batch: Arc::clone(self),
            reader: slots.wakers.len() - 1,
            places,
            has_left: false,
        }
    }

    /// Lets its readers go on.
    pub(super) fn land(&self, outcome: Outcome, answers: &mut Vec<Option<Bytes>>) {
        let mut slots = self.0.lock();
        if slots.left > 0 {
            slots.answers.append(answers);
        }
        slots.outcome = Some(outcome);
        let mut wakers = mem::take(&mut slots.wakers);
        drop(slots);
        wakers.drain(..).flatten().for_each(Waker::wake);
        self.0.lock().wakers = wakers;
    }

    /// To be used again.
    pub(super) fn clear(&mut self) {
        let mut slots = self.0.lock();
        slots.wakers.clear();
        (slots.outcome, slots.age) = (None, 0);
    }

    /// Wakes its readers, since one more has passed, and each counts those that it has seen; how many there
    /// were for which it had none.
    pub(super) fn tick(&self) -> u32 {
        let mut slots = self.0.lock();
        let wakers = slots.wakers.clone();
        if wakers.iter().all(Option::is_none) {
            slots.age += 1;
        }
        let age = slots.age;
        drop(slots);
        wakers.into_iter().flatten().for_each(Waker::wake);
        age
    }

    pub(super) fn has_readers(&self) -> bool {
        self.0.lock().wakers.iter().any(Option::is_some)
    }
}

/// A place in a batch.
pub(in crate::store::redis) struct Join {
    batch: Arc<Batch>,
    reader: usize,
    places: Places,
    has_left: bool,
}

impl Join {
    pub(super) fn batch(&self) -> &Arc<Batch> {
        &self.batch
    }

    /// How it ended. `got` is given each answer.
    pub(in crate::store::redis) fn poll(
        &mut self,
        context: &Context<'_>,
        got: impl FnMut(Option<Bytes>),
    ) -> Poll<Ended> {
        let mut slots = self.batch.0.lock();
        let ended = slots.read(&self.places, got);
        if ended.is_ready() {
            self.has_left = true;
            slots.leave();
            return ended;
        }
        let before = slots.wakers[self.reader].replace(context.waker().clone());
        drop(slots);
        drop(before);
        Poll::Pending
    }
}

impl Drop for Join {
    fn drop(&mut self) {
        if !self.has_left {
            let mut slots = self.batch.0.lock();
            slots.leave();
            let waker = slots.wakers.get_mut(self.reader).and_then(Option::take);
            drop(slots);
            drop(waker);
        }
    }
}

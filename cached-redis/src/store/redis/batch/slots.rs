//! A batch: where its readers wait, and their answers.
//!
//! Wakers are woken and dropped while nothing is locked: with the last of a task goes what the task has. So
//! nothing is while somebody is told how a command ended.

use std::mem;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::super::packed::Packed;
use super::super::reply;
use super::keys::{Keys, Places};
use crate::error::StoreError;
use crate::store::{Answer, Told};
use crate::util::sync::Mutex;

/// How a batch ended.
#[derive(Debug, Default)]
pub(in crate::store::redis) enum Outcome {
    #[default]
    Answered,
    /// But for the places of some commands.
    Partly(Vec<(Range<usize>, StoreError)>),
    /// The server does not let us read several keys at once: all start over.
    Refused,
    /// All start over.
    Again,
    Failed(StoreError),
}

impl Outcome {
    /// One more command has failed; `is_whole`: it was the only one.
    pub(in crate::store::redis) fn fails(
        &mut self,
        places: Range<usize>,
        is_whole: bool,
        error: StoreError,
    ) {
        match self {
            Self::Refused => {}
            Self::Partly(failures) => failures.push((places, error)),
            _ if is_whole => *self = Self::Failed(error),
            _ => *self = Self::Partly(vec![(places, error)]),
        }
    }

    /// As that of an operation.
    pub(super) fn answer(&self) -> Answer<()> {
        match self {
            Self::Failed(error) => Err(error.clone()),
            Self::Partly(failures) => match failures.first() {
                Some((_, error)) => Err(error.clone()),
                None => Ok(()),
            },
            Self::Answered | Self::Refused | Self::Again => Ok(()),
        }
    }

    /// As that of a command which nobody starts over.
    fn told(&self, answers: &[Option<Bytes>]) -> Answer<i64> {
        match self {
            Self::Answered => reply::integer(answers.last().and_then(Option::as_deref)),
            Self::Failed(error) => Err(error.clone()),
            Self::Again => Err(StoreError::Unavailable),
            Self::Partly(_) | Self::Refused => Err(StoreError::Lost),
        }
    }
}

/// How a read or a command ended; `None`: it starts over.
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
    /// How many ticks nobody has waited for it, or somebody was to be told.
    age: u32,
    /// Who does not wait, and is told.
    told: Option<Arc<dyn Told>>,
}

impl Slots {
    /// The answers are kept for none but the readers: they are slices of what was received.
    fn leave(&mut self) {
        self.left -= 1;
        if self.left == 0 {
            self.answers.clear();
        }
    }

    /// Whether one reader alone has asked for all of them, each once: it need not share them.
    fn are_of_one(&self, places: &Places) -> bool {
        self.left == 1
            && matches!(self.outcome, Some(Outcome::Answered))
            && matches!(places, Places::Row(row) if *row == (0..self.answers.len()))
    }

    fn read(&mut self, places: &Places, mut got: impl FnMut(Option<Bytes>)) -> Poll<Ended> {
        if self.are_of_one(places) {
            self.answers.drain(..).for_each(got);
            return Poll::Ready(Some(Ok(())));
        }
        let mut get = |place: usize| {
            if let Some(Outcome::Partly(failures)) = &self.outcome
                && let Some((_, error)) =
                    failures.iter().find(|(places, _)| places.contains(&place))
            {
                return Err(error.clone());
            }
            got(self.answers.get(place).ok_or(StoreError::Answer)?.clone());
            Ok(())
        };
        Poll::Ready(match &self.outcome {
            None => return Poll::Pending,
            Some(Outcome::Again | Outcome::Refused) => None,
            Some(Outcome::Failed(error)) => Some(Err(error.clone())),
            Some(Outcome::Answered | Outcome::Partly(_)) => Some(match places {
                Places::One(place) => get(*place),
                Places::Row(places) => places.clone().try_for_each(get),
                Places::Several(places) => places.iter().copied().try_for_each(get),
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

/// Who waits for it.
#[derive(Clone, Copy)]
pub(super) enum Part {
    Readers(usize),
    Command,
}

impl Closed {
    pub(super) fn part(&self) -> Part {
        match self.keys.are_a_command() {
            true => Part::Command,
            false => Part::Readers(self.keys.readers()),
        }
    }

    pub(super) fn join(&mut self, keys: &[&str], waker: &Waker) -> Join {
        let places = self.keys.places(keys);
        self.batch.join(places, waker)
    }

    /// The same of one that answers a command.
    pub(super) fn call(&mut self, command: &Packed, waker: &Waker) -> Join {
        let places = self.keys.of_command(command);
        self.batch.join(places, waker)
    }

    pub(super) fn tell(&mut self, command: &Packed, told: Arc<dyn Told>) -> Join {
        self.batch.0.lock().told = Some(told);
        self.call(command, Waker::noop())
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
        let told = slots.told.take();
        let told = told.map(|told| (told, outcome.told(answers)));
        if slots.left > 0 {
            slots.answers.append(answers);
        }
        slots.outcome = Some(outcome);
        let mut wakers = mem::take(&mut slots.wakers);
        drop(slots);
        if let Some((told, answer)) = told {
            tell(&*told, answer);
        }
        wakers.drain(..).flatten().for_each(Waker::wake);
        self.0.lock().wakers = wakers;
    }

    /// Whoever is to be told need not wait any longer.
    pub(super) fn miss(&self) {
        let told = self.0.lock().told.take();
        if let Some(told) = told {
            tell(&*told, Err(StoreError::Timeout));
        }
    }

    /// Whether somebody is to be told, waiting or not, and [patiently](Told::is_patient).
    pub(super) fn tells(&self) -> Option<bool> {
        let slots = self.0.lock();
        slots.told.as_ref().map(|told| told.is_patient())
    }

    /// To be used again.
    pub(super) fn clear(&mut self) {
        let mut slots = self.0.lock();
        slots.wakers.clear();
        (slots.outcome, slots.age) = (None, 0);
    }

    /// Wakes its readers, since one more has passed, and each counts those that it has seen; how many there
    /// were for which it had none, or for which somebody is to be told.
    pub(super) fn tick(&self) -> u32 {
        let mut slots = self.0.lock();
        let wakers = slots.wakers.clone();
        if slots.told.is_some() || wakers.iter().all(Option::is_none) {
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

/// Events are among what follows: a panic of whoever hears of them ends neither the connection nor the thread of the
/// deadlines. It has been reported by the hook.
fn tell(told: &dyn Told, answer: Answer<i64>) {
    let _ = catch_unwind(AssertUnwindSafe(|| told.told(answer)));
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

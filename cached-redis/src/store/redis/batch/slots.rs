//! A batch: what it reads, where its readers wait, and their answers.
//!
//! Wakers are woken and dropped while nothing is locked: with the last of a task goes what the task has.

use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64;

use crate::error::StoreError;
use crate::store::Answer;
use crate::util::sync::Mutex;

/// How many keys a batch has at most, so that a large answer does not hold up all readers; a read of more
/// has one of its own.
pub(super) const MOST: usize = 64;

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

/// What a batch reads.
#[derive(Default)]
pub(in crate::store::redis) struct Keys {
    /// The keys as the arguments of a command.
    arguments: Vec<u8>,
    places: Vec<Place>,
    readers: usize,
    is_alone: bool,
}

/// Those of the answers to one reader.
enum Places {
    One(usize),
    Several(Box<[usize]>),
}

struct Place {
    hash: u64,
    /// Where the key stands in the arguments.
    start: usize,
    end: usize,
}

impl Keys {
    /// The places of the answers to `keys`, for one more reader.
    fn places(&mut self, keys: &[&str]) -> Places {
        self.readers += 1;
        match keys {
            [key] => Places::One(self.place(key)),
            // Nobody joins so many, and to compare them all would hold up the others.
            keys if keys.len() > MOST => {
                Places::Several(keys.iter().map(|key| self.add(key, 0)).collect())
            }
            keys => Places::Several(keys.iter().map(|key| self.place(key)).collect()),
        }
    }

    fn place(&mut self, key: &str) -> usize {
        let hash = xxh3_64(key.as_bytes());
        let known = self.places.iter().position(|place| {
            // Hashes alone could be forged.
            place.hash == hash && self.arguments[place.start..place.end] == *key.as_bytes()
        });
        known.unwrap_or_else(|| self.add(key, hash))
    }

    fn add(&mut self, key: &str, hash: u64) -> usize {
        header(&mut self.arguments, b'$', key.len());
        let start = self.arguments.len();
        self.arguments.extend_from_slice(key.as_bytes());
        let end = self.arguments.len();
        self.arguments.extend_from_slice(b"\r\n");
        self.places.push(Place { hash, start, end });
        self.places.len() - 1
    }

    /// Nobody joins them.
    pub(super) fn stay_alone(&mut self) {
        self.is_alone = true;
    }

    /// Whether a GET reads them.
    pub(in crate::store::redis) fn are_one(&self) -> bool {
        self.is_alone && self.places.len() == 1
    }

    /// Appends the command that reads them.
    pub(in crate::store::redis) fn command(&self, bytes: &mut Vec<u8>) {
        header(bytes, b'*', 1 + self.places.len());
        let name: &[u8] = match self.are_one() {
            true => b"$3\r\nGET\r\n",
            false => b"$4\r\nMGET\r\n",
        };
        bytes.extend_from_slice(name);
        bytes.extend_from_slice(&self.arguments);
    }

    pub(in crate::store::redis) fn count(&self) -> usize {
        self.places.len()
    }

    pub(super) fn readers(&self) -> usize {
        self.readers
    }

    pub(super) fn clear(&mut self) {
        self.arguments.clear();
        self.places.clear();
        (self.readers, self.is_alone) = (0, false);
    }
}

fn header(bytes: &mut Vec<u8>, kind: u8, count: usize) {
    bytes.push(kind);
    digits(bytes, count);
    bytes.extend_from_slice(b"\r\n");
}

fn digits(bytes: &mut Vec<u8>, number: usize) {
    if number >= 10 {
        digits(bytes, number / 10);
    }
    bytes.push(b'0' + (number % 10) as u8);
}

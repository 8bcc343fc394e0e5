//! Collects the reads of many tasks into one MGET.
//!
//! One MGET costs client and server far less than as many GETs, and a key that several tasks ask for
//! is read once. A read may share an answer only if it came **before the command was written**: what
//! it gets was then read after it came, as with a command of its own. So a batch is closed first and
//! sent then.
//!
//! A read that is alone is sent at once, as a GET. Where reads overlap, the first of them wakes whoever
//! [sends](super::mux), who goes once to the end of the runtime's queue before, and finds the keys of all who
//! were ready; nothing ever waits for an answer to somebody else, nor for a timer.
//!
//! Readers who get their answers together would go on together: the server idle while they work, and
//! all of them idle while it does. So a batch does not wait for all of those who are about, but is
//! sent when somewhat less than half of them have joined, and the server has it while the others come.
//! For the same reason an answer must not be large: a batch is sent, too, when as many bytes are to be
//! expected, by what the last answers were. Those of single keys are not known beforehand, and it is their
//! sum that counts.

use std::collections::VecDeque;
use std::mem::{replace, take};
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::task::Waker;

use bytes::Bytes;

use crate::error::StoreError;
use crate::store::Answer;
use crate::util::sync::{AtomicBool, Mutex};

mod keys;
mod recent;
#[cfg(test)]
mod schedules;
mod slots;
#[cfg(test)]
mod tests;

use keys::Keys;
use recent::{Crowd, Size};
use slots::Batch;
pub(super) use slots::{Join, Outcome};

/// How many keys a batch has at most, so that a large answer does not hold up all readers; a read of more
/// has one of its own.
const MOST: usize = 64;

/// How large an answer may be expected to be, for the same reason.
const MOST_BYTES: usize = 64 * 1024;

/// How many readers are worth a batch at least, and by how many less than half of those about is
/// enough. Both were measured.
const FEW: usize = 4;

/// How many batches are kept to be used again.
const SPARE: usize = 8;

/// The reads of one store.
#[derive(Default)]
pub(super) struct Batches {
    state: Mutex<State>,
    /// The server does not let us read several keys at once.
    refused: AtomicBool,
    /// Who is told how each batch ended.
    judge: OnceLock<Judge>,
}

type Judge = Box<dyn Fn(&Answer<()>) + Send + Sync>;

#[derive(Default)]
struct State {
    /// What the next reader joins.
    open: Option<Closed>,
    /// What waits for nobody else.
    full: VecDeque<Closed>,
    /// What has no answer yet.
    sent: Vec<Sent>,
    /// How many readers have no answer yet.
    waiting: usize,
    crowd: Crowd,
    size: Size,
    /// What was handed out lately.
    spare: VecDeque<Closed>,
    /// The number of the connection; 0: there is none.
    current: u64,
    /// How many there were.
    numbers: u64,
    /// Set while it has nothing to send.
    idle: Option<Waker>,
    /// The same for a connection that is not yet started.
    early: Option<(u64, Waker)>,
}

struct Sent {
    batch: Arc<Batch>,
    readers: usize,
    /// It counts as a failure already.
    is_late: bool,
}

/// What a connection does next.
pub(super) enum Next {
    Send(Closed),
    /// When all who are ready have joined.
    Gather,
    /// When it is woken.
    Wait,
}

/// What nobody joins any more.
#[derive(Default)]
pub(super) struct Closed {
    batch: Arc<Batch>,
    pub(super) keys: Keys,
}

impl Batches {
    pub(super) fn judged_by(&self, judge: impl Fn(&Answer<()>) + Send + Sync + 'static) {
        // There is one store of each.
        let _ = self.judge.set(Box::new(judge));
    }

    fn judge(&self, outcome: &Answer<()>) {
        if let Some(judge) = self.judge.get() {
            judge(outcome);
        }
    }

    /// A place in a batch for a read of `keys`, which one command reads; `None`: there is no connection.
    pub(super) fn join(&self, keys: &[&str], waker: &Waker) -> Option<Join> {
        let refused = self.refuses();
        let mut state = self.state.lock();
        if state.current == 0 {
            return None;
        }
        state.waiting += 1;
        let join = match refused || state.is_alone() {
            true => state.alone(keys, waker),
            false => state.together(keys, waker),
        };
        let idle = state.idle.take();
        drop(state);
        idle.into_iter().for_each(Waker::wake);
        Some(join)
    }

    /// Whether several keys have to be read each by itself.
    pub(super) fn refuses(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }

    /// That of a new connection.
    pub(super) fn number(&self) -> u64 {
        let mut state = self.state.lock();
        state.numbers += 1;
        state.numbers
    }

    /// From now on batches are for the connection of this number.
    pub(super) fn start(&self, number: u64) {
        let mut state = self.state.lock();
        state.current = number;
        let before = state.idle.take();
        let early = state.early.take_if(|(of, _)| *of == number);
        drop(state);
        drop(before);
        early.into_iter().for_each(|(_, waker)| waker.wake());
    }

    /// What the connection of this number does next. `gathered`: it has let all go on who were ready.
    pub(super) fn next(&self, number: u64, gathered: bool, waker: &Waker) -> Next {
        let mut state = self.state.lock();
        if number == state.current {
            if gathered {
                state.close();
            }
            if let Some(closed) = state.full.pop_front() {
                state.sent.push(Sent {
                    batch: Arc::clone(&closed.batch),
                    readers: closed.keys.readers(),
                    is_late: false,
                });
                return Next::Send(closed);
            }
            if state.open.is_some() {
                return Next::Gather;
            }
        }
        let before = state.wait(number, waker);
        drop(state);
        drop(before);
        Next::Wait
    }

    /// There is no such connection any more: what it has not sent starts over.
    pub(super) fn end(&self, number: u64) {
        let mut state = self.state.lock();
        if state.current != number {
            return;
        }
        state.current = 0;
        state.close();
        let unsent = take(&mut state.full);
        let readers = unsent.iter().map(|closed| closed.keys.readers());
        state.waiting -= readers.sum::<usize>();
        let idle = state.idle.take();
        drop(state);
        drop(idle);
        for closed in unsent {
            closed.batch.land(Outcome::Again, &mut Vec::new());
        }
    }

    /// Hands out the answers to a batch that was sent.
    pub(super) fn land(&self, closed: Closed, outcome: Outcome, answers: &mut Vec<Option<Bytes>>) {
        if matches!(outcome, Outcome::Refused) {
            self.refused.store(true, Ordering::Relaxed);
        }
        let mut state = self.state.lock();
        if !answers.is_empty() {
            let bytes = answers.iter().flatten().map(Bytes::len).sum();
            state.size.seen(bytes, answers.len());
        }
        let is_new = state.over(|sent| Arc::ptr_eq(&sent.batch, &closed.batch) && !sent.is_late);
        state.over(|sent| Arc::ptr_eq(&sent.batch, &closed.batch));
        drop(state);
        if is_new {
            self.judge(&outcome.answer());
        }
        closed.batch.land(outcome, answers);
        self.state.lock().keep(closed);
    }

    /// A reader has waited too long, which counts once for its batch. Nobody else waits for one that was not
    /// even sent.
    pub(super) fn late(&self, join: &Join) {
        self.give_up(join.batch());
    }

    fn give_up(&self, batch: &Arc<Batch>) {
        let mut state = self.state.lock();
        let is_unsent = state.take_unsent(batch);
        let is_new = is_unsent || state.is_late_now(batch);
        drop(state);
        if is_unsent {
            batch.land(Outcome::Again, &mut Vec::new());
        }
        if is_new {
            self.judge(&Err(StoreError::Timeout));
        }
    }

    /// One more tick of the deadline has passed, by which every reader counts how long it waits. So does a
    /// batch that has no readers any more: that it was not answered is told all the same.
    pub(super) fn tick(&self, life: u32) {
        let mut state = self.state.lock();
        state.over(|sent| sent.is_late && !sent.batch.has_readers());
        let unsent = state.open.iter().chain(&state.full);
        let unsent = unsent.map(|closed| &closed.batch);
        let sent = state.sent.iter().map(|sent| &sent.batch);
        let batches: Vec<_> = unsent.chain(sent).cloned().collect();
        drop(state);
        for batch in batches {
            if batch.tick() >= life && !batch.has_readers() {
                self.give_up(&batch);
            }
        }
    }
}

impl Closed {
    fn join(&mut self, keys: &[&str], waker: &Waker) -> Join {
        let places = self.keys.places(keys);
        self.batch.join(places, waker)
    }
}

impl State {
    /// Whether the next read is better made alone. Answers so large are no better together.
    fn is_alone(&self) -> bool {
        let is_one = self.waiting == 1 && self.crowd.is_one();
        is_one || self.size.mean() > MOST_BYTES / 2
    }

    fn alone(&mut self, keys: &[&str], waker: &Waker) -> Join {
        let mut closed = self.empty();
        let join = closed.join(keys, waker);
        closed.keys.stay_alone();
        self.full.push_back(closed);
        join
    }

    fn together(&mut self, keys: &[&str], waker: &Waker) -> Join {
        if self.open_keys() + keys.len() > MOST {
            self.close();
        }
        let mut open = self.open.take().unwrap_or_else(|| self.empty());
        let join = open.join(keys, waker);
        self.open = Some(open);
        if self.is_full() {
            self.close();
        }
        join
    }

    /// What was used before, if no reader is left of it: so reads allocate nothing.
    fn empty(&mut self) -> Closed {
        let mut closed = self.spare.pop_front().unwrap_or_default();
        match Arc::get_mut(&mut closed.batch) {
            Some(batch) => batch.clear(),
            None => closed.batch = Arc::default(),
        }
        closed.keys.clear();
        closed
    }

    fn keep(&mut self, closed: Closed) {
        if self.spare.len() < SPARE {
            self.spare.push_back(closed);
        }
    }

    fn open_keys(&self) -> usize {
        self.open.as_ref().map_or(0, |open| open.keys.count())
    }

    /// Whether nobody else is to be waited for.
    fn is_full(&self) -> bool {
        let enough = (self.crowd.size() / 2).saturating_sub(FEW).max(FEW);
        let readers = self.open.as_ref().map_or(0, |open| open.keys.readers());
        let keys = self.open_keys();
        keys >= MOST || keys.saturating_mul(self.size.mean()) >= MOST_BYTES || readers >= enough
    }

    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            self.crowd.seen(self.waiting);
            self.full.push_back(open);
        }
    }

    /// Takes a batch away that was not sent; whether it is one.
    fn take_unsent(&mut self, batch: &Arc<Batch>) -> bool {
        let is_it = |closed: &Closed| Arc::ptr_eq(&closed.batch, batch);
        let open = self.open.take_if(|open| is_it(open));
        let full = self.full.iter().position(is_it);
        let taken = open.or_else(|| self.full.remove(full?));
        self.waiting -= taken.as_ref().map_or(0, |taken| taken.keys.readers());
        taken.is_some()
    }

    /// Whether this is the first time that a batch which was sent is late.
    fn is_late_now(&mut self, batch: &Arc<Batch>) -> bool {
        let mut sent = self.sent.iter_mut();
        let sent = sent.find(|sent| Arc::ptr_eq(&sent.batch, batch));
        sent.is_some_and(|sent| !replace(&mut sent.is_late, true))
    }

    /// What was to be woken in the place of `waker`. A connection whose place another has taken is never
    /// current again.
    fn wait(&mut self, number: u64, waker: &Waker) -> Option<Waker> {
        if number == self.current {
            return self.idle.replace(waker.clone());
        }
        let early = self.early.as_ref().map_or(self.current, |(of, _)| *of);
        let is_later = number > self.current && number >= early;
        let before = is_later.then(|| self.early.replace((number, waker.clone())));
        before.flatten().map(|(_, waker)| waker)
    }

    /// Forgets batches that were sent; whether there were any.
    fn over(&mut self, is_over: impl Fn(&Sent) -> bool) -> bool {
        let waiting = self.waiting;
        let over = self.sent.extract_if(.., |sent| is_over(sent));
        self.waiting -= over.map(|sent| sent.readers).sum::<usize>();
        self.waiting < waiting
    }
}

//! Collects the reads of many tasks into one MGET, and their commands into one write.
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
//! A batch that is not answered counts as one failure, whoever waits for it: its readers may all have been
//! dropped, and where nothing drives the runtime of the connection, nobody else would tell.

use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::task::Waker;

use bytes::Bytes;

use super::packed::Packed;
use crate::error::StoreError;
use crate::store::{Answer, Told};
use crate::util::sync::{AtomicBool, Mutex};

mod crowd;
mod keys;
#[cfg(test)]
mod schedules;
mod slots;
mod state;
#[cfg(test)]
mod tests;

use slots::Batch;
pub(super) use slots::{Closed, Join, Outcome};
use state::State;

/// The reads and commands of one server.
#[derive(Default)]
pub(super) struct Batches {
    state: Mutex<State>,
    /// The server does not let us read several keys at once.
    refused: AtomicBool,
    /// Who is told how each batch ended.
    judge: OnceLock<Judge>,
}

type Judge = Box<dyn Fn(&Answer<()>) + Send + Sync>;

/// What a connection does next.
pub(super) enum Next {
    Send(Closed),
    /// When all who are ready have joined, or it is woken.
    Gather,
    /// When it is woken.
    Wait,
}

impl Batches {
    /// Of a server that is one of a cluster, or is not.
    pub(super) fn of(is_shard: bool) -> Self {
        let batches = Self::default();
        batches.state.lock().by_slot = is_shard;
        batches
    }

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
        self.enter(|state| state.join(keys, refused, waker))
    }

    /// The same for a command whose answer is a string, a number or none.
    pub(super) fn call(&self, command: &Packed, waker: &Waker) -> Option<Join> {
        self.enter(|state| state.call(command, waker))
    }

    /// The same for one that ends without its caller.
    pub(super) fn tell(&self, command: &Packed, told: Arc<dyn Told>) -> Option<Join> {
        self.enter(|state| state.tell(command, told))
    }

    fn enter<T>(&self, enter: impl FnOnce(&mut State) -> Option<T>) -> Option<T> {
        let mut state = self.state.lock();
        let entered = enter(&mut state)?;
        let idle = state.current_waker();
        drop(state);
        idle.into_iter().for_each(Waker::wake);
        Some(entered)
    }

    /// Whether several keys have to be read each by itself.
    pub(super) fn refuses(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }

    /// How many there were.
    pub(super) fn begun(&self) -> u64 {
        self.state.lock().begun
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
        let idle = state.wakes(number);
        drop(state);
        idle.into_iter().for_each(Waker::wake);
    }

    /// Some of several batches were answered in one go; `left`: and some were not.
    pub(super) fn paced(&self, left: bool) {
        self.state.lock().pace.seen(left);
    }

    #[cfg(test)]
    pub(super) fn are_answered_at_once(&self) -> bool {
        self.state.lock().pace.is_at_once()
    }

    /// What the connection of this number does next. `gathered`: it has let all go on who were ready.
    pub(super) fn next(&self, number: u64, gathered: bool, waker: &Waker) -> Next {
        let mut state = self.state.lock();
        if number == state.current {
            if gathered {
                state.close();
            }
            if let Some(closed) = state.send() {
                return Next::Send(closed);
            }
            state.gathers = !state.open.is_empty();
        }
        let gathers = number == state.current && state.gathers;
        let before = state.wait(number, waker);
        drop(state);
        drop(before);
        match gathers {
            true => Next::Gather,
            false => Next::Wait,
        }
    }

    /// There is no such connection any more: what it has not sent starts over.
    pub(super) fn end(&self, number: u64) {
        let mut state = self.state.lock();
        let idle = state.wakes(number);
        let unsent = state.end(number);
        drop(state);
        drop(idle);
        for closed in unsent {
            closed.batch.land(Outcome::Again, &mut Vec::new());
        }
    }

    /// Hands out the answers to a batch that was sent. One that was late is told already, and answered all the
    /// same if somebody still waits for it.
    pub(super) fn land(&self, closed: Closed, outcome: Outcome, answers: &mut Vec<Option<Bytes>>) {
        if matches!(outcome, Outcome::Refused) {
            self.refused.store(true, Ordering::Relaxed);
        }
        let mut state = self.state.lock();
        if !closed.keys.are_a_command() {
            state.size.seen(answers);
        }
        let is_late = state
            .take_sent(&closed.batch)
            .is_none_or(|sent| sent.is_late);
        drop(state);
        let is_lost = matches!(outcome, Outcome::Failed(StoreError::Lost));
        if !is_late || !is_lost && closed.batch.has_readers() {
            self.judge(&outcome.answer());
        }
        closed.batch.land(outcome, answers);
        self.state.lock().keep(closed);
    }

    /// A reader has waited too long.
    pub(super) fn late(&self, join: &Join) {
        self.give_up(join.batch());
    }

    /// Nobody else waits for a batch that was not even sent.
    fn give_up(&self, batch: &Arc<Batch>) {
        batch.miss();
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

    /// One more tick of the deadline has passed, of which an operation lives through so many, and so many where
    /// somebody is told, whose caller may wait or not. Whether the next one has to come for those.
    pub(super) fn tick(&self, life: u32, patience: u32) -> bool {
        let mut state = self.state.lock();
        // Where nobody sends it, some reader or other would always have just joined it.
        state.close();
        let idle = state.current_waker();
        state.forget_late();
        let batches = state.unanswered();
        drop(state);
        idle.into_iter().for_each(Waker::wake);
        let mut goes_on = false;
        for batch in batches {
            let tells = batch.tells();
            let most = if tells == Some(true) { patience } else { life };
            if batch.tick() >= most {
                self.give_up(&batch);
            }
            goes_on |= tells.is_some();
        }
        goes_on
    }
}

//! The reads of a store, from the first one of a batch until its answer: who joins what, and when it is sent.
//!
//! Readers who get their answers together would go on together: the server idle while they work, and
//! all of them idle while it does. So a batch does not wait for all of those who are about, but is
//! sent when somewhat less than half of them have joined, and the server has it while the others come.
//! For the same reason an answer must not be large: a batch is sent, too, when as many bytes are to be
//! expected, by what the last answers were. Those of single keys are not known beforehand, and it is their
//! sum that counts.
//!
//! A server that is seen to [answer all batches at once](Pace) does not work meanwhile: there half of those who
//! are about are a batch.
//!
//! All of it is done under one lock, and what is to be woken or dropped is handed out: it may lock others.

use std::collections::VecDeque;
use std::mem::{replace, take};
use std::sync::Arc;
use std::task::Waker;

use super::super::packed::Packed;
use super::crowd::{Crowd, Pace, Size};
use super::keys::MOST;
use super::slots::{Batch, Closed, Join, Part};
use crate::store::Told;

/// How large an answer may be expected to be: a large one holds up all readers.
pub(super) const MOST_BYTES: usize = 64 * 1024;

/// How many batches are kept to be used again.
const SPARE: usize = 64;

#[derive(Default)]
pub(super) struct State {
    /// Whether one command may read keys of one slot only.
    pub(super) by_slot: bool,
    /// What others may be sent with: the one that readers join, and commands.
    pub(super) open: Vec<Closed>,
    /// What waits for nobody else.
    full: VecDeque<Closed>,
    /// What has no answer yet.
    sent: VecDeque<Sent>,
    /// How many readers have no answer yet.
    pub(super) waiting: usize,
    pub(super) crowd: Crowd,
    /// How many commands have none.
    pub(super) calls: usize,
    callers: Crowd,
    pub(super) size: Size,
    pub(super) pace: Pace,
    /// What was handed out lately.
    spare: VecDeque<Closed>,
    /// The number of the connection; 0: there is none.
    pub(super) current: u64,
    /// How many there were.
    pub(super) numbers: u64,
    /// Those who wait to be woken, the current one among them or not.
    idle: Vec<(u64, Waker)>,
    /// The current one does so until all who are ready have joined. It may be that somebody keeps the
    /// thread from it on which that would be noticed.
    pub(super) gathers: bool,
    /// How many batches there were.
    pub(super) begun: u64,
}

pub(super) struct Sent {
    batch: Arc<Batch>,
    part: Part,
    /// It counts as a failure already.
    pub(super) is_late: bool,
}

impl State {
    /// `None`: there is no connection.
    pub(super) fn join(&mut self, keys: &[&str], refused: bool, waker: &Waker) -> Option<Join> {
        self.enter()?;
        self.waiting += 1;
        Some(match refused || self.is_alone() {
            true => self.alone(keys, waker),
            false => self.together(keys, waker),
        })
    }

    /// The same for a command.
    pub(super) fn call(&mut self, command: &Packed, waker: &Waker) -> Option<Join> {
        self.enter()?;
        let mut closed = self.empty();
        let join = closed.call(command, waker);
        self.add(closed);
        Some(join)
    }

    /// The same for one whose caller need not wait.
    pub(super) fn tell(&mut self, command: &Packed, told: Arc<dyn Told>) -> Option<Join> {
        self.enter()?;
        let mut closed = self.empty();
        let join = closed.tell(command, told);
        self.add(closed);
        Some(join)
    }

    fn enter(&mut self) -> Option<()> {
        if self.current == 0 {
            self.begun += 1;
            return None;
        }
        Some(())
    }

    /// Nobody joins a command, but many are written together.
    fn add(&mut self, command: Closed) {
        self.calls += 1;
        if self.calls == 1 && self.callers.is_one() {
            return self.full.push_back(command);
        }
        self.open.push(command);
        if self.open.len() >= self.callers.enough(&self.pace) {
            self.close();
        }
    }

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
        let at = self.joined().unwrap_or_else(|| {
            let empty = self.empty();
            self.open.push(empty);
            self.open.len() - 1
        });
        let join = self.open[at].join(keys, waker);
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
        closed.keys.clear(self.by_slot);
        self.begun += 1;
        closed
    }

    pub(super) fn keep(&mut self, closed: Closed) {
        if self.spare.len() < SPARE {
            self.spare.push_back(closed);
        }
    }

    /// Where the one is that readers join.
    fn joined(&self) -> Option<usize> {
        self.open.iter().position(|open| open.keys.are_together())
    }

    fn open_keys(&self) -> usize {
        self.joined().map_or(0, |at| self.open[at].keys.count())
    }

    /// Whether nobody else is to be waited for.
    fn is_full(&self) -> bool {
        let readers = self.joined().map_or(0, |at| self.open[at].keys.readers());
        let keys = self.open_keys();
        let is_large = keys.saturating_mul(self.size.mean()) >= MOST_BYTES;
        keys >= MOST || is_large || readers >= self.crowd.enough(&self.pace)
    }

    pub(super) fn close(&mut self) {
        let reads = usize::from(self.joined().is_some());
        if reads > 0 {
            self.crowd.seen(self.waiting);
        }
        if self.open.len() > reads {
            self.callers.seen(self.calls);
        }
        self.full.extend(self.open.drain(..));
    }

    /// What is to be sent next.
    pub(super) fn send(&mut self) -> Option<Closed> {
        let closed = self.full.pop_front()?;
        self.sent.push_back(Sent {
            batch: Arc::clone(&closed.batch),
            part: closed.part(),
            is_late: false,
        });
        Some(closed)
    }

    /// Takes a batch away that was not sent; whether it is one.
    pub(super) fn take_unsent(&mut self, batch: &Arc<Batch>) -> bool {
        let is_it = |closed: &Closed| Arc::ptr_eq(&closed.batch, batch);
        let open = self.open.iter().position(is_it);
        let full = self.full.iter().position(is_it);
        let open = open.map(|at| self.open.remove(at));
        let taken = open.or_else(|| self.full.remove(full?));
        self.leave(taken.as_ref().map(Closed::part));
        taken.is_some()
    }

    /// The same for one that was.
    pub(super) fn take_sent(&mut self, batch: &Arc<Batch>) -> Option<Sent> {
        let is_it = |sent: &Sent| Arc::ptr_eq(&sent.batch, batch);
        let sent = self.sent.remove(self.sent.iter().position(is_it)?)?;
        self.leave(Some(sent.part));
        Some(sent)
    }

    fn leave(&mut self, parts: impl IntoIterator<Item = Part>) {
        for part in parts {
            match part {
                Part::Readers(count) => self.waiting -= count,
                Part::Command => self.calls -= 1,
            }
        }
    }

    /// Whether this is the first time that a batch which was sent is late.
    pub(super) fn is_late_now(&mut self, batch: &Arc<Batch>) -> bool {
        let mut sent = self.sent.iter_mut();
        let sent = sent.find(|sent| Arc::ptr_eq(&sent.batch, batch));
        sent.is_some_and(|sent| !replace(&mut sent.is_late, true))
    }

    /// Those that are late, and that nobody waits for any more.
    pub(super) fn forget_late(&mut self) {
        let is_over = |sent: &Sent| sent.is_late && !sent.batch.has_readers();
        let over: Vec<_> = self
            .sent
            .iter()
            .filter(|sent| is_over(sent))
            .map(|sent| sent.part)
            .collect();
        self.sent.retain(|sent| !is_over(sent));
        self.leave(over);
    }

    pub(super) fn unanswered(&self) -> Vec<Arc<Batch>> {
        let unsent = self.open.iter().chain(&self.full);
        let unsent = unsent.map(|closed| &closed.batch);
        let sent = self.sent.iter().map(|sent| &sent.batch);
        unsent.chain(sent).cloned().collect()
    }

    /// What a connection that has ended has not sent. One whose place another has taken leaves nothing.
    pub(super) fn end(&mut self, number: u64) -> VecDeque<Closed> {
        if self.current != number {
            return VecDeque::new();
        }
        self.current = 0;
        self.close();
        let unsent = take(&mut self.full);
        self.leave(unsent.iter().map(Closed::part));
        unsent
    }

    /// The waker of the current connection, if it has to look what there is to send.
    pub(super) fn current_waker(&mut self) -> Option<Waker> {
        match self.gathers && self.full.is_empty() {
            true => None,
            false => self.wakes(self.current),
        }
    }

    /// The connection of this number waits; its waker of before.
    pub(super) fn wait(&mut self, number: u64, waker: &Waker) -> Option<Waker> {
        let before = self.wakes(number);
        self.idle.push((number, waker.clone()));
        before
    }

    /// The waker of a connection, if it waits.
    pub(super) fn wakes(&mut self, number: u64) -> Option<Waker> {
        let at = self.idle.iter().position(|(of, _)| *of == number)?;
        Some(self.idle.swap_remove(at).1)
    }
}

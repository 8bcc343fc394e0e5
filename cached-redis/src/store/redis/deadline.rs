//! One deadline per operation, over queueing and answer, for a fraction of a timer's cost.
//!
//! A timer of its own is a quarter of what a hit costs the client, and all but never fires. Here time
//! comes in coarse ticks, eight to a deadline. An operation waits for the next tick in a list without
//! allocation, of which each thread has its own, since one for all would cost more than the timer, and is
//! given up at the ninth. So it is given up after one deadline to nine eighths of it, and never before.
//! Readers of a [batch](super::batch) count the same ticks, but wait for them where they wait for their
//! answers.
//!
//! Ticks that pass while its runtime is starved, or the process is stopped, count as one, since what it
//! waits for had no chance to arrive. A deadline below 8 ms has ticks of 1 ms.
//!
//! Ticks come from a thread and not from a task, because a deadline has to hold whatever becomes of a
//! runtime: the one that the connection lives on may have ended, or be driven by nobody, while callers in
//! another one wait. The thread sleeps while there are no operations: each leaves a mark when it begins and
//! at each tick that it lives through, the thread takes the mark away after each tick, and it goes to sleep
//! when it finds none.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Poll, ready};
use std::thread::{self, Thread};
use std::time::Duration;

use tokio::sync::Notify;

use super::batch::Batches;
use crate::error::StoreError;
use crate::store::Answer;
use crate::store::stats::Measured;
use crate::util::liveness::PATIENCE;
use crate::util::lock::Mutex;
use crate::util::thread::number;

const PARTS: u32 = 8;
const SHORTEST_TICK: Duration = Duration::from_millis(1);
/// Threads beyond this number share lists.
const LISTS: usize = 16;

/// That of all connections of a store. Dropped, it ends its thread.
pub(super) struct Deadline {
    ticks: Arc<Ticks>,
    /// How long operations took.
    pub(super) measured: Measured,
}

impl Deadline {
    /// Starts the thread.
    pub(super) fn new(deadline: Duration) -> io::Result<Self> {
        let tick = (deadline / PARTS).max(SHORTEST_TICK);
        let ticks = Arc::new(Ticks::new(deadline, tick));
        let given = Arc::clone(&ticks);
        let thread = thread::Builder::new().name("cached-redis".to_owned());
        let giver = thread.spawn(move || given.give(tick))?;
        // It is the first.
        let _ = ticks.giver.set(giver.thread().clone());
        Ok(Self {
            ticks,
            measured: Measured::default(),
        })
    }

    /// What `operation` answers, or that it took too long. Taken where it is: an async function keeps
    /// two places for a future that is handed to it, and those of commands are large.
    pub(super) async fn limit<F: Future>(&self, operation: Pin<&mut F>) -> Answer<F::Output> {
        self.within(&mut self.age(), operation).await
    }

    /// The same for one that goes on with what is as old as that.
    pub(super) fn within<F: Future>(
        &self,
        age: &mut Age<'_>,
        operation: Pin<&mut F>,
    ) -> impl Future<Output = Answer<F::Output>> {
        self.ticks.limit(age, operation)
    }

    /// What is sent together has it, too, until it is dropped.
    pub(super) fn bounds(&self, batches: &Arc<Batches>) {
        self.ticks.batches.lock().push(Arc::downgrade(batches));
    }

    #[cfg(test)]
    pub(super) fn is_asleep(&self) -> bool {
        self.ticks.mark.load(Ordering::SeqCst) == ASLEEP
    }

    /// The same of what was sent before, and is told.
    pub(super) fn begin(&self) -> Lived {
        self.ticks.begin()
    }

    /// As of an [age](Age::is_too_great).
    pub(super) fn is_too_long(&self, lived: &mut Lived) -> bool {
        self.ticks.is_too_long(lived)
    }

    /// The age of a read that has just begun.
    pub(super) fn age(&self) -> Age<'_> {
        self.ticks.age()
    }
}

/// How many ticks an operation has lived through.
pub(super) struct Age<'a> {
    ticks: &'a Ticks,
    lived: Lived,
}

/// The same of one that waits somewhere else.
pub(super) struct Lived {
    seen: u32,
    count: u32,
}

impl Age<'_> {
    /// Keeps ticks coming for whoever waits for one from now on.
    pub(super) fn leave_mark(&self) {
        self.ticks.leave_mark();
    }

    /// To be asked whenever it is polled: whether that is too long.
    pub(super) fn is_too_great(&mut self) -> bool {
        self.ticks.is_too_long(&mut self.lived)
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        self.ticks.ended.store(true, Ordering::SeqCst);
        self.ticks.wake();
    }
}

// What is known about operations since the last tick.
const ASLEEP: u8 = 0;
const NONE: u8 = 1;
const SOME: u8 = 2;

struct Ticks {
    mark: AtomicU8,
    ended: AtomicBool,
    /// The thread, once it has started.
    giver: OnceLock<Thread>,
    lists: Box<[List; LISTS]>,
    batches: Mutex<Vec<Weak<Batches>>>,
    /// How many there were.
    count: AtomicU32,
    /// How many of them an operation may last.
    life: u32,
    /// The same where its caller may be driven by nobody.
    patience: u32,
}

/// Alone on its cache line, away from those of other threads.
#[repr(align(64))]
struct List(Notify);

impl Ticks {
    fn new(deadline: Duration, tick: Duration) -> Self {
        // One more, since an operation may begin at the very end of a tick.
        let ticks = |time: Duration| time.as_nanos().div_ceil(tick.as_nanos()) as u32 + 1;
        Self {
            mark: AtomicU8::new(NONE),
            ended: AtomicBool::new(false),
            giver: OnceLock::new(),
            lists: Box::new([const { List(Notify::const_new()) }; LISTS]),
            batches: Mutex::default(),
            count: AtomicU32::new(0),
            life: ticks(deadline),
            patience: ticks(deadline.max(PATIENCE)),
        }
    }

    fn age(&self) -> Age<'_> {
        Age {
            lived: self.begin(),
            ticks: self,
        }
    }

    fn begin(&self) -> Lived {
        self.leave_mark();
        Lived {
            seen: self.count.load(Ordering::Relaxed),
            count: 0,
        }
    }

    fn is_too_long(&self, lived: &mut Lived) -> bool {
        let count = self.count.load(Ordering::Relaxed);
        if lived.seen != count {
            lived.seen = count;
            lived.count += 1;
            self.leave_mark();
        }
        lived.count >= self.life
    }

    async fn limit<F: Future>(
        &self,
        age: &mut Age<'_>,
        mut operation: Pin<&mut F>,
    ) -> Answer<F::Output> {
        let List(list) = &self.lists[number() % LISTS];
        let mut next = pin!(list.notified());
        // After that, so that the tick which the thread gives before it goes to sleep is not missed.
        age.leave_mark();
        poll_fn(|context| {
            if let Poll::Ready(answer) = operation.as_mut().poll(context) {
                return Poll::Ready(Ok(answer));
            }
            while !age.is_too_great() {
                ready!(next.as_mut().poll(context));
                next.set(list.notified());
            }
            Poll::Ready(Err(StoreError::Timeout))
        })
        .await
    }

    /// Nearly always one load: the mark is taken away only once a tick.
    fn leave_mark(&self) {
        if self.mark.load(Ordering::Relaxed) != SOME
            && self.mark.swap(SOME, Ordering::SeqCst) == ASLEEP
        {
            self.wake();
        }
    }

    fn wake(&self) {
        if let Some(giver) = self.giver.get() {
            giver.unpark();
        }
    }

    /// The thread.
    fn give(&self, tick: Duration) {
        while !self.ended.load(Ordering::SeqCst) {
            thread::sleep(tick);
            let goes_on = self.tick();
            if !self.take_mark() && !goes_on && self.falls_asleep() {
                self.sleep();
            }
        }
    }

    /// Until an operation has left a mark.
    fn sleep(&self) {
        while self.mark.load(Ordering::SeqCst) == ASLEEP && !self.ended.load(Ordering::SeqCst) {
            thread::park();
        }
    }

    fn take_mark(&self) -> bool {
        self.mark.swap(NONE, Ordering::SeqCst) == SOME
    }

    fn falls_asleep(&self) -> bool {
        let (order, failed) = (Ordering::SeqCst, Ordering::SeqCst);
        self.mark
            .compare_exchange(NONE, ASLEEP, order, failed)
            .is_ok()
    }

    /// Whether the next one has to come.
    fn tick(&self) -> bool {
        self.count.fetch_add(1, Ordering::Relaxed);
        for List(list) in &*self.lists {
            list.notify_waiters();
        }
        let tick = |batches: Arc<Batches>| batches.tick(self.life, self.patience);
        let going_on = self
            .batches()
            .into_iter()
            .map(tick)
            .filter(|goes_on| *goes_on);
        going_on.count() > 0
    }

    fn batches(&self) -> Vec<Arc<Batches>> {
        let mut all = self.batches.lock();
        all.retain(|batches| batches.strong_count() > 0);
        all.iter().filter_map(Weak::upgrade).collect()
    }
}

#[cfg(test)]
mod tests;

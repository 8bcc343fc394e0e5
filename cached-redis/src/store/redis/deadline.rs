//! One deadline per operation, over queueing and answer, for a fraction of a timer's cost.
//!
//! A timer of its own is a quarter of what a hit costs the client, and all but never fires. Here time
//! comes in coarse ticks, eight to a deadline. An operation notes the tick it began in and waits in
//! that tick's slot of a ring, in a list without allocation, of which each thread has its own, since
//! one for all would cost more than the timer; nine ticks later the slot is woken. So
//! an operation is given up after one deadline to nine eighths of it, plus what the thread that ticks
//! is late (a late tick counts as one, also if the process was stopped), and never before. A deadline
//! below 8 ms has ticks of 1 ms.
//!
//! That is a thread and no task, because a deadline has to hold whatever becomes of a runtime: the one
//! that the connection lives on may have ended, or be driven by nobody, while callers in another one
//! wait. It sleeps while there are no operations. It cannot miss one: every operation leaves a mark, the
//! thread takes the mark away at each tick, and it goes to sleep only when it has found no mark for
//! longer than an operation can last.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::task::{Poll, ready};
use std::thread::{self, Thread};
use std::time::Duration;

use tokio::sync::Notify;

use crate::error::StoreError;
use crate::thread::number;

const PARTS: u32 = 8;
const SHORTEST_TICK: Duration = Duration::from_millis(1);
/// More slots than ticks in the longest life, so that no two generations share one.
const SLOTS: usize = 16;
/// Threads beyond this number share lists.
const LISTS: usize = 16;

/// Dropped, it ends its thread.
pub(super) struct Deadline {
    wheel: Arc<Wheel>,
    ticker: Thread,
}

impl Deadline {
    /// Starts the thread.
    pub(super) fn new(deadline: Duration) -> io::Result<Self> {
        let tick = (deadline / PARTS).max(SHORTEST_TICK);
        let wheel = Arc::new(Wheel::new(deadline, tick));
        let turning = Arc::clone(&wheel);
        let ticker = thread::Builder::new()
            .name("cached-redis".to_owned())
            .spawn(move || turning.turn(tick))?;
        Ok(Self {
            wheel,
            ticker: ticker.thread().clone(),
        })
    }

    /// What `operation` answers, or that it took too long. Taken where it is: an async function keeps
    /// two places for a future that is handed to it, and those of commands are large.
    pub(super) async fn limit<F: Future>(
        &self,
        operation: Pin<&mut F>,
    ) -> Result<F::Output, StoreError> {
        if self.wheel.leave_mark() {
            self.ticker.unpark();
        }
        self.wheel.limit(operation).await
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        self.wheel.ended.store(true, Ordering::SeqCst);
        self.ticker.unpark();
    }
}

// What is known about operations since the last tick.
const ASLEEP: u8 = 0;
const NONE: u8 = 1;
const SOME: u8 = 2;

struct Wheel {
    now: AtomicU64,
    mark: AtomicU8,
    ended: AtomicBool,
    slots: Box<[[List; LISTS]; SLOTS]>,
    life: u64,
}

/// Alone on its cache line, away from those of other threads.
#[repr(align(64))]
struct List(Notify);

impl Wheel {
    fn new(deadline: Duration, tick: Duration) -> Self {
        Self {
            now: AtomicU64::new(0),
            mark: AtomicU8::new(NONE),
            ended: AtomicBool::new(false),
            slots: Box::new([const { [const { List(Notify::const_new()) }; LISTS] }; SLOTS]),
            // One more, since an operation may begin at the very end of a tick.
            life: deadline.as_nanos().div_ceil(tick.as_nanos()) as u64 + 1,
        }
    }

    async fn limit<F: Future>(&self, mut operation: Pin<&mut F>) -> Result<F::Output, StoreError> {
        let began = self.now.load(Ordering::SeqCst);
        let List(list) = &self.slots[began as usize % SLOTS][number() % LISTS];
        let mut alarm = pin!(list.notified());
        poll_fn(|context| {
            if let Poll::Ready(answer) = operation.as_mut().poll(context) {
                return Poll::Ready(Ok(answer));
            }
            // The alarm exists before the clock is read, so a tick in between is not lost.
            while self.now.load(Ordering::SeqCst) < began + self.life {
                ready!(alarm.as_mut().poll(context));
                alarm.set(list.notified());
            }
            Poll::Ready(Err(StoreError::Timeout))
        })
        .await
    }

    /// `true`: the thread is asleep. Nearly always one load: the mark is taken away only once a tick.
    fn leave_mark(&self) -> bool {
        self.mark.load(Ordering::Relaxed) != SOME
            && self.mark.swap(SOME, Ordering::SeqCst) == ASLEEP
    }

    /// The thread.
    fn turn(&self, tick: Duration) {
        let mut quiet = 0;
        while !self.ended.load(Ordering::SeqCst) {
            if self.falls_asleep(quiet) {
                self.sleep();
                quiet = 0;
            }
            thread::sleep(tick);
            self.advance();
            quiet = if self.take_mark() { 0 } else { quiet + 1 };
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

    fn falls_asleep(&self, quiet: u64) -> bool {
        let (order, failed) = (Ordering::SeqCst, Ordering::SeqCst);
        quiet > self.life
            && self
                .mark
                .compare_exchange(NONE, ASLEEP, order, failed)
                .is_ok()
    }

    fn advance(&self) {
        let now = self.now.load(Ordering::SeqCst) + 1;
        self.now.store(now, Ordering::SeqCst);
        if let Some(due) = now.checked_sub(self.life) {
            for List(list) in &self.slots[due as usize % SLOTS] {
                list.notify_waiters();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::task::{Context, Waker};
    use std::time::Instant;

    use super::*;

    const DEADLINES_MS: [u64; 5] = [1, 5, 8, 100, 5000];

    /// A wheel that the test turns, and how long its ticks are meant to be.
    fn wheel(deadline: Duration) -> (Wheel, Duration) {
        let tick = (deadline / PARTS).max(SHORTEST_TICK);
        (Wheel::new(deadline, tick), tick)
    }

    fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn an_operation_ends_between_one_deadline_and_nine_eighths_of_it() {
        for ms in DEADLINES_MS {
            let deadline = Duration::from_millis(ms);
            let (wheel, tick) = wheel(deadline);
            // Those that begin at any later tick as well: the ring comes round.
            for _ in 0..3 * SLOTS {
                let mut late = pin!(async { wheel.limit(pin!(pending::<()>())).await });
                let mut ticks = 0;
                while poll(late.as_mut()).is_pending() {
                    wheel.advance();
                    ticks += 1;
                }
                // It may have begun at the very end of the first.
                let (least, most) = (tick * (ticks - 1), tick * ticks);
                assert!(least >= deadline && most <= deadline * 9 / 8 + 2 * SHORTEST_TICK);
            }
        }
    }

    #[test]
    fn an_answer_in_time_is_passed_on() {
        let (wheel, _) = wheel(Duration::from_millis(80));
        let answered = AtomicBool::new(false);
        let answer = poll_fn(|_| match answered.load(Ordering::SeqCst) {
            true => Poll::Ready(7),
            false => Poll::Pending,
        });
        let mut answer = pin!(answer);
        let mut limited = pin!(wheel.limit(answer.as_mut()));
        for _ in 0..PARTS {
            assert!(poll(limited.as_mut()).is_pending());
            wheel.advance();
        }
        answered.store(true, Ordering::SeqCst);
        assert_eq!(poll(limited.as_mut()), Poll::Ready(Ok(7)));
    }

    #[tokio::test]
    async fn a_deadline_holds_again_after_a_time_without_operations() {
        let limit = Deadline::new(Duration::from_millis(8)).unwrap();
        for _ in 0..3 {
            let late = limit.limit(pin!(pending::<()>())).await;
            assert_eq!(late, Err(StoreError::Timeout));
            assert_eq!(limit.limit(pin!(ready(7))).await, Ok(7));
            while limit.wheel.mark.load(Ordering::SeqCst) != ASLEEP {
                tokio::task::yield_now().await;
            }
            let now = limit.wheel.now.load(Ordering::SeqCst);
            assert_eq!(limit.wheel.mark.load(Ordering::SeqCst), ASLEEP);
            assert_eq!(
                limit.wheel.now.load(Ordering::SeqCst),
                now,
                "it stands still"
            );
        }
    }

    #[test]
    fn a_deadline_holds_where_no_runtime_is_driven() {
        let limit = Deadline::new(Duration::from_millis(8)).unwrap();
        let mut late = pin!(async { limit.limit(pin!(pending::<()>())).await });
        let began = Instant::now();
        while poll(late.as_mut()).is_pending() {
            thread::yield_now();
        }
        assert!(began.elapsed() >= Duration::from_millis(8));
    }

    #[test]
    fn its_thread_ends_with_it() {
        let limit = Deadline::new(Duration::from_millis(8)).unwrap();
        let wheel = Arc::downgrade(&limit.wheel);
        drop(limit);
        while wheel.strong_count() > 0 {
            thread::yield_now();
        }
    }
}

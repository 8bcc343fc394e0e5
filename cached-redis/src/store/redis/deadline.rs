//! One deadline per operation, over queueing and answer, for a fraction of a timer's cost.
//!
//! A timer of its own is a quarter of what a hit costs the client, and all but never fires. Here time
//! comes in coarse ticks, eight to a deadline. An operation notes the tick it began in and waits in
//! that tick's slot of a ring, in a list without allocation, of which each thread has its own, since
//! one for all would cost more than the timer; nine ticks later the slot is woken. So
//! an operation is given up after one deadline to nine eighths of it, plus what the runtime's timers
//! are late (about a millisecond a tick, more if the runtime is starved or the process was stopped:
//! a late tick counts as one), and never before. A deadline below 8 ms has ticks of 1 ms.
//!
//! The task that ticks sleeps while there are no operations. It cannot miss one: every operation
//! leaves a mark, the task takes the mark away at each tick, and it goes to sleep only when it has
//! found no mark for longer than an operation can last.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::task::{Poll, ready};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

use crate::background::Background;
use crate::error::StoreError;
use crate::thread;

const PARTS: u32 = 8;
const SHORTEST_TICK: Duration = Duration::from_millis(1);
/// More slots than ticks in the longest life, so that no two generations share one.
const SLOTS: usize = 16;
/// Threads beyond this number share lists.
const LISTS: usize = 16;

pub(super) struct Deadline {
    wheel: Arc<Wheel>,
    _ticker: Background,
}

impl Deadline {
    pub(super) fn new(deadline: Duration) -> Self {
        let tick = (deadline / PARTS).max(SHORTEST_TICK);
        let wheel = Arc::new(Wheel {
            now: AtomicU64::new(0),
            mark: AtomicU8::new(ASLEEP),
            wake: Notify::new(),
            slots: Box::new([const { [const { List(Notify::const_new()) }; LISTS] }; SLOTS]),
            // One more, since an operation may begin at the very end of a tick.
            life: deadline.as_nanos().div_ceil(tick.as_nanos()) as u64 + 1,
        });
        let _ticker = Background(tokio::spawn(wheel.clone().turn(tick)));
        Self { wheel, _ticker }
    }

    /// What `operation` answers, or that it took too long. Taken where it is: an async function keeps
    /// two places for a future that is handed to it, and those of commands are large.
    pub(super) async fn limit<F: Future>(
        &self,
        mut operation: Pin<&mut F>,
    ) -> Result<F::Output, StoreError> {
        let wheel = &*self.wheel;
        wheel.leave_mark();
        let began = wheel.now.load(Ordering::SeqCst);
        let List(list) = &wheel.slots[began as usize % SLOTS][thread::number() % LISTS];
        let mut alarm = pin!(list.notified());
        poll_fn(|context| {
            if let Poll::Ready(answer) = operation.as_mut().poll(context) {
                return Poll::Ready(Ok(answer));
            }
            // The alarm exists before the clock is read, so a tick in between is not lost.
            while wheel.now.load(Ordering::SeqCst) < began + wheel.life {
                ready!(alarm.as_mut().poll(context));
                alarm.set(list.notified());
            }
            Poll::Ready(Err(StoreError::Timeout))
        })
        .await
    }
}

// What is known about operations since the last tick.
const ASLEEP: u8 = 0;
const NONE: u8 = 1;
const SOME: u8 = 2;

struct Wheel {
    now: AtomicU64,
    mark: AtomicU8,
    wake: Notify,
    slots: Box<[[List; LISTS]; SLOTS]>,
    life: u64,
}

/// Alone on its cache line, away from those of other threads.
#[repr(align(64))]
struct List(Notify);

impl Wheel {
    /// Nearly always one load: the mark is taken away only once a tick.
    fn leave_mark(&self) {
        if self.mark.load(Ordering::Relaxed) != SOME
            && self.mark.swap(SOME, Ordering::SeqCst) == ASLEEP
        {
            self.wake.notify_one();
        }
    }

    async fn turn(self: Arc<Self>, tick: Duration) {
        loop {
            self.wake.notified().await;
            let mut quiet = 0;
            while !self.falls_asleep(quiet) {
                sleep(tick).await;
                self.advance();
                quiet = if self.take_mark() { 0 } else { quiet + 1 };
            }
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
    use std::future::pending;

    use tokio::time::Instant;

    use super::*;

    async fn expires_in(deadline: Duration, wait: Duration) -> Duration {
        let limit = Deadline::new(deadline);
        tokio::time::sleep(wait).await;
        let started = Instant::now();
        let late = limit.limit(pin!(pending::<()>())).await;
        assert_eq!(late, Err(StoreError::Timeout));
        started.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn an_operation_ends_between_one_deadline_and_nine_eighths_of_it() {
        for ms in [1, 5, 8, 100, 5000] {
            let deadline = Duration::from_millis(ms);
            let took = expires_in(deadline, Duration::from_millis(3)).await;
            let most = deadline * 9 / 8 + Duration::from_millis(12);
            assert!(
                (deadline..=most).contains(&took),
                "{took:?} of {deadline:?}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn operations_that_begin_at_any_time_are_all_given_up() {
        let limit = Arc::new(Deadline::new(Duration::from_millis(80)));
        let mut all = Vec::new();
        for _ in 0..500 {
            let limit = limit.clone();
            all.push(tokio::spawn(async move {
                let started = Instant::now();
                let _ = limit.limit(pin!(pending::<()>())).await;
                started.elapsed().as_millis()
            }));
            tokio::time::sleep(Duration::from_millis(fastrand::u64(0..300))).await;
        }
        for one in all {
            let took = one.await.unwrap();
            assert!((80..=100).contains(&took), "{took}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_in_time_is_passed_on() {
        let limit = Deadline::new(Duration::from_millis(80));
        for _ in 0..50 {
            let answer = async {
                sleep(Duration::from_millis(70)).await;
                7
            };
            assert_eq!(limit.limit(pin!(answer)).await, Ok(7));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_ticks_stop_when_there_is_nothing_to_time() {
        let limit = Deadline::new(Duration::from_millis(80));
        assert_eq!(limit.limit(pin!(async { 7 })).await, Ok(7));
        sleep(Duration::from_secs(10)).await;
        let now = limit.wheel.now.load(Ordering::SeqCst);
        sleep(Duration::from_secs(10)).await;
        assert_eq!(limit.wheel.now.load(Ordering::SeqCst), now);
    }
}

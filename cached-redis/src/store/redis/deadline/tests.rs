use std::future::{pending, ready};
use std::task::{Context, Waker};
use std::time::Instant;

use super::*;

const DEADLINES_MS: [u64; 5] = [1, 5, 8, 100, 5000];

/// Ticks that the test gives, and how long each is meant to be.
fn ticks(deadline: Duration) -> (Ticks, Duration) {
    let tick = (deadline / PARTS).max(SHORTEST_TICK);
    (Ticks::new(deadline, tick), tick)
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn an_operation_ends_between_one_deadline_and_nine_eighths_of_it() {
    for ms in DEADLINES_MS {
        let deadline = Duration::from_millis(ms);
        let (ticks, tick) = ticks(deadline);
        let mut late = pin!(async { ticks.limit(&mut ticks.age(), pin!(pending::<()>())).await });
        let mut lived = 0;
        while poll(late.as_mut()).is_pending() {
            ticks.tick();
            lived += 1;
        }
        // It may have begun at the very end of the first.
        let (least, most) = (tick * (lived - 1), tick * lived);
        assert!(least >= deadline && most <= deadline * 9 / 8 + 2 * SHORTEST_TICK);
    }
}

#[test]
fn an_answer_in_time_is_passed_on() {
    let (ticks, _) = ticks(Duration::from_millis(80));
    let answered = AtomicBool::new(false);
    let answer = poll_fn(|_| match answered.load(Ordering::SeqCst) {
        true => Poll::Ready(7),
        false => Poll::Pending,
    });
    let mut answer = pin!(answer);
    let mut age = ticks.age();
    let mut limited = pin!(ticks.limit(&mut age, answer.as_mut()));
    for _ in 0..PARTS {
        assert!(poll(limited.as_mut()).is_pending());
        ticks.tick();
    }
    answered.store(true, Ordering::SeqCst);
    assert_eq!(poll(limited.as_mut()), Poll::Ready(Ok(7)));
}

#[test]
fn while_its_runtime_is_starved_an_operation_does_not_grow_old() {
    let (ticks, _) = ticks(Duration::from_millis(80));
    let mut late = pin!(async { ticks.limit(&mut ticks.age(), pin!(pending::<()>())).await });
    for _ in 0..PARTS {
        assert!(poll(late.as_mut()).is_pending());
        (0..100).for_each(|_| _ = ticks.tick());
    }
    assert!(poll(late.as_mut()).is_pending());
}

#[tokio::test]
async fn a_deadline_holds_again_after_a_time_without_operations() {
    let limit = Deadline::new(Duration::from_millis(8)).unwrap();
    for _ in 0..3 {
        let late = limit.limit(pin!(pending::<()>())).await;
        assert_eq!(late, Err(StoreError::Timeout));
        assert_eq!(limit.limit(pin!(ready(7))).await, Ok(7));
        while !limit.is_asleep() {
            tokio::task::yield_now().await;
        }
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
    let ticks = Arc::downgrade(&limit.ticks);
    drop(limit);
    while ticks.strong_count() > 0 {
        thread::yield_now();
    }
}

//! Waiting for things without guessing how long they take.
//!
//! Every wait is for a condition. The bound only turns a hang into a failure, so it is generous:
//! a slow machine must not fail a test.

use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use cached_redis::{CacheInfo, Status};

const BOUND: Duration = Duration::from_secs(60);

/// Between two looks, the longer the more there were.
const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_millis(10);

/// Looks again and again until `condition` holds.
pub(crate) async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !condition().await {
        let waited = began.elapsed();
        assert!(waited < BOUND, "still waiting for: {what}");
        // What is asked may cost more than all that is waited for.
        tokio::time::sleep((waited / 10).clamp(SHORTEST, LONGEST)).await;
    }
}

/// Reads again and again until an answer is past its TTL.
pub(crate) async fn until_stale<T>(
    mut read: impl AsyncFnMut() -> (T, CacheInfo),
) -> (T, CacheInfo) {
    let until = Instant::now() + BOUND;
    loop {
        let (value, info) = read().await;
        if info.status() == Status::Stale {
            return (value, info);
        }
        assert!(Instant::now() < until, "no stale answer, but {info:?}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// The output of `future`, which must not hang.
pub(crate) async fn in_time<F: Future>(future: F) -> F::Output {
    let output = tokio::time::timeout(BOUND, future).await;
    output.expect("it ends, however long it takes")
}

/// Polls once, as a caller does that is dropped right afterwards.
pub(crate) fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Drives `future` for so many polls and then drops it; its output if it ended before.
pub(crate) async fn after_polls<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

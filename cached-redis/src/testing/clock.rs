//! Tokio's paused clock, moved without overtaking anybody.
//!
//! A cache does part of its work in tasks of its own: it stores results, renews leases, replays
//! invalidations. `tokio::time::advance` moves the clock in one jump, before those tasks have had a
//! turn: a result is then stored after the time in which it should have expired. A sleep does not, since
//! a paused clock moves only when every task waits, and never past a timer.

use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::{advance, sleep};

/// More turns than any chain of tasks that wake one another needs.
const TURNS: usize = 500;

/// The paused clock of a test: it stands still until the test moves it, or until there is nothing
/// left to do but to wait.
///
/// For caches in memory, whose leases, lives of entries and pauses all go by this clock. Beside
/// a real Redis a clock that runs ahead of the network is of no use.
///
/// ```
/// use std::time::Duration;
/// use cached_redis::testing::{HeldClock, Recorded, Recorder};
/// use cached_redis::{Cache, redis_cached};
///
/// #[redis_cached(key = "rate:<currency>", ttl = "1m")]
/// async fn rate(currency: &str) -> f64 {
///     1.1
/// }
///
/// # /*
/// #[tokio::test(start_paused = true)]
/// # */
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// async fn a_rate_is_asked_for_again_after_a_minute() {
///     let (clock, recorder) = (HeldClock::new(), Recorder::new());
///     let builder = Cache::builder().url("memory://").jitter(0.0);
///     let cache = builder.recorder(recorder.clone()).build().await.unwrap();
///     cache.scope(rate("EUR")).await;
///     clock.advance(Duration::from_secs(59)).await;
///     cache.scope(rate("EUR")).await;
///     assert_eq!(recorder.count(Recorded::Hit), 1);
///     clock.advance(Duration::from_secs(1)).await;
///     cache.scope(rate("EUR")).await;
///     assert_eq!(recorder.count(Recorded::Miss), 2);
/// }
/// # a_rate_is_asked_for_again_after_a_minute();
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct HeldClock;

impl HeldClock {
    /// The clock of this test, which has begun under `#[tokio::test(start_paused = true)]` or has
    /// called `tokio::time::pause`.
    #[must_use]
    pub fn new() -> Self {
        Self
    }

    /// Lets `duration` pass: first every task runs until all wait, then each timer that comes due
    /// meanwhile fires in its turn, and in the end the tasks run again as in [`settle`](Self::settle).
    ///
    /// # Panics
    ///
    /// When the clock is not paused; by Tokio.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the clock stands at the last timer that fired.
    pub async fn advance(&self, duration: Duration) {
        // Nothing moves; a clock that runs is refused, where a sleep would take its time.
        advance(Duration::ZERO).await;
        sleep(duration).await;
        self.settle().await;
    }

    /// Lets the other tasks run until all of them wait, while the clock stands still: results are
    /// stored, and what was dropped is released.
    ///
    /// Tasks that only ever yield, such as one that spins, get 500 turns.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn settle(&self) {
        for _ in 0..TURNS {
            yield_now().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// Passes a token through a chain of tasks, and then starts a timer.
    fn chain(length: u64, timer: Duration) -> Arc<AtomicU64> {
        let done = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&done);
        tokio::spawn(async move {
            for _ in 0..length {
                let count = Arc::clone(&count);
                let link = tokio::spawn(async move { count.fetch_add(1, Ordering::Relaxed) });
                link.await.unwrap();
            }
            sleep(timer).await;
            count.fetch_add(1, Ordering::Relaxed);
        });
        done
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_under_way_comes_before_the_clock_moves() {
        let done = chain(50, Duration::from_secs(1));
        HeldClock::new().advance(Duration::from_secs(1)).await;
        assert_eq!(done.load(Ordering::Relaxed), 51, "the timer began at 0 s");
    }

    #[tokio::test(start_paused = true)]
    async fn settling_moves_no_clock() {
        let begun = tokio::time::Instant::now();
        let done = chain(50, Duration::from_millis(1));
        HeldClock::new().settle().await;
        assert_eq!(done.load(Ordering::Relaxed), 50);
        assert!(begun.elapsed().is_zero());
    }

    #[tokio::test]
    #[should_panic(expected = "frozen")]
    async fn a_clock_that_runs_is_refused() {
        HeldClock::new().advance(Duration::from_secs(1)).await;
    }
}

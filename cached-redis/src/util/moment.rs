//! A clock for what may be served for so long and no longer: it never goes back, is asked anew each time, and
//! runs on while the machine sleeps, as far as the system has such a clock.

use std::time::Duration;

/// A moment by that clock, in ns since a beginning that is the same in the whole process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Moment(pub(crate) u64);

impl Moment {
    #[inline]
    pub(crate) fn now() -> Self {
        Self(elapsed())
    }

    pub(crate) fn elapsed(self) -> Duration {
        Self::now().since(self)
    }

    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.ns_since(earlier))
    }

    #[inline]
    pub(crate) fn ns_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A length of time in ns; what is longer than 584 years is as long as that.
#[inline]
pub(crate) fn ns(time: Duration) -> u64 {
    let whole = time.as_secs().saturating_mul(1_000_000_000);
    whole.saturating_add(time.subsec_nanos().into())
}

/// Tokio's clock, which tests can hold.
#[cfg(feature = "testing")]
fn elapsed() -> u64 {
    use std::sync::LazyLock;

    use tokio::time::Instant;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    // Before the clock of any test that is held: whoever asks first may have moved its own far ahead.
    static BEGINNING: LazyLock<Instant> = LazyLock::new(|| {
        let now = std::time::Instant::now();
        Instant::from_std(now.checked_sub(DAY).unwrap_or(now))
    });
    ns(BEGINNING.elapsed())
}

#[cfg(all(unix, not(feature = "testing")))]
use suspended as elapsed;

/// Apple's monotonic clock counts sleep, Linux has another one for that.
#[cfg(all(unix, any(test, not(feature = "testing"))))]
#[inline]
fn suspended() -> u64 {
    use rustix::time::{ClockId, clock_gettime};

    #[cfg(any(target_os = "android", target_os = "linux"))]
    const CLOCK: ClockId = ClockId::Boottime;
    #[cfg(not(any(target_os = "android", target_os = "linux")))]
    const CLOCK: ClockId = ClockId::Monotonic;
    let time = clock_gettime(CLOCK);
    // It is negative on no system.
    (time.tv_sec as u64).wrapping_mul(1_000_000_000) + time.tv_nsec as u64
}

#[cfg(not(any(unix, feature = "testing")))]
fn elapsed() -> u64 {
    use std::sync::LazyLock;
    use std::time::Instant;

    static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);
    ns(BEGINNING.elapsed())
}

#[cfg(test)]
mod tests {
    #[cfg(unix)]
    #[test]
    fn the_clock_of_the_system_goes_on() {
        let first = super::suspended();
        std::thread::sleep(std::time::Duration::from_millis(1));
        assert!(super::suspended() > first && first > 0);
    }

    #[cfg(feature = "testing")]
    #[tokio::test(start_paused = true)]
    async fn a_held_clock_holds_moments_too() {
        use std::time::Duration;

        use super::Moment;

        let begun = Moment::now();
        assert_eq!(Moment::now(), begun);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(Moment::now().since(begun), Duration::from_secs(1));
    }
}

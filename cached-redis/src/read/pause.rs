//! The pauses between two looks at a lease of another process.

use std::time::Duration;

/// The first one, and the bounds of the last: an eighth of the mean load time, or 8 ms while that is unknown.
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const PAUSES: (Duration, Duration) = (Duration::from_millis(4), Duration::from_millis(32));
const UNKNOWN_PAUSE: Duration = Duration::from_millis(8);

/// Doubling up to a cap, each with a jitter of a half.
pub(crate) struct Pause {
    next: Duration,
    cap: Duration,
}

impl Pause {
    pub(crate) fn new(mean_load: Option<Duration>) -> Self {
        let cap = mean_load.map_or(UNKNOWN_PAUSE, |load| (load / 8).clamp(PAUSES.0, PAUSES.1));
        Self {
            next: FIRST_PAUSE,
            cap,
        }
    }

    pub(crate) fn next(&mut self) -> Duration {
        let pause = self.next.mul_f64(0.5 + fastrand::f64());
        self.next = (self.next * 2).min(self.cap);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_to_the_cap_with_a_jitter_of_a_half() {
        let mut pause = Pause::new(Some(Duration::from_millis(80)));
        for expected in [2, 4, 8, 10, 10, 10] {
            let expected = Duration::from_millis(expected);
            let got = pause.next();
            assert!(
                got >= expected / 2 && got <= expected * 3 / 2,
                "{got:?} around {expected:?}"
            );
        }
    }

    #[test]
    fn the_cap_follows_the_load_time_within_bounds() {
        let cap = |load: Option<u64>| Pause::new(load.map(Duration::from_millis)).cap;
        assert_eq!(cap(None), Duration::from_millis(8));
        assert_eq!(cap(Some(1)), Duration::from_millis(4));
        assert_eq!(cap(Some(10_000)), Duration::from_millis(32));
    }
}

//! How long to wait before the next attempt: to connect, to repeat what failed, or to win a race.
//!
//! All processes lose a restarting server at the same moment; drawn at random, their attempts do not
//! come back at the same moment too.

use std::time::Duration;

pub(crate) struct Backoff {
    next: Duration,
    cap: Duration,
}

impl Backoff {
    /// From 50 ms to 5 s: to connect, or to repeat.
    pub(crate) fn long() -> Self {
        Self::between(Duration::from_millis(50), Duration::from_secs(5))
    }

    /// From 100 ms to 2 s: to look whether a silent server answers again.
    pub(crate) fn short() -> Self {
        Self::between(Duration::from_millis(100), Duration::from_secs(2))
    }

    /// From 1 ms to 128 ms: others were faster, or have what is wanted.
    pub(crate) fn contention() -> Self {
        Self::between(Duration::from_millis(1), Duration::from_millis(128))
    }

    fn between(first: Duration, cap: Duration) -> Self {
        Self { next: first, cap }
    }

    /// The longest wait; what lasted as long after an attempt makes the next outage a new one.
    pub(crate) fn cap(&self) -> Duration {
        self.cap
    }

    /// Between half of the current wait and all of it; the next one is twice as long.
    pub(crate) fn next(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(self.cap);
        wait.mul_f64(0.5 + fastrand::f64() / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_cap_and_vary() {
        for mut backoff in [Backoff::long(), Backoff::short(), Backoff::contention()] {
            let mut most = backoff.next;
            for _ in 0..20 {
                let wait = backoff.next();
                assert!((most / 2..=most).contains(&wait), "{wait:?} of {most:?}");
                most = (most * 2).min(backoff.cap());
            }
            assert_eq!(most, backoff.cap());
        }
    }
}

//! How long to wait before the next attempt to connect.
//!
//! All processes lose a restarting server at the same moment; drawn at random, their attempts do not
//! come back at the same moment too.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(50);
/// The longest wait; a connection that lasted as long makes the next outage a new one.
pub(super) const CAP: Duration = Duration::from_secs(5);

pub(super) struct Backoff(Duration);

impl Backoff {
    pub(super) fn new() -> Self {
        Self(FIRST)
    }

    /// Between half of the current wait and all of it; the next one is twice as long.
    pub(super) fn next(&mut self) -> Duration {
        let wait = self.0;
        self.0 = (wait * 2).min(CAP);
        wait.mul_f64(0.5 + fastrand::f64() / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_cap_and_vary() {
        let mut backoff = Backoff::new();
        let mut most = FIRST;
        for _ in 0..20 {
            let wait = backoff.next();
            assert!((most / 2..=most).contains(&wait), "{wait:?} of {most:?}");
            most = (most * 2).min(CAP);
        }
        assert_eq!(most, CAP);
    }
}

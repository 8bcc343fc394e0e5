//! How long an entry lives.
//!
//! A policy only says what differs from the layer below it: an attribute's options stand over the
//! named policy, which stands over the builder's defaults. Everything is resolved when an entry is
//! filled, so a hit never looks at its policy.

use std::borrow::Cow;
use std::time::Duration;

use crate::Error;

/// The longest time to live: 100 years. Longer ones are shortened to it, since Redis adds the
/// time to live to its clock and refuses a sum that overflows.
pub(crate) const LONGEST_TTL: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// A `None` is kept no longer than this unless the policy says otherwise.
const NEGATIVE_TTL: Duration = Duration::from_secs(30);

/// How long an entry lives: time to live, jitter, negative caching.
///
/// Settings that are not given come from the named policy, if there is one, and then from the
/// [builder](crate::Builder).
///
/// ```
/// use std::time::Duration;
/// use cached_redis::Policy;
///
/// const HOURLY: Policy = Policy::new()
///     .ttl(Duration::from_secs(3600))
///     .jitter(0.1)
///     .negative_ttl(Duration::from_secs(60));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[must_use]
pub struct Policy {
    pub(crate) ttl: Option<Duration>,
    pub(crate) jitter: Option<f64>,
    pub(crate) negative_ttl: Option<Duration>,
    pub(crate) name: Option<&'static str>,
}

impl Policy {
    /// A policy that says nothing yet.
    pub const fn new() -> Self {
        Self {
            ttl: None,
            jitter: None,
            negative_ttl: None,
            name: None,
        }
    }

    /// How long an entry stays fresh. Must be more than zero; rounded up to whole milliseconds and
    /// capped at 100 years.
    pub const fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// The share of the TTL that is added or taken at random, so that entries filled together do
    /// not turn stale together: `0.05` spreads 300 s over 285 s to 315 s. From 0 to below 1; the
    /// builder's default is 0.05.
    pub const fn jitter(mut self, jitter: f64) -> Self {
        self.jitter = Some(jitter);
        self
    }

    /// How long a cached `None` lives; zero means that `None` is not kept. The default is the TTL,
    /// at most 30 s.
    pub const fn negative_ttl(mut self, ttl: Duration) -> Self {
        self.negative_ttl = Some(ttl);
        self
    }

    /// Takes what is not set here from the policy that was given this name in
    /// [`Builder::policy`](crate::Builder::policy).
    pub const fn named(mut self, name: &'static str) -> Self {
        self.name = Some(name);
        self
    }

    /// What is set here, else what is set in `base`.
    pub(crate) fn over(self, base: Self) -> Self {
        Self {
            ttl: self.ttl.or(base.ttl),
            jitter: self.jitter.or(base.jitter),
            negative_ttl: self.negative_ttl.or(base.negative_ttl),
            name: self.name.or(base.name),
        }
    }

    /// Refuses settings that cannot be meant.
    pub(crate) fn check(&self, setting: impl Into<Cow<'static, str>>) -> Result<(), Error> {
        if self.ttl.is_some_and(|ttl| ttl.is_zero()) {
            return Err(Error::setting(setting, "a TTL must be more than zero"));
        }
        match self.jitter {
            Some(jitter) if !(0.0..1.0).contains(&jitter) => Err(Error::setting(
                setting,
                "jitter must be at least 0 and below 1",
            )),
            _ => Ok(()),
        }
    }

    /// The life of one entry: with jitter for values, the negative TTL for `None`. `None` means
    /// "do not keep it" or that no layer gave a TTL.
    pub(crate) fn life(&self, negative: bool) -> Option<Duration> {
        let ttl = self.ttl?.min(LONGEST_TTL);
        let base = match negative {
            true => self
                .negative_ttl
                .unwrap_or(ttl.min(NEGATIVE_TTL))
                .min(LONGEST_TTL),
            false => ttl,
        };
        if base.is_zero() {
            return None;
        }
        let spread = self.jitter.unwrap_or(0.0) * (2.0 * fastrand::f64() - 1.0);
        Some(base.mul_f64(1.0 + spread).max(Duration::from_millis(1)))
    }
}

/// Checks a TTL that is a constant expression, in the user's own build.
///
/// # Panics
///
/// When `ttl` is zero or has more milliseconds than a `u64` holds; evaluated in a `const`, that is
/// a compile error.
#[doc(hidden)]
#[must_use]
#[track_caller]
pub const fn checked_ttl(ttl: Duration) -> Duration {
    assert!(!ttl.is_zero(), "a TTL must be more than zero");
    checked_negative_ttl(ttl)
}

/// Checks a negative TTL that is a constant expression, in the user's own build.
///
/// # Panics
///
/// When `ttl` has more milliseconds than a `u64` holds.
#[doc(hidden)]
#[must_use]
#[track_caller]
pub const fn checked_negative_ttl(ttl: Duration) -> Duration {
    assert!(
        ttl.as_millis() <= u64::MAX as u128,
        "a TTL must fit into `u64` milliseconds"
    );
    ttl
}

/// Checks a replica lag that is a constant expression, in the user's own build.
///
/// # Panics
///
/// When `lag` is zero or has more milliseconds than a `u64` holds.
#[doc(hidden)]
#[must_use]
#[track_caller]
pub const fn checked_replica_lag(lag: Duration) -> Duration {
    assert!(!lag.is_zero(), "a replica lag must be more than zero");
    assert!(
        lag.as_millis() <= u64::MAX as u128,
        "a replica lag must fit into `u64` milliseconds"
    );
    lag
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn options_stand_over_the_named_policy() {
        let named = Policy::new().ttl(SECOND).jitter(0.5);
        let merged = Policy::new().ttl(2 * SECOND).over(named);
        assert_eq!((merged.ttl, merged.jitter), (Some(2 * SECOND), Some(0.5)));
    }

    #[test]
    fn jitter_stays_inside_its_share() {
        let policy = Policy::new().ttl(100 * SECOND).jitter(0.05);
        let lives: Vec<_> = (0..1000).map(|_| policy.life(false).unwrap()).collect();
        assert!(
            lives
                .iter()
                .all(|life| (95 * SECOND..=105 * SECOND).contains(life))
        );
        assert!(lives.iter().any(|life| *life < 98 * SECOND));
        assert!(lives.iter().any(|life| *life > 102 * SECOND));
    }

    #[test]
    fn none_lives_thirty_seconds_at_most_unless_told() {
        let life = |policy: Policy| policy.jitter(0.0).life(true);
        assert_eq!(life(Policy::new().ttl(300 * SECOND)), Some(30 * SECOND));
        assert_eq!(life(Policy::new().ttl(SECOND)), Some(SECOND));
        assert_eq!(
            life(Policy::new().ttl(SECOND).negative_ttl(9 * SECOND)),
            Some(9 * SECOND)
        );
        assert_eq!(
            life(Policy::new().ttl(SECOND).negative_ttl(Duration::ZERO)),
            None
        );
    }

    #[test]
    fn odd_durations_neither_panic_nor_vanish() {
        let life = |ttl| Policy::new().ttl(ttl).jitter(0.9).life(false).unwrap();
        assert!(life(Duration::from_nanos(1)) >= Duration::from_millis(1));
        assert!(life(Duration::MAX) <= 2 * LONGEST_TTL);
    }
}

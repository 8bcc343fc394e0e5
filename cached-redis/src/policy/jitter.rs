//! How far the lives of entries are spread.

use std::time::Duration;

/// The random share of a TTL by which the lives of entries differ, so that entries filled together do
/// not turn stale together.
///
/// ```
/// use std::time::Duration;
/// use cached_redis::{Jitter, Policy};
///
/// // 285 s to 315 s: beyond the TTL as well
/// const SPREAD: Policy = Policy::new().ttl(Duration::from_secs(300)).jitter(Jitter::around(0.05));
/// // 285 s to 300 s
/// const BOUND: Policy = Policy::new().ttl(Duration::from_secs(300)).jitter(Jitter::below(0.05));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use]
pub struct Jitter {
    share: f64,
    lengthens: bool,
}

impl Jitter {
    /// Every entry lives for its TTL.
    pub const NONE: Self = Self::below(0.0);

    /// Up to this share of the TTL is added or taken: an entry may live **longer** than its TTL. From 0
    /// to below 1, checked by [`build`](crate::Builder::build); under a policy that `build` does not see,
    /// what is out of range is not cached, with an error event.
    pub const fn around(share: f64) -> Self {
        Self {
            share,
            lengthens: true,
        }
    }

    /// Up to this share of the TTL is taken: the TTL is an upper bound. From 0 to below 1, checked as
    /// that of [`around`](Self::around) is.
    pub const fn below(share: f64) -> Self {
        Self {
            share,
            lengthens: false,
        }
    }

    pub(super) fn is_in_range(self) -> bool {
        (0.0..1.0).contains(&self.share)
    }

    /// The life of one entry.
    pub(super) fn applied_to(self, ttl: Duration) -> Duration {
        let random = fastrand::f64();
        match self.lengthens {
            true => ttl.mul_f64(1.0 + self.share * (2.0 * random - 1.0)),
            // What rounding may add is taken away.
            false => ttl.mul_f64(1.0 - self.share * random).min(ttl),
        }
    }
}

/// [`Jitter::around`].
impl From<f64> for Jitter {
    fn from(share: f64) -> Self {
        Self::around(share)
    }
}

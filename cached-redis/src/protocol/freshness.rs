//! How fresh an entry is, and what follows from it for its reader.
//!
//! ```text
//! filled                 refresh_ahead      ttl                 stale windows end
//!   │          fresh          │    early     │  revalidate │ if_error   │  dead
//! ```
//!
//! * *early*: served, and one caller loads anew behind it. Past a share of the TTL for sure
//!   (`refresh_ahead`), or before its end with a probability that grows with the time that the load
//!   took: XFetch of Vattani, Chierichetti and Lowenstein, "Optimal Probabilistic Cache Stampede
//!   Prevention", VLDB 2015 (`early_expiry`).
//! * *revalidate* and *if error*: the two windows of RFC 5861, each counted from the TTL.
//!
//! Ages are told by the store's clock as this process estimates it. A wrong one shifts a refresh and
//! can bring back nothing: an entry that was invalidated is gone.

use std::time::Duration;

use crate::policy::Policy;
use crate::wire::entry::Header;
use crate::wire::extension::WINDOW;

/// What an entry is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// To be served.
    Fresh,
    /// To be served, and loaded anew behind it.
    Early,
    /// Past its TTL, to be served while it is loaded anew.
    Revalidate,
    /// Past its TTL, to be served if the load fails.
    IfError,
    /// For nothing.
    Dead,
}

impl Freshness {
    /// Whether the entry is to be served without waiting for a load.
    pub(crate) fn is_served(self) -> bool {
        matches!(self, Self::Fresh | Self::Early | Self::Revalidate)
    }
}

/// What `policy` says of an entry with this header.
pub(crate) fn judge(policy: &Policy, header: &Header, now_ms: u64) -> Freshness {
    // Without a recorded TTL it is fresh as long as it lives.
    if header.soft_ttl == 0 {
        return Freshness::Fresh;
    }
    let age = now_ms.saturating_sub(header.filled_at);
    match u64::from(header.soft_ttl).checked_sub(age) {
        None | Some(0) => past(
            policy,
            Duration::from_millis(age - u64::from(header.soft_ttl)),
        ),
        Some(left) if is_early(policy, header, age, left) => Freshness::Early,
        Some(_) => Freshness::Fresh,
    }
}

/// Whether an entry is past its TTL, for those who have no stale windows. Only one that is kept beyond
/// it: the others are gone by the store's own count, in which readers who do not look at ages must agree.
pub(crate) fn is_past_ttl(header: &Header, now_ms: u64) -> bool {
    header.flags & WINDOW != 0 && judge(&Policy::new(), header, now_ms) == Freshness::Dead
}

/// Past its TTL for so long.
fn past(policy: &Policy, overdue: Duration) -> Freshness {
    let inside = |window: Option<Duration>| window.is_some_and(|window| overdue < window);
    if inside(policy.stale_while_revalidate) {
        Freshness::Revalidate
    } else if inside(policy.stale_if_error) {
        Freshness::IfError
    } else {
        Freshness::Dead
    }
}

/// Whether to load anew although there are `left` ms of the TTL.
fn is_early(policy: &Policy, header: &Header, age: u64, left: u64) -> bool {
    let ahead = |share: f64| age as f64 >= f64::from(header.soft_ttl) * share;
    let gap = |beta: f64| left as f64 <= early_by(header.load_time, beta, fastrand::f64());
    policy.refresh_ahead.is_some_and(ahead) || policy.early_expiry.is_some_and(gap)
}

/// XFetch: by how many ms before its end an entry expires for one look that draws `uniform` from
/// [0, 1), where `load_time` is in 0.1 ms: `-delta * beta * ln(rand)`.
fn early_by(load_time: u32, beta: f64, uniform: f64) -> f64 {
    // From (0, 1]: the logarithm of 0 is not finite.
    f64::from(load_time) / 10.0 * beta * -(1.0 - uniform).ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::entry::{Kind, Token};

    fn header(soft_ttl: u32, load_time: u32) -> Header {
        Header {
            filled_at: 1_000,
            soft_ttl,
            load_time,
            ..Header::new(Kind::Value, Token::next())
        }
    }

    #[test]
    fn each_window_is_counted_from_the_ttl() {
        let policy = Policy::new()
            .stale_while_revalidate(Duration::from_millis(50))
            .stale_if_error(Duration::from_millis(200));
        let at = |age: u64| judge(&policy, &header(100, 0), 1_000 + age);
        assert_eq!(at(0), Freshness::Fresh);
        assert_eq!(at(99), Freshness::Fresh);
        assert_eq!(at(100), Freshness::Revalidate);
        assert_eq!(at(149), Freshness::Revalidate);
        assert_eq!(at(150), Freshness::IfError);
        assert_eq!(at(299), Freshness::IfError);
        assert_eq!(at(300), Freshness::Dead);
        assert_eq!(
            judge(&Policy::new(), &header(100, 0), 1_100),
            Freshness::Dead
        );
    }

    #[test]
    fn an_entry_from_the_future_is_fresh_and_one_without_ttl_for_ever() {
        let policy = Policy::new().stale_if_error(Duration::from_secs(1));
        assert_eq!(judge(&policy, &header(100, 0), 0), Freshness::Fresh);
        assert_eq!(judge(&policy, &header(0, 0), u64::MAX), Freshness::Fresh);
    }

    #[test]
    fn a_share_of_the_ttl_decides_when_to_refresh_ahead() {
        let policy = Policy::new().refresh_ahead(0.8);
        let at = |age: u64| judge(&policy, &header(1000, 0), 1_000 + age);
        assert_eq!(at(799), Freshness::Fresh);
        assert_eq!(at(800), Freshness::Early);
        assert_eq!(at(999), Freshness::Early);
    }

    /// The paper's formula gives the gap an exponential distribution with the mean `delta * beta`.
    #[test]
    fn early_expiry_follows_the_formula_of_the_paper() {
        const DRAWS: usize = 100_000;
        let (delta_ms, beta) = (40.0, 1.5);
        let mean = delta_ms * beta;
        let gaps: Vec<_> = (0..DRAWS)
            .map(|_| early_by((delta_ms * 10.0) as u32, beta, fastrand::f64()))
            .collect();
        for times in [0.25, 0.5, 1.0, 2.0, 3.0] {
            let beyond = gaps.iter().filter(|gap| **gap > times * mean).count();
            let (share, expected) = (beyond as f64 / DRAWS as f64, f64::exp(-times));
            // Six standard deviations of a binomial share.
            let tolerance = 6.0 * (expected * (1.0 - expected) / DRAWS as f64).sqrt();
            assert!(
                (share - expected).abs() < tolerance,
                "{times}: {share} for {expected}"
            );
        }
        assert!(early_by(400, 1.0, 0.0).abs() < f64::EPSILON);
        assert!(early_by(400, 1.0, 1.0 - f64::EPSILON).is_finite());
    }
}

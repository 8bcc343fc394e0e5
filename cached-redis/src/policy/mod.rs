//! How long an entry lives, and when it is loaded anew.
//!
//! A policy only says what differs from the layer below it: an attribute's options stand over the
//! named policy, which stands over the builder's defaults. How long an entry lives is resolved when it
//! is filled; a hit looks at its policy only if an option says what to do with entries of an age.

use std::borrow::Cow;
use std::time::Duration;

use crate::error::Error;
use crate::policy::schema::Schema;

mod checked;
pub(crate) mod defaults;
pub(crate) mod failover;
mod jitter;
pub(crate) mod schema;

pub use checked::{
    Written, checked_compress, checked_local, checked_negative_ttl, checked_replica_lag,
    checked_timeout, checked_ttl, checked_window,
};
pub use jitter::Jitter;

/// The longest time to live: 100 years. Longer ones are shortened to it, since Redis adds the
/// time to live to its clock and refuses a sum that overflows.
pub(crate) const LONGEST_TTL: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// From one table: what a policy may say, and how it is said.
macro_rules! policy {
    (
        $(#[$doc:meta])*
        pub struct Policy {
            $($(#[$field_doc:meta])* $field:ident($value:ident: $type:ty);)+
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq)]
        #[must_use]
        pub struct Policy {
            $(pub(crate) $field: Option<$type>,)+
            pub(crate) name: Option<&'static str>,
            /// Whether each value tells its own TTL.
            pub(crate) ttl_of_value: bool,
            /// Whether calls inside of a load have no say in its result.
            pub(crate) isolated: bool,
            /// Whether the store is asked whether what is kept decoded still stands.
            pub(crate) checked: bool,
        }

        impl Policy {
            /// A policy that says nothing yet.
            pub const fn new() -> Self {
                Self {
                    $($field: None,)+
                    name: None,
                    ttl_of_value: false,
                    isolated: false,
                    checked: false,
                }
            }

            $($(#[$field_doc])*
            pub const fn $field(mut self, $value: $type) -> Self {
                self.$field = Some($value);
                self
            })+

            /// What is set here, else what is set in `base`.
            pub(crate) fn over(self, base: Self) -> Self {
                Self {
                    $($field: self.$field.or(base.$field),)+
                    name: self.name.or(base.name),
                    ttl_of_value: self.ttl_of_value || base.ttl_of_value,
                    isolated: self.isolated || base.isolated,
                    checked: self.checked || base.checked,
                }
            }
        }
    };
}

policy! {
    /// How long an entry lives, and when it is loaded anew: time to live, jitter, negative caching,
    /// [stale windows and early refreshes](crate::docs::stampedes).
    ///
    /// Settings that are not given come from the named policy, if there is one, and then from the
    /// [builder](crate::Builder).
    ///
    /// ```
    /// use std::time::Duration;
    /// use cached_redis::{Jitter, Policy};
    ///
    /// const HOURLY: Policy = Policy::new()
    ///     .ttl(Duration::from_secs(3600))
    ///     .jitter(Jitter::below(0.1))
    ///     .negative_ttl(Duration::from_secs(60));
    /// ```
    pub struct Policy {
        /// How long an entry stays fresh. Must be more than zero; rounded up to whole milliseconds and
        /// capped at 100 years. By default, [jitter](Self::jitter) makes it up to 5 % longer or shorter.
        ttl(ttl: Duration);

        /// By how much the lives of entries differ, so that those filled together do not turn stale
        /// together: `Jitter::around(0.05)`, the builder's default, spreads 300 s over 285 s to **315 s**, and
        /// `Jitter::below(0.05)` over 285 s to 300 s. It applies to the TTL of a `None` as well, and stale
        /// windows begin where it ends.
        jitter(jitter: Jitter);

        /// How long a cached `None` lives; zero means that `None` is not kept. The default is the TTL,
        /// at most 30 s.
        negative_ttl(ttl: Duration);

        /// For how long past its TTL an entry is still served, while one caller loads it anew
        /// (RFC 5861). Zero by default. An entry that was invalidated is gone and not served.
        ///
        /// Counted from the TTL: entries are kept for their TTL and the longer of the two stale windows.
        /// A cached `None` has no stale windows, and neither has an entry with a TTL of more than 49 days.
        stale_while_revalidate(window: Duration);

        /// For how long past its TTL an entry is served if the load fails (RFC 5861). Zero by default, and
        /// counted from the TTL. After a failed load the source is left alone for the
        /// [throttle](crate::Builder::throttle), and the old value is served at once.
        stale_if_error(window: Duration);

        /// The share of the TTL after which one caller loads an entry anew while it goes on being served:
        /// `0.8` of 300 s refreshes after 240 s, with the first read that comes then. More than 0 and
        /// below 1; off by default.
        refresh_ahead(share: f64);

        /// XFetch's β: each look at an entry may expire it early, the more likely the closer it is to its
        /// TTL and the longer its load took, so that a hot entry is loaded anew before it is gone. More
        /// than 0; 1 is the paper's choice, a larger one is more eager. Off by default.
        ///
        /// Vattani, Chierichetti and Lowenstein, "Optimal Probabilistic Cache Stampede Prevention", VLDB
        /// 2015.
        early_expiry(beta: f64);

        /// How long a caller waits for a load inside the window of
        /// [`stale_if_error`](Self::stale_if_error): after that it gets the old value, and the load goes
        /// on. More than zero; off by default. Nobody waits inside the window of
        /// [`stale_while_revalidate`](Self::stale_while_revalidate), and where there is no old value the
        /// call waits for its load.
        ///
        /// In the policy of a [`get_or_fill`](crate::Cache::get_or_fill), or of a function by name, the
        /// load cannot go on alone: the caller that runs it waits for it, and only those who wait for
        /// that caller are served the old value.
        soft_timeout(timeout: Duration);

        /// Which entries a type reads that was changed since they were written. [`Schema::Exact`] by
        /// default.
        schema(schema: Schema);

        /// Above how many bytes of encoded value an entry is stored as Zstandard; not at all by default, and
        /// not where that does not make it smaller. 0 compresses whatever gets smaller, `u64::MAX` nothing.
        ///
        /// Needs the feature `zstd`: without it [`Builder::build`](crate::Builder::build) fails, and entries that
        /// others have compressed are misses, with a warning. See [codecs](crate::docs::codecs#compression).
        compress(above: u64);

        /// For how long this process keeps an entry that it has read, decoded, and serves it without asking
        /// Redis; not at all by default. More than zero and no longer than the TTL. See
        /// [two levels](crate::docs::two_levels).
        local(time: Duration);

        /// The share of hits that are checked against the source in the background: what the option
        /// `audit` comes to.
        #[doc(hidden)]
        audit(share: f64);
    }
}

impl Policy {
    /// Takes what is not set here from the policy that was given this name in
    /// [`Builder::policy`](crate::Builder::policy).
    pub const fn named(mut self, name: &'static str) -> Self {
        self.name = Some(name);
        self
    }

    /// Each value tells its own TTL: what the option `ttl_with` comes to.
    #[doc(hidden)]
    pub const fn ttl_of_value(mut self) -> Self {
        self.ttl_of_value = true;
        self
    }

    /// Calls of cached functions inside of a load have no say in its result: what the option
    /// `nested = false` comes to.
    #[doc(hidden)]
    pub const fn isolated(mut self) -> Self {
        self.isolated = true;
        self
    }

    /// Keeps entries decoded in this process, and asks Redis at each read whether they still stand: a hit is a
    /// small round trip, without the value's transfer and decoding, and as fresh as any. Off by default; it
    /// takes precedence over [`local`](Self::local). See [two levels](crate::docs::two_levels#checked).
    pub const fn checked(mut self) -> Self {
        self.checked = true;
        self
    }

    /// This policy with another TTL, if there is one.
    pub(crate) fn lasting(self, ttl: Option<Duration>) -> Self {
        Self {
            ttl: ttl.or(self.ttl),
            ..self
        }
    }

    pub(crate) fn is_in_range(&self) -> bool {
        self.checked_range().is_ok()
    }

    /// Refuses settings that cannot be meant.
    pub(crate) fn check(&self, setting: impl Into<Cow<'static, str>>) -> Result<(), Error> {
        self.checked_range()
            .map_err(|problem| Error::setting(setting, problem))
    }

    /// The same as an error that costs nothing: every read asks this.
    fn checked_range(&self) -> Result<(), &'static str> {
        let lives_longer = |local| self.ttl.is_some_and(|ttl| local > ttl);
        let is_share = |share: f64| share > 0.0 && share < 1.0;
        let is_beta = |beta: f64| beta > 0.0 && beta.is_finite();
        Err(if self.ttl.is_some_and(|it| it.is_zero()) {
            "a TTL must be more than zero"
        } else if self.jitter.is_some_and(|it| !it.is_in_range()) {
            "jitter must be at least 0 and below 1"
        } else if self.refresh_ahead.is_some_and(|it| !is_share(it)) {
            "refresh_ahead must be more than 0 and below 1"
        } else if self.early_expiry.is_some_and(|it| !is_beta(it)) {
            "early_expiry must be more than 0 and finite"
        } else if self.audit.is_some_and(|it| !(0.0..=1.0).contains(&it)) {
            "audit must be from 0 to 1"
        } else if self.soft_timeout.is_some_and(|it| it.is_zero()) {
            "a timeout must be more than zero"
        } else if cfg!(not(feature = "zstd")) && self.compress.is_some() {
            "`compress` needs the feature `zstd`"
        } else if self.local.is_some_and(|it| it.is_zero()) {
            "`local` must be more than zero"
        } else if self.local.is_some_and(lives_longer) {
            "`local` must be no longer than the TTL"
        } else if self.local.is_some() && self.audit == Some(1.0) {
            "`local` beside `audit = 1`, which asks the source at each hit"
        } else {
            return Ok(());
        })
    }

    /// Whether it says all that there is to say itself, and asks nothing of an entry that is fresh.
    pub(crate) fn is_plain(&self) -> bool {
        self.is_in_range()
            && self.is_complete()
            && !self.watches_age()
            && !self.checked
            && self.audit.is_none()
    }

    /// Whether it has a TTL and names no other.
    pub(crate) fn is_complete(&self) -> bool {
        (self.ttl.is_some() || self.ttl_of_value) && self.name.is_none()
    }

    /// Whether a reader has to know the age of an entry: an option says so, or may, in the policy of
    /// the name.
    pub(crate) fn watches_age(&self) -> bool {
        self.name.is_some()
            || self.stale_while_revalidate.is_some()
            || self.stale_if_error.is_some()
            || self.refresh_ahead.is_some()
            || self.early_expiry.is_some()
    }

    /// The life of one entry: with jitter for values, the negative TTL for `None`. `None` means
    /// "do not keep it" or that no layer gave a TTL.
    pub(crate) fn life(&self, negative: bool) -> Option<Life> {
        let ttl = self.ttl.map(|ttl| ttl.min(LONGEST_TTL));
        let base = match negative {
            true => {
                let most = ttl.or(self.ttl_of_value.then_some(defaults::NEGATIVE_TTL))?;
                let negative = self
                    .negative_ttl
                    .unwrap_or(most.min(defaults::NEGATIVE_TTL));
                negative.min(LONGEST_TTL)
            }
            false => ttl?,
        };
        if base.is_zero() {
            return None;
        }
        let fresh = self.jitter.unwrap_or(Jitter::NONE).applied_to(base);
        let fresh = fresh.max(Duration::from_millis(1));
        let window = match negative {
            true => None,
            false => self.stale_while_revalidate.max(self.stale_if_error),
        };
        Some(Life::new(
            fresh,
            window.unwrap_or_default().min(LONGEST_TTL),
        ))
    }
}

/// How long one entry lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Life {
    /// For how long it is fresh, in ms; 0 where that does not fit.
    pub(crate) soft_ttl: u32,
    /// For how long it is kept.
    pub(crate) kept: Duration,
    /// Whether that is longer than it is fresh.
    pub(crate) windowed: bool,
}

impl Life {
    fn new(fresh: Duration, window: Duration) -> Self {
        match u32::try_from(fresh.as_millis()) {
            Ok(soft_ttl) => Self {
                soft_ttl,
                kept: fresh + window,
                windowed: !window.is_zero(),
            },
            // A TTL that does not fit is not recorded, and past it nobody could tell.
            Err(_) => Self {
                soft_ttl: 0,
                kept: fresh,
                windowed: false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn options_stand_over_the_named_policy() {
        let named = Policy::new().ttl(SECOND).jitter(Jitter::NONE);
        let merged = Policy::new().ttl(2 * SECOND).over(named);
        assert_eq!(merged.ttl, Some(2 * SECOND));
        assert_eq!(merged.jitter, Some(Jitter::NONE));
    }

    #[test]
    fn jitter_stays_inside_its_share_and_reaches_all_of_it() {
        for (jitter, longest) in [
            (Jitter::around(0.05), 105 * SECOND),
            (Jitter::below(0.05), 100 * SECOND),
        ] {
            let policy = Policy::new().ttl(100 * SECOND).jitter(jitter);
            let lives = (0..1000).map(|_| policy.life(false).unwrap().kept);
            let lives: Vec<_> = lives.collect();
            let (least, most) = (lives.iter().min().unwrap(), lives.iter().max().unwrap());
            assert!((95 * SECOND..96 * SECOND).contains(least), "{least:?}");
            assert!((longest - SECOND..=longest).contains(most), "{most:?}");
        }
    }

    #[test]
    fn a_jitter_that_only_shortens_makes_no_ttl_longer() {
        let lives = |ttl, share| {
            let policy = Policy::new().ttl(ttl).jitter(Jitter::below(share));
            (0..100).map(move |_| policy.life(false).unwrap().kept)
        };
        for share in [
            0.0,
            f64::MIN_POSITIVE,
            f64::EPSILON,
            0.05,
            1.0_f64.next_down(),
        ] {
            for nanos in [1_000_000, 333_333_333, 86_399_999_999_999, u64::MAX / 7] {
                let ttl = Duration::from_nanos(nanos);
                assert!(
                    lives(ttl, share).all(|life| life <= ttl),
                    "{ttl:?}, {share}"
                );
            }
        }
    }

    #[test]
    fn none_lives_thirty_seconds_at_most_unless_told() {
        let life = |policy: Policy| Some(policy.jitter(Jitter::NONE).life(true)?.kept);
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
        let life = |ttl| {
            let policy = Policy::new().ttl(ttl).jitter(0.9.into());
            policy.life(false).unwrap().kept
        };
        assert!(life(Duration::from_nanos(1)) >= Duration::from_millis(1));
        assert!(life(Duration::MAX) <= 2 * LONGEST_TTL);
    }

    #[test]
    fn an_entry_is_kept_for_its_ttl_and_the_longer_window() {
        let policy = Policy::new()
            .ttl(10 * SECOND)
            .jitter(Jitter::NONE)
            .stale_while_revalidate(SECOND)
            .stale_if_error(60 * SECOND);
        let life = policy.life(false).unwrap();
        assert_eq!((life.soft_ttl, life.kept), (10_000, 70 * SECOND));
        let negative = policy.life(true).unwrap();
        assert_eq!((negative.soft_ttl, negative.kept), (10_000, 10 * SECOND));
        let long = policy.ttl(LONGEST_TTL).life(false).unwrap();
        assert_eq!((long.soft_ttl, long.kept), (0, LONGEST_TTL));
        let odd = policy.stale_if_error(Duration::MAX).life(false).unwrap();
        assert_eq!(odd.kept, 10 * SECOND + LONGEST_TTL);
    }

    #[test]
    fn compress_needs_what_compresses() {
        let refused = Policy::new().compress(1).check("p").is_err();
        assert_eq!(refused, !cfg!(feature = "zstd"));
        let panics = std::panic::catch_unwind(|| checked_compress(1)).is_err();
        assert_eq!(panics, refused);
    }

    #[test]
    fn shares_and_factors_out_of_range_are_refused() {
        let refused = |policy: Policy| policy.check("p").is_err();
        for share in [0.0, 1.0, -0.5, f64::NAN] {
            assert!(refused(Policy::new().refresh_ahead(share)), "{share}");
        }
        for beta in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(refused(Policy::new().early_expiry(beta)), "{beta}");
        }
        assert!(!refused(Policy::new().refresh_ahead(0.8).early_expiry(1.0)));
        assert!(refused(Policy::new().soft_timeout(Duration::ZERO)));
    }
}

//! Durations that an attribute takes from constant expressions.

use std::marker::PhantomData;
use std::ops::Deref;
use std::time::Duration;

/// A constant that is given as a span of time: a `Duration`, or a number of seconds.
///
/// Its method is an inherent one of each type, since a trait's cannot be called in a `const`. Those of
/// `u64`, `f64` and `Duration` take `self` by value: they are found first, so an expression of literals
/// is a `u64` or a `f64`. What is no span of time has only that of what this dereferences to.
#[derive(Debug)]
pub struct Written<T>(pub T);

/// Has its method only to say that there is none.
#[derive(Debug)]
pub struct Unwritten<T>(PhantomData<T>);

impl<T> Deref for Written<T> {
    type Target = Unwritten<T>;

    fn deref(&self) -> &Unwritten<T> {
        &Unwritten(PhantomData)
    }
}

impl<T> Unwritten<T> {
    /// No span of time.
    #[must_use]
    pub const fn __cached_redis_time(&self) -> Duration
    where
        T: SpanOfTime,
    {
        Duration::ZERO
    }
}

/// Nothing implements it: what can be given as a span of time has a method of its own.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no span of time",
    label = "neither a `Duration` nor a number",
    note = "write seconds (`300`, `0.25`), a string (`\"250ms\"`, `\"5m\"`, `\"1h30m\"`), or a constant `Duration` or number of seconds"
)]
pub trait SpanOfTime {}

impl Written<Duration> {
    /// As it is.
    #[must_use]
    pub const fn __cached_redis_time(self) -> Duration {
        self.0
    }
}

impl Written<u64> {
    /// So many seconds.
    #[must_use]
    pub const fn __cached_redis_time(self) -> Duration {
        Duration::from_secs(self.0)
    }
}

macro_rules! seconds {
    ($($number:ty)+) => {$(
        impl Written<$number> {
            /// So many seconds.
            #[must_use]
            #[track_caller]
            #[allow(unused_comparisons, reason = "some are unsigned")]
            #[allow(clippy::cast_lossless, reason = "of any number")]
            pub const fn __cached_redis_time(&self) -> Duration {
                assert!(self.0 >= 0, "a time must not be negative");
                assert!(self.0 as u128 <= u64::MAX as u128, "a time must fit into `u64` seconds");
                Duration::from_secs(self.0 as u64)
            }
        }
    )+};
}

seconds! { u8 u16 u32 u128 usize i8 i16 i32 i64 i128 isize }

impl Written<f64> {
    /// So many seconds, to the millisecond.
    #[must_use]
    #[track_caller]
    pub const fn __cached_redis_time(self) -> Duration {
        assert!(self.0 >= 0.0, "a time must not be negative");
        let millis = self.0 * 1000.0 + 0.5;
        // The cast would quietly stop at the maximum, which as an `f64` is one more.
        assert!(
            millis < u64::MAX as f64,
            "a time must fit into `u64` milliseconds"
        );
        Duration::from_millis(millis as u64)
    }
}

impl Written<f32> {
    /// So many seconds, to the millisecond.
    #[must_use]
    #[track_caller]
    pub const fn __cached_redis_time(&self) -> Duration {
        Written(self.0 as f64).__cached_redis_time()
    }
}

/// Makes the checks of constant expressions, in the user's own build.
macro_rules! checked {
    ($($(#[$doc:meta])* $name:ident: $what:literal, $zero:ident;)+) => {$(
        $(#[$doc])*
        ///
        /// # Panics
        ///
        /// When the time is out of its range; evaluated in a `const`, that is a compile error.
        #[doc(hidden)]
        #[must_use]
        #[track_caller]
        pub const fn $name(time: Duration) -> Duration {
            checked!(@$zero time, $what);
            assert!(
                time.as_millis() <= u64::MAX as u128,
                concat!($what, " must fit into `u64` milliseconds")
            );
            time
        }
    )+};
    (@refused $time:ident, $what:literal) => {
        assert!(!$time.is_zero(), concat!($what, " must be more than zero"));
        assert!(
            $time.as_millis() > 0,
            concat!($what, " must not be less than a millisecond")
        );
    };
    (@allowed $time:ident, $what:literal) => {};
}

checked! {
    /// Checks a TTL.
    checked_ttl: "a TTL", refused;
    /// Checks a negative TTL.
    checked_negative_ttl: "a TTL", allowed;
    /// Checks a replica lag.
    checked_replica_lag: "a replica lag", refused;
    /// Checks a stale window.
    checked_window: "a stale window", allowed;
    /// Checks a timeout.
    checked_timeout: "a timeout", refused;
    /// Checks a time in process memory.
    checked_local: "a time in process memory", refused;
}

/// Checks that there is what compresses.
///
/// # Panics
///
/// When there is not; evaluated in a `const`, that is a compile error.
#[doc(hidden)]
#[must_use]
#[track_caller]
pub const fn checked_compress(above: u64) -> u64 {
    if cfg!(not(feature = "zstd")) {
        panic!("`compress` needs the feature `zstd` of `cached-redis`");
    }
    above
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{UnwindSafe, catch_unwind};

    fn refused(time: impl FnOnce() -> Duration + UnwindSafe) -> bool {
        catch_unwind(time).is_err()
    }

    #[test]
    fn a_constant_may_be_any_number_that_a_literal_may_be() {
        let minute = Duration::from_secs(60);
        assert_eq!(Written(60_u128).__cached_redis_time(), minute);
        assert_eq!(Written(60_i128).__cached_redis_time(), minute);
        assert_eq!(Written(60_f32).__cached_redis_time(), minute);
        assert_eq!(Written(2 * 30).__cached_redis_time(), minute);
        assert_eq!(Written(0.5 * 120.0).__cached_redis_time(), minute);
    }

    #[test]
    fn a_constant_that_does_not_fit_is_refused_and_not_cut_short() {
        assert!(refused(|| Written(u128::MAX).__cached_redis_time()));
        assert!(refused(|| Written(-1_i128).__cached_redis_time()));
        for seconds in [f64::INFINITY, f64::NAN, 1e30, -0.5] {
            assert!(refused(move || Written(seconds).__cached_redis_time()));
        }
        assert!(refused(|| Written(f32::INFINITY).__cached_redis_time()));
    }

    #[test]
    fn a_lifetime_of_less_than_a_millisecond_is_refused() {
        let short = Duration::from_micros(10);
        assert!(refused(move || checked_ttl(short)));
        assert!(refused(move || checked_timeout(short)));
        assert!(refused(move || checked_replica_lag(short)));
        assert_eq!(checked_window(short), short);
        assert_eq!(checked_ttl(Duration::from_millis(1)).as_millis(), 1);
    }
}

//! Durations that an attribute takes from constant expressions.

use std::time::Duration;

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
}

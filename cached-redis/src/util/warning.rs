//! Warnings that nobody would hear.
//!
//! A program without a `tracing` subscriber, and with the feature `log` without a logger either, would
//! never learn that its cache is not installed or does not reach Redis. So the first warning of such a
//! program goes to stderr, once, together with how to hear the others.
//!
//! Events are said by their table, [`signal`](crate::observe::signal). All else that is said aloud goes
//! through the macros [`warn!`](warn) and [`error!`](error) of this module, which are those of `tracing` with
//! a literal message at the end.

use std::fmt;
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

/// Set to `off`, it keeps this silent.
const SWITCH: &str = "CACHED_REDIS_STDERR";

/// Says `warning` on stderr, if it is the first one and nobody else hears it.
pub(crate) fn say(warning: fmt::Arguments<'_>) {
    static SAID: AtomicBool = AtomicBool::new(false);
    if SAID.load(Ordering::Relaxed) || is_heard() || SAID.swap(true, Ordering::Relaxed) {
        return;
    }
    if std::env::var_os(SWITCH).is_some_and(|value| value == "off") {
        return;
    }
    let log = match cfg!(feature = "log") {
        true => "or a logger",
        false => "or use the feature `log` of cached-redis and a logger",
    };
    // Written in one piece, since other processes may write there too.
    let told = format!(
        "cached-redis: {warning}\n  \
         This is the first warning, and nobody listens for the others: set up a `tracing` subscriber, such as\n  \
         `tracing_subscriber::fmt().init()`, {log}. {SWITCH}=off turns this off.\n"
    );
    // A closed stderr is no reason to fail.
    let _ = io::stderr().write_all(told.as_bytes());
}

/// Whether anybody was ever set up to hear, be it on another thread or a subscriber that wants nothing.
fn is_heard() -> bool {
    #[cfg(feature = "log")]
    if log::max_level() != log::LevelFilter::Off {
        return true;
    }
    tracing::dispatcher::has_been_set()
}

macro_rules! warning {
    ($($told:tt)*) => {{
        ::tracing::warn!($($told)*);
        $crate::util::warning::line!(("") () $($told)*);
    }};
}

macro_rules! error {
    ($($told:tt)*) => {{
        ::tracing::error!($($told)*);
        $crate::util::warning::line!(("") () $($told)*);
    }};
}

/// Says what `tracing` is told: the message, and then its fields, each with its name.
macro_rules! line {
    (($form:expr) ($($field:expr),*) $message:literal $(,)?) => {
        $crate::util::warning::say(format_args!(concat!("{}", $form), $message $(, $field)*))
    };
    (($form:expr) ($($field:expr),*) $name:ident = % $value:expr, $($rest:tt)+) => {
        $crate::util::warning::line!((concat!($form, " ", stringify!($name), "={}")) ($($field,)* $value) $($rest)+)
    };
    (($form:expr) ($($field:expr),*) $name:ident = $value:expr, $($rest:tt)+) => {
        $crate::util::warning::line!(($form) ($($field),*) $name = %$value, $($rest)+)
    };
    (($form:expr) ($($field:expr),*) % $name:ident, $($rest:tt)+) => {
        $crate::util::warning::line!(($form) ($($field),*) $name = %$name, $($rest)+)
    };
    (($form:expr) ($($field:expr),*) $name:ident, $($rest:tt)+) => {
        $crate::util::warning::line!(($form) ($($field),*) $name = %$name, $($rest)+)
    };
}

pub(crate) use {error, line, warning as warn};

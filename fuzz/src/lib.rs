//! Random bytes guard against the input nobody thought of. Each target takes any bytes and panics
//! where a promise is broken, which is the form that every fuzzer calls:
//!
//! ```text
//! libfuzzer_sys::fuzz_target!(|data: &[u8]| cached_redis_fuzz::envelopes::check(data));
//! ```
//!
//! What is tested is private to its crates and one of them can only export macros, so the sources
//! are built here once more, and neither crate has to open a door.

// Else their unit tests would be built here as well, without what those need.
#![cfg(not(test))]

pub mod envelopes;
pub mod keys;
mod meter;
pub mod packing;
pub mod replies;
pub mod run;
pub mod templates;

/// The sources under test, at the paths they know each other by.
macro_rules! under_test {
    ($($path:literal $module:ident)*) => {$(
        #[path = $path]
        #[allow(dead_code, unused_imports, unreachable_pub, missing_docs, reason = "used in part")]
        #[allow(clippy::all, reason = "they are held to lints in their own packages")]
        mod $module;
    )*};
}

under_test! {
    "../../cached-redis/src/wire/mod.rs" wire
    "../../cached-redis-macros/src/parse/mod.rs" parse
}

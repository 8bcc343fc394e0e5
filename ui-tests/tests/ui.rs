//! Refused uses in whose messages the compiler has a part, one file per rule. Those that the attributes word
//! alone are unit tests.
//!
//! The messages are those of one compiler version, so other versions do not check them;
//! `TRYBUILD=overwrite cargo +1.95.0 test -p cached-redis-ui-tests` writes them anew.

#[test]
#[rustversion::attr(
    not(stable(1.95)),
    ignore = "the messages are those of Rust 1.95: cargo +1.95.0 test -p cached-redis-ui-tests"
)]
fn refused_uses_say_what_to_write() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}

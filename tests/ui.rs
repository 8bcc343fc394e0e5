//! Refused uses, one file and one message per rule.
//!
//! The messages are those of one compiler version, so other versions do not check them;
//! `TRYBUILD=overwrite cargo +1.95.0 test --test ui` writes them anew.

#[test]
#[rustversion::attr(
    not(stable(1.95)),
    ignore = "the messages are those of Rust 1.95: cargo +1.95.0 test --test ui"
)]
fn refused_uses_say_what_to_write() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}

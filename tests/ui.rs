//! Refused uses, one file and one message per rule.
//!
//! The messages are those of one compiler version, so other versions do not check them;
//! `TRYBUILD=overwrite cargo test --test ui` writes them anew.

#[test]
fn refused_uses_say_what_to_write() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}

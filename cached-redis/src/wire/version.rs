//! Versions of the source: what an entry was made of, compared with what there is now.

use std::fmt::Display;

use xxhash_rust::xxh3::xxh3_64;

/// What a function that is named in `version = …` can return, or the `Ok` value of it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no version: it has no `Display`",
    label = "the function that is named here returns it",
    note = "return a number, a time, a hash or a text, or a `Result` of one"
)]
pub trait SourceVersion: Display {}

#[diagnostic::do_not_recommend]
impl<V: Display> SourceVersion for V {}

/// The version as entries carry it: a hash of its text, so that whatever the source counts in will do.
#[must_use]
pub fn source_version<V: SourceVersion>(version: &V) -> u64 {
    xxh3_64(version.to_string().as_bytes())
}

//! Rendering guards against a value whose `Display` or `Serialize` fails half way: the text so far
//! may be another value's, so the key is marked and no longer used.

use std::fmt::{self, Write as _};

use serde::Serialize;

use super::escape::Escaped;
use crate::wire::digest;
use crate::wire::entry::Token;

/// What no escaped value can be: after `%` a value always has two hex digits.
const NONE: &str = "%none";
const FAILED: &str = "%failed";

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Rendered {
    text: String,
    whole: bool,
}

impl From<String> for Rendered {
    fn from(text: String) -> Self {
        Self { text, whole: true }
    }
}

impl Rendered {
    pub(super) fn text(&mut self, text: &str) {
        self.text.push_str(text);
    }

    pub(super) fn display<T: fmt::Display + ?Sized>(&mut self, value: &T) {
        let written = write!(Escaped(&mut self.text), "{value}");
        self.check(written);
    }

    pub(super) fn debug<T: fmt::Debug + ?Sized>(&mut self, value: &T) {
        let written = write!(Escaped(&mut self.text), "{value:?}");
        self.check(written);
    }

    pub(super) fn option<T: fmt::Display + ?Sized>(&mut self, value: Option<&T>) {
        match value {
            Some(value) => self.display(value),
            None => self.none(),
        }
    }

    pub(super) fn none(&mut self) {
        self.text(NONE);
    }

    pub(super) fn hash<T: Serialize + ?Sized>(&mut self, value: &T) {
        let written = match digest::of(value) {
            Ok(digest) => write!(self.text, "{:032x}", digest.hash),
            Err(_) => Err(fmt::Error),
        };
        self.check(written);
    }

    /// The mark is new each time, so that even a caller who ignores it meets nobody.
    fn check(&mut self, written: fmt::Result) {
        if written.is_err() {
            self.whole = false;
            self.text.push_str(FAILED);
            for byte in Token::next().as_bytes() {
                let _ = write!(self.text, "{byte:02x}");
            }
        }
    }

    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn into_string(self) -> String {
        self.text
    }
}

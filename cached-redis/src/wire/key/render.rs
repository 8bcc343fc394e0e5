//! Rendering guards against a value whose `Display` or `Serialize` fails half way: the text so far
//! may be another value's, so the key is marked and no longer used.

use std::fmt::{self, Write as _};

use serde::Serialize;

use super::escape::Escaped;
use super::{KeyName, KeyWriter};
use crate::wire::digest;
use crate::wire::entry::Token;

/// What no escaped value can be: after `%` a value always has two hex digits.
const NONE: &str = "%none";
const FAILED: &str = "%failed";

/// A closure that renders. As a `dyn FnMut` each would be compiled for more ways to call it than anybody goes.
pub(crate) trait Render {
    fn render(&mut self, key: &mut KeyWriter);
}

impl<F: FnMut(&mut KeyWriter)> Render for F {
    fn render(&mut self, key: &mut KeyWriter) {
        self(key);
    }
}

impl KeyWriter {
    /// Literal text of the template.
    #[inline]
    pub fn text(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// `<x>`
    #[inline]
    pub fn display<T: fmt::Display + ?Sized>(&mut self, value: &T) {
        let written = write!(Escaped(&mut self.text), "{value}");
        self.check(written);
    }

    /// `<x>` where `x` is an integer
    pub(super) fn number(&mut self, negative: bool, distance: u64) {
        if negative {
            self.text.push('-');
        }
        self.text.push_str(itoa::Buffer::new().format(distance));
    }

    /// `<x>` where `x` is an `Option`
    #[inline]
    pub fn option<T: fmt::Display + ?Sized>(&mut self, value: Option<&T>) {
        match value {
            Some(value) => self.display(value),
            None => self.none(),
        }
    }

    /// `<x>` where `x` is `None`
    #[inline]
    pub fn none(&mut self) {
        self.text(NONE);
    }

    /// `<x:?>`
    #[inline]
    pub fn debug<T: fmt::Debug + ?Sized>(&mut self, value: &T) {
        let written = write!(Escaped(&mut self.text), "{value:?}");
        self.check(written);
    }

    /// `<x:hash>`
    #[inline]
    pub fn hash<T: Serialize + ?Sized>(&mut self, value: &T) {
        let written = match digest::of(&value) {
            Ok(digest) => write!(self.text, "{:032x}", digest.hash),
            Err(_) => Err(fmt::Error),
        };
        self.check(written);
    }

    /// `<T>`
    #[inline]
    pub fn name<T: KeyName + ?Sized>(&mut self) {
        self.display(T::KEY_NAME);
    }

    fn check(&mut self, written: fmt::Result) {
        if written.is_err() {
            self.whole = false;
            self.text.push_str(FAILED);
            for byte in Token::next().as_bytes() {
                let _ = write!(self.text, "{byte:02x}");
            }
        }
    }
}

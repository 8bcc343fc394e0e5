//! The keys of a batch, which are one text: most have no other use than to be sent.

use std::mem;
use std::ops::{Deref, Range};
use std::sync::Arc;

/// A part of the text that the keys of all ids are rendered into.
#[derive(Clone, Debug)]
pub(super) struct Key {
    all: Arc<String>,
    place: Range<usize>,
}

impl Deref for Key {
    type Target = str;

    fn deref(&self) -> &str {
        &self.all[self.place.clone()]
    }
}

impl Key {
    /// By which shorter ones come first: those of 9 and 10 are in the order of their numbers.
    pub(super) fn order(&self) -> (usize, &str) {
        (self.len(), self)
    }

    /// Those that end at these places.
    pub(super) fn parts(text: String, ends: Vec<usize>) -> impl Iterator<Item = Self> {
        let (all, mut start) = (Arc::new(text), 0);
        ends.into_iter().map(move |end| Self {
            all: Arc::clone(&all),
            place: mem::replace(&mut start, end)..end,
        })
    }
}

//! What the functions under test return.
//!
//! A row has nothing but a version. A value says what it was made of: for which entry it was loaded, of
//! which rows in which version, and under which tags. So whoever reads one can tell what is wrong with it.

use std::collections::BTreeSet;

use cached_redis::Error;
use cached_redis::error::{Timeout, Unguarded};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Value {
    /// The entry that it was loaded for.
    pub(crate) key: String,
    /// The namespace.
    pub(crate) world: String,
    /// First the row that the function has read itself, then those of the functions it has called.
    pub(crate) parts: Vec<Part>,
}

/// A row in a value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(crate) row: u8,
    pub(crate) version: u32,
    /// The transaction that has not committed it; 0: it is committed.
    pub(crate) open: u32,
    /// Those of the function that has read it: each drops whatever holds the part.
    pub(crate) tags: BTreeSet<String>,
}

impl Value {
    /// Takes in what a function was given that this one has called.
    pub(crate) fn with(mut self, inner: Self) -> Self {
        self.parts.extend(inner.parts);
        self
    }

    /// The same where nothing is handed on.
    pub(crate) fn apart(self, mut inner: Self) -> Self {
        inner.parts.iter_mut().for_each(|part| part.tags.clear());
        self.with(inner)
    }

    pub(crate) fn version(&self) -> u32 {
        self.parts[0].version
    }

    pub(crate) fn row(&self) -> u8 {
        self.parts[0].row
    }
}

/// A load or a write that failed, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failed(pub(crate) u64);

impl From<Timeout> for Failed {
    fn from(_: Timeout) -> Self {
        Self(u64::MAX)
    }
}

impl From<Unguarded> for Failed {
    fn from(_: Unguarded) -> Self {
        Self(u64::MAX)
    }
}

impl From<Error> for Failed {
    fn from(_: Error) -> Self {
        Self(u64::MAX)
    }
}

/// Whether the row in this version is one that is not there, to those who ask for it as an `Option`.
pub(crate) fn is_absent(version: u32) -> bool {
    version % 4 == 3
}

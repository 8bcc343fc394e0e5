//! Steps on many keys at once.
//!
//! Nothing asks that the keys be changed in one moment: each has its own lease and its own fill, and
//! one that fails leaves the others alone. So on Redis these are pipelines, of bounded length so that
//! nobody else waits long behind one, and on other stores one step after the other.

use std::time::Duration;

use bytes::Bytes;

use crate::error::StoreError;
use crate::wire::entry::Token;

/// How many keys one command or pipeline names at most.
pub(crate) const MOST: usize = 500;

/// The answer to one key.
pub(crate) type Answer<T> = Result<T, StoreError>;

/// A lease that is asked for.
pub(crate) struct Asked<'a> {
    pub(crate) key: &'a str,
    /// The dead entry that it may replace; `None`: it may only stand where nothing does.
    pub(crate) over: Option<Bytes>,
}

/// A key whose lease or entry is to be replaced.
pub(crate) struct Filling<'a> {
    pub(crate) key: &'a str,
    /// What has to stand there.
    pub(crate) token: Token,
    pub(crate) entry: Bytes,
    pub(crate) ttl: Duration,
}

/// How a lease was answered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Granted {
    Yes,
    /// What stands in its place, as far as the answer tells.
    No(Option<Bytes>),
}

impl Granted {
    pub(super) fn of(standing: Option<Bytes>) -> Self {
        match standing {
            None => Self::Yes,
            Some(entry) => Self::No(Some(entry)),
        }
    }

    pub(super) fn over(won: bool) -> Self {
        if won { Self::Yes } else { Self::No(None) }
    }
}

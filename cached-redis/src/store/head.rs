//! What stands under a key, as far as its beginning and the store tell.

use std::time::Duration;

use bytes::Bytes;

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    /// Its beginning; `None`: it is no string.
    pub(crate) bytes: Option<Bytes>,
    /// How many bytes there are in all.
    pub(crate) length: u64,
    /// How much time is left; `None`: it has no end.
    pub(crate) ttl: Option<Duration>,
}

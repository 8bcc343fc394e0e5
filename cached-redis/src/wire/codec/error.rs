//! The error guards logs against user data: what it prints is chosen here, and never quotes.

use std::error::Error;
use std::fmt;

/// Why a value could not be encoded or decoded.
///
/// Neither `Display` nor `Debug` show anything of the value. The [`source`](Error::source), if
/// there is one, is the error of the format and may quote it.
///
/// # Examples
///
/// ```
/// use cached_redis::codec::{Codec, Json};
///
/// let error = Json.decode::<u8>(b"\"secret\"").unwrap_err();
/// assert_eq!(error.to_string(), "the codec failed");
/// ```
pub struct CodecError {
    reason: Reason,
    source: Option<Box<dyn Error + Send + Sync>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    Failed,
    Unreadable,
    Leftover,
    Undigested,
    Changed,
    Hidden,
    NestedNone,
    Failure,
}

impl CodecError {
    /// An error of a codec of your own, caused by that of its format.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::caused(Reason::Failed, source)
    }

    pub(super) fn caused(reason: Reason, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            reason,
            source: Some(source.into()),
        }
    }

    /// Whether the codec has nothing to do with it.
    pub(crate) fn is_failure(&self) -> bool {
        self.reason == Reason::Failure
    }

    pub(super) fn of(reason: Reason) -> Self {
        Self {
            reason,
            source: None,
        }
    }
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.reason {
            Reason::Failed => "the codec failed",
            Reason::Unreadable => {
                "its bytes cannot be decoded again: `flatten`, `untagged`, `skip_serializing_if` \
                 and the like need a codec that describes itself"
            }
            Reason::Leftover => "bytes are left over behind the value",
            Reason::Undigested => "the value fails to serialize, or nests too deep",
            Reason::Changed => "the value is another one after decoding",
            Reason::Failure => "the value holds an `Err`, which is never kept",
            Reason::Hidden => {
                "decoded again it is not equal to what was loaded: its `Serialize` leaves out or alters \
                 a part (`skip`, `with`, `into` and the like), which no codec brings back"
            }
            Reason::NestedNone => "a nested `None` or `()` inside `Some` is lost in this format",
        })
    }
}

impl fmt::Debug for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CodecError").field(&self.reason).finish()
    }
}

impl Error for CodecError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

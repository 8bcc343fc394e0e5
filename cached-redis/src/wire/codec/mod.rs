//! Codecs guard nothing themselves: they turn a value into bytes and back. That the bytes really
//! give the value back, and are those of this very type, is checked around them, in `check`.

#[cfg(feature = "bincode")]
mod bincode;
mod check;
mod choice;
mod decode;
mod error;
mod format;
mod json;
mod msgpack;

use serde::Serialize;
use serde::de::DeserializeOwned;

#[cfg(feature = "bincode")]
pub use self::bincode::Bincode;
pub(crate) use self::check::{Checked, Encoded, Equal, Sample, Sampled};
pub use self::choice::{Choice, FromCache};
pub(crate) use self::decode::{Decoded, Slot, decode_builtin, decode_checked, decode_into, reads};
pub use self::error::CodecError;
pub use self::format::Format;
pub use self::json::Json;
pub use self::msgpack::Msgpack;
use crate::wire::fingerprint::{Fingerprinted, Seen};

/// Turns values into bytes and back.
///
/// Built in are `Bincode` (the default: compact and fast), [`Msgpack`] and [`Json`]. Write another
/// as a unit struct and name it with `codec = path::To::It` on an attribute.
///
/// Before a value is stored it is decoded again and compared. One that does not come back the same
/// is stored in [`Msgpack`] instead, with a warning, or not at all. The shape of its type is stored
/// beside it, and an entry of a type of another shape is a miss: see [`Schema`](crate::Schema).
///
/// # Examples
///
/// ```
/// use cached_redis::codec::{Codec, CodecError};
/// use serde::{Serialize, de::DeserializeOwned};
///
/// /// JSON that a person can read in `redis-cli`.
/// #[derive(Clone, Copy)]
/// struct Pretty;
///
/// impl Codec for Pretty {
///     fn id(&self) -> u8 {
///         200
///     }
///
///     fn self_describing(&self) -> bool {
///         true
///     }
///
///     fn encode<T: Serialize + ?Sized>(&self, value: &T, out: &mut Vec<u8>) -> Result<(), CodecError> {
///         serde_json::to_writer_pretty(out, value).map_err(CodecError::new)
///     }
///
///     fn decode<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, CodecError> {
///         serde_json::from_slice(bytes).map_err(CodecError::new)
///     }
/// }
///
/// let mut bytes = Vec::new();
/// Pretty.encode(&[1, 2], &mut bytes)?;
/// assert_eq!(bytes, b"[\n  1,\n  2\n]");
/// assert_eq!(Pretty.decode::<[u8; 2]>(&bytes)?, [1, 2]);
/// # Ok::<(), CodecError>(())
/// ```
pub trait Codec: Copy + Send + Sync + 'static {
    /// The number of this codec in stored entries: 128 to 255, the rest is reserved. An entry of
    /// another number is a miss, so a new number is also how to retire old entries.
    fn id(&self) -> u8;

    /// Whether the bytes carry the names of fields and variants, so that
    /// [`Schema::Additive`](crate::Schema::Additive) may be asked for.
    fn self_describing(&self) -> bool {
        false
    }

    /// Appends the bytes of `value` to `out`.
    ///
    /// # Errors
    ///
    /// When the format has no form for the value.
    fn encode<T: Serialize + ?Sized>(&self, value: &T, out: &mut Vec<u8>)
    -> Result<(), CodecError>;

    /// Reads a value back.
    ///
    /// The bytes may be anything: expect truncated and foreign ones, and refuse leftover ones.
    ///
    /// # Errors
    ///
    /// When the bytes are not exactly one value of this type.
    fn decode<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, CodecError>;

    /// As `decode`, with a look at the type, and guarded against forged lengths and deep nesting by it.
    #[doc(hidden)]
    fn decode_traced<T: DeserializeOwned>(
        &self,
        bytes: &[u8],
        to: &mut Option<T>,
    ) -> Result<Seen, CodecError> {
        let Fingerprinted { value, seen } = self.decode(bytes)?;
        *to = value;
        Ok(seen)
    }
}

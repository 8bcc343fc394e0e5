//! JSON describes itself, has no form for NaN and infinity, and cannot tell `Some(None)` from
//! `None`; the check around it finds both.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Codec, CodecError};

/// JSON, for values that people or other languages read in Redis.
///
/// # Examples
///
/// ```
/// use cached_redis::codec::{Codec, Json};
///
/// let mut bytes = Vec::new();
/// Json.encode(&("milk", 3), &mut bytes)?;
/// assert_eq!(bytes, br#"["milk",3]"#);
/// # Ok::<(), cached_redis::codec::CodecError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Json;

impl Codec for Json {
    fn id(&self) -> u8 {
        3
    }

    fn self_describing(&self) -> bool {
        true
    }

    fn encode<T: Serialize + ?Sized>(
        &self,
        value: &T,
        out: &mut Vec<u8>,
    ) -> Result<(), CodecError> {
        encode(value, out)
    }

    fn decode<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, CodecError> {
        serde_json::from_slice(bytes).map_err(CodecError::new)
    }
}

pub(super) fn encode<T: Serialize + ?Sized>(
    value: &T,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    serde_json::to_writer(out, value).map_err(CodecError::new)
}

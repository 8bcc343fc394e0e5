//! MessagePack with names guards against what compact formats cannot read back, and is what the
//! self-check falls back to.

use std::io::ErrorKind;

use rmp_serde::decode::{Error as DecodeError, ReadRefReader};
use rmp_serde::{Deserializer, Serializer};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::Reason;
use super::{Codec, CodecError};
use crate::wire::digest::DEEPEST;

/// Reads from bytes.
type Bytes<'de> = Deserializer<ReadRefReader<'de, [u8]>>;

/// [MessagePack](https://docs.rs/rmp-serde) with named fields: for `flatten`, `untagged`,
/// `skip_serializing_if`, `serde_json::Value`, and for types whose changes are
/// [additive](crate::Schema::Additive).
///
/// # Examples
///
/// ```
/// use cached_redis::codec::{Codec, Msgpack};
///
/// let mut bytes = Vec::new();
/// Msgpack.encode(&("milk", 3), &mut bytes)?;
/// assert_eq!(bytes, b"\x92\xA4milk\x03");
/// # Ok::<(), cached_redis::codec::CodecError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Msgpack;

impl Codec for Msgpack {
    fn id(&self) -> u8 {
        2
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
        let mut deserializer = deserializer(bytes);
        let value = T::deserialize(&mut deserializer).map_err(CodecError::new)?;
        end(deserializer)?;
        Ok(value)
    }
}

pub(super) fn encode<T: Serialize + ?Sized>(
    value: &T,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    let mut serializer = Serializer::new(out).with_struct_map();
    value.serialize(&mut serializer).map_err(CodecError::new)
}

pub(super) fn deserializer(bytes: &[u8]) -> Bytes<'_> {
    let mut deserializer = Deserializer::from_read_ref(bytes);
    // What nests deeper was stored by nobody: a level of a value has two here, where it is a variant's. Who
    // skips a field that the type has not counts no levels of his own.
    deserializer.set_max_depth(2 * DEEPEST as usize);
    deserializer
}

/// It does not say how far it came; but only at the end there is no byte to read.
pub(super) fn end(mut deserializer: Bytes<'_>) -> Result<(), CodecError> {
    match u8::deserialize(&mut deserializer) {
        Err(DecodeError::InvalidMarkerRead(error)) if error.kind() == ErrorKind::UnexpectedEof => {
            Ok(())
        }
        _ => Err(CodecError::of(Reason::Leftover)),
    }
}

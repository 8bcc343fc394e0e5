//! The codec of a cache, which is chosen at run time, and the fallback. All but the default take one path: a
//! type is compiled for it once, and it is compiled once for all types.

use serde::Serialize;
use serde::de::DeserializeOwned;

#[cfg(feature = "bincode")]
use super::Bincode;
use super::error::Reason;
use super::{Codec, CodecError, Json, Msgpack, json, msgpack};
use crate::wire::fingerprint::{Erased, Seen};

/// A codec chosen at run time: the default of a cache.
///
/// # Examples
///
/// ```
/// use cached_redis::Format;
///
/// # #[cfg(feature = "bincode")]
/// assert_eq!(Format::default(), Format::Bincode);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// [`Bincode`]: compact and fast, for types that are read the way they are written.
    #[cfg(feature = "bincode")]
    Bincode,
    /// [`Msgpack`]: with names, for `flatten`, `untagged`, `Value` and
    /// [additive changes](crate::Schema::Additive) of types.
    Msgpack,
    /// [`Json`]: as `Msgpack`, and readable for people.
    Json,
}

/// `Bincode`, or `Msgpack` where the feature `bincode` is off.
impl Default for Format {
    fn default() -> Self {
        #[cfg(feature = "bincode")]
        return Self::Bincode;
        #[cfg(not(feature = "bincode"))]
        return Self::Msgpack;
    }
}

impl Codec for Format {
    fn id(&self) -> u8 {
        match self {
            #[cfg(feature = "bincode")]
            Self::Bincode => Bincode.id(),
            Self::Msgpack => Msgpack.id(),
            Self::Json => Json.id(),
        }
    }

    fn self_describing(&self) -> bool {
        match self {
            #[cfg(feature = "bincode")]
            Self::Bincode => Bincode.self_describing(),
            Self::Msgpack => Msgpack.self_describing(),
            Self::Json => Json.self_describing(),
        }
    }

    fn encode<T: Serialize + ?Sized>(
        &self,
        value: &T,
        out: &mut Vec<u8>,
    ) -> Result<(), CodecError> {
        match self {
            #[cfg(feature = "bincode")]
            Self::Bincode => Bincode.encode(value, out),
            _ => self.encode_erased(&value, out),
        }
    }

    fn decode<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, CodecError> {
        match self {
            #[cfg(feature = "bincode")]
            Self::Bincode => Bincode.decode(bytes),
            _ => {
                let mut value = None;
                self.decode_traced(bytes, &mut value)?;
                value.ok_or(CodecError::of(Reason::Failed))
            }
        }
    }

    #[inline]
    fn decode_traced<T: DeserializeOwned>(
        &self,
        bytes: &[u8],
        to: &mut Option<T>,
    ) -> Result<Seen, CodecError> {
        match self {
            #[cfg(feature = "bincode")]
            Self::Bincode => Bincode.decode_traced(bytes, to),
            _ => {
                let (seen, value) = Erased::decode(|value| self.decode_erased(bytes, value));
                *to = value;
                seen
            }
        }
    }
}

impl Format {
    fn encode_erased(
        self,
        value: &dyn erased_serde::Serialize,
        out: &mut Vec<u8>,
    ) -> Result<(), CodecError> {
        match self {
            Self::Json => json::encode(value, out),
            _ => msgpack::encode(value, out),
        }
    }

    fn decode_erased<'de>(
        self,
        bytes: &'de [u8],
        value: Erased<'_, 'de>,
    ) -> Result<Seen, CodecError> {
        if self == Self::Json {
            let mut json = serde_json::Deserializer::from_slice(bytes);
            let seen = value.read(&mut json).map_err(CodecError::new)?;
            return json.end().map(|()| seen).map_err(CodecError::new);
        }
        let mut msgpack = msgpack::deserializer(bytes);
        let seen = value.read(&mut msgpack).map_err(CodecError::new)?;
        msgpack::end(msgpack).map(|()| seen)
    }
}

//! bincode writes neither names nor types, so its bytes fit many types; the fingerprint beside
//! them is what tells those apart.

use bincode::config::{Configuration, Limit, LittleEndian, Varint, standard};
use bincode::enc::write::Writer;
use bincode::error::{DecodeError, EncodeError};
use bincode::serde::{borrow_decode_from_slice, seed_decode_from_slice};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::Reason;
use super::{Codec, CodecError};
use crate::wire::fingerprint::{Bytewise, Seen};

/// The largest string that Redis takes, and so the most that a payload can claim to contain.
const LIMIT: usize = 512 * 1024 * 1024;

/// [bincode](https://docs.rs/bincode) 2 in serde mode: compact and fast, the default.
///
/// # Examples
///
/// ```
/// use cached_redis::codec::{Codec, Bincode};
///
/// let mut bytes = Vec::new();
/// Bincode.encode(&("milk", 3_u32), &mut bytes)?;
/// assert_eq!(bytes, b"\x04milk\x03");
/// assert_eq!(Bincode.decode::<(String, u32)>(&bytes)?, ("milk".to_owned(), 3));
/// # Ok::<(), cached_redis::codec::CodecError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Bincode;

impl Codec for Bincode {
    fn id(&self) -> u8 {
        1
    }

    fn encode<T: Serialize + ?Sized>(
        &self,
        value: &T,
        out: &mut Vec<u8>,
    ) -> Result<(), CodecError> {
        bincode::serde::encode_into_writer(value, Appended(out), config()).map_err(CodecError::new)
    }

    fn decode<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, CodecError> {
        whole(borrow_decode_from_slice(bytes, config()), bytes)
    }

    /// Without the limit, which is counted for every number and would be a fifth of the time.
    #[inline]
    fn decode_traced<T: DeserializeOwned>(
        &self,
        bytes: &[u8],
        to: &mut Option<T>,
    ) -> Result<Seen, CodecError> {
        whole(
            seed_decode_from_slice(Bytewise(to), bytes, standard()),
            bytes,
        )
    }
}

/// What was decoded, if it is all of the bytes.
fn whole<T>(decoded: Result<(T, usize), DecodeError>, bytes: &[u8]) -> Result<T, CodecError> {
    let (value, read) = decoded.map_err(CodecError::new)?;
    match read == bytes.len() {
        true => Ok(value),
        false => Err(CodecError::of(Reason::Leftover)),
    }
}

fn config() -> Configuration<LittleEndian, Varint, Limit<LIMIT>> {
    standard().with_limit()
}

struct Appended<'a>(&'a mut Vec<u8>);

impl Writer for Appended<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

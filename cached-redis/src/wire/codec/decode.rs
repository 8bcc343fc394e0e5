//! Decoding: of an entry, what was written by a type of this shape alone.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Codec, CodecError, Format};
use crate::wire::digest::{Digest, DigestError};
use crate::wire::entry::Header;
use crate::wire::fingerprint::{Seen, within};

/// Numbers below are those of the built-in codecs.
const FIRST_FOREIGN: u8 = 128;

/// What is used where a codec cannot bring a value back.
pub(super) const FALLBACK: Format = Format::Msgpack;

/// What a value is decoded into, as code sees it that is compiled once.
pub(crate) trait Slot {
    /// The number of its codec.
    fn codec(&self) -> u8;
    /// Decodes what was written in the codec of this number, its own or the fallback; gives the fingerprint, if there
    /// is one.
    fn read(&mut self, codec: u8, payload: &[u8]) -> Result<Option<u32>, CodecError>;
    /// That of what was decoded.
    fn digest(&self, of: Digests) -> Option<Digest>;
    /// Whether it is not equal to what it is compared with.
    fn hides(&self) -> bool;
}

/// Which digest.
pub(super) type Digests = fn(&dyn erased_serde::Serialize) -> Result<Digest, DigestError>;

/// See [`Slot`].
pub(crate) struct Decoded<'a, C, T> {
    codec: C,
    compared: Compared<'a, T>,
    pub(crate) value: Option<T>,
}

/// What a value is to be equal to, and how that is found.
type Compared<'a, T> = Option<(&'a T, fn(&T, &T) -> bool)>;

impl<'a, C, T> Decoded<'a, C, T> {
    pub(crate) fn new(codec: C) -> Self {
        Self::compared(codec, None)
    }

    pub(super) fn compared(codec: C, compared: Compared<'a, T>) -> Self {
        Self {
            codec,
            compared,
            value: None,
        }
    }
}

impl<C: Codec, T: Serialize + DeserializeOwned> Slot for Decoded<'_, C, T> {
    fn codec(&self) -> u8 {
        self.codec.id()
    }

    fn read(&mut self, codec: u8, payload: &[u8]) -> Result<Option<u32>, CodecError> {
        let seen = match codec == self.codec.id() {
            true => traced(&self.codec, payload, &mut self.value),
            false => traced(&FALLBACK, payload, &mut self.value),
        }?;
        let read = self.value.as_ref();
        Ok(read.and_then(|value| seen.fingerprint(&value)))
    }

    fn digest(&self, of: Digests) -> Option<Digest> {
        of(&self.value.as_ref()?).ok()
    }

    /// One that differs from itself, such as a NaN, cannot be compared.
    fn hides(&self) -> bool {
        let (Some((of, equal)), Some(value)) = (self.compared, &self.value) else {
            return false;
        };
        equal(of, of) && !equal(of, value)
    }
}

/// Whether an entry is in `codec`, or fell back to MessagePack.
pub(crate) fn reads(codec: &impl Codec, header: &Header) -> bool {
    header.codec == codec.id() || header.codec == FALLBACK.id()
}

/// Decodes what stands behind `header`, if it was written in `codec` or fell back to MessagePack,
/// and by a type of this very shape, or of any that `additive` allows. Anything else is a miss.
pub(crate) fn decode_checked<C, T>(
    codec: C,
    header: &Header,
    payload: &[u8],
    additive: bool,
) -> Option<T>
where
    C: Codec,
    T: Serialize + DeserializeOwned,
{
    let mut decoded = Decoded::new(codec);
    decode_into(&mut decoded, header, payload, &|| additive)
        .then_some(decoded.value)
        .flatten()
}

/// The same from whichever of the built-in codecs it was written in.
pub(crate) fn decode_builtin<T>(header: &Header, payload: &[u8], additive: bool) -> Option<T>
where
    T: Serialize + DeserializeOwned,
{
    #[cfg(feature = "bincode")]
    if header.codec == Format::Bincode.id() {
        return decode_checked(Format::Bincode, header, payload, false);
    }
    decode_checked(Format::Json, header, payload, additive)
}

/// The same into a slot, whose value is of no use where this is false.
pub(crate) fn decode_into(
    slot: &mut dyn Slot,
    header: &Header,
    payload: &[u8],
    additive: &dyn Fn() -> bool,
) -> bool {
    if header.codec != slot.codec() && header.codec != FALLBACK.id() {
        return false;
    }
    // What else is allowed is asked last: it is seldom needed.
    slot.read(header.codec, payload)
        .is_ok_and(|read| read == Some(header.fingerprint) || additive())
}

fn traced<C, T>(codec: &C, payload: &[u8], to: &mut Option<T>) -> Result<Seen, CodecError>
where
    C: Codec,
    T: DeserializeOwned,
{
    // The bytes of somebody else's codec may be compressed: their number says nothing.
    let room = if codec.id() < FIRST_FOREIGN {
        payload.len()
    } else {
        usize::MAX
    };
    within(room, || codec.decode_traced(payload, to))
}

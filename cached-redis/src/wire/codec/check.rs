//! The check guards the user's data on both ways. Nothing is stored that does not come back the
//! same, and nothing is handed out whose type has changed since it was stored.
//!
//! Whether a value came back the same is asked of serde, which does not see what a type leaves out or
//! alters on the way to it (`skip`, masks, rounding), and of `PartialEq`, where the type has it.

use std::any::type_name;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::decode::{Decoded, FALLBACK, Slot};
use super::error::Reason;
use super::{Codec, CodecError};
use crate::wire::digest::{self, Digest};

/// Compares two values of a type that can be compared.
pub(crate) type Equal<T> = Option<fn(&T, &T) -> bool>;

/// A value as it can be stored.
#[derive(Debug)]
pub(crate) struct Encoded {
    pub(crate) payload: Vec<u8>,
    /// The codec that was used in the end.
    pub(crate) codec: u8,
    pub(crate) fingerprint: u32,
    /// Why this is not in the codec that was asked for, but in MessagePack.
    pub(crate) fell_back: Option<CodecError>,
}

/// A value and its codec, as code sees them that is compiled once for all types.
pub(crate) trait Sample {
    /// The number of its codec.
    fn codec(&self) -> u8;
    /// Whether that carries names.
    fn describes(&self) -> bool;
    fn value(&self) -> &dyn erased_serde::Serialize;
    /// Whether what comes back is compared with it.
    fn is_compared(&self) -> bool;
    /// Writes it in the codec of this number, its own or the fallback.
    fn write(&self, codec: u8, out: &mut Vec<u8>) -> Result<(), CodecError>;
    /// Shows what it can be read back into.
    fn slot(&self, to: &mut dyn FnMut(&mut dyn Slot));
}

impl dyn Sample + '_ {
    /// Encodes it, in MessagePack if it does not come back the same in its codec.
    pub(crate) fn encode(&self) -> Result<Encoded, CodecError> {
        encode_checked(self, self.codec(), self.describes())
    }

    /// Encodes it in MessagePack.
    pub(crate) fn encode_in_fallback(&self) -> Result<Encoded, CodecError> {
        encode_checked(self, FALLBACK.id(), FALLBACK.self_describing())
    }

    /// Whether `read` makes the same value of the slot that it is shown, as far as serde sees it.
    pub(crate) fn is_same(&self, mut read: impl FnMut(&mut dyn Slot) -> bool) -> bool {
        let Ok(digest) = digest::of(self.value()) else {
            return false;
        };
        let mut is_same = false;
        self.slot(&mut |slot| is_same = read(slot) && same(self.value(), digest, slot));
        is_same
    }

    /// The fingerprint of what comes back, if that is the same.
    fn read_back(&self, codec: u8, payload: &[u8], digest: Digest) -> Result<u32, CodecError> {
        let changed = || CodecError::of(Reason::Changed);
        let mut read = Err(changed());
        self.slot(&mut |slot| {
            read = match slot.read(codec, payload) {
                Err(error) => Err(CodecError::caused(Reason::Unreadable, error)),
                Ok(_) if !same(self.value(), digest, slot) => Err(changed()),
                Ok(_) if slot.hides() => Err(CodecError::of(Reason::Hidden)),
                Ok(fingerprint) => fingerprint.ok_or_else(changed),
            };
        });
        read
    }
}

/// See [`Sample`].
pub(crate) struct Checked<'a, C, T> {
    pub(crate) codec: C,
    pub(crate) value: &'a T,
    pub(crate) equal: Equal<T>,
}

impl<C: Codec, T: Serialize + DeserializeOwned> Sample for Checked<'_, C, T> {
    fn codec(&self) -> u8 {
        self.codec.id()
    }

    fn describes(&self) -> bool {
        self.codec.self_describing()
    }

    /// By reference twice, as codecs write it: so that is compiled once.
    fn value(&self) -> &dyn erased_serde::Serialize {
        &self.value
    }

    fn is_compared(&self) -> bool {
        self.equal.is_some()
    }

    fn write(&self, codec: u8, out: &mut Vec<u8>) -> Result<(), CodecError> {
        match codec == self.codec.id() {
            true => self.codec.encode(self.value, out),
            false => FALLBACK.encode(self.value, out),
        }
    }

    fn slot(&self, to: &mut dyn FnMut(&mut dyn Slot)) {
        let compared = self.equal.map(|equal| (self.value, equal));
        to(&mut Decoded::compared(self.codec, compared));
    }
}

impl<C: Codec, T: Serialize + DeserializeOwned> Checked<'_, C, T> {
    pub(crate) fn sample(&self) -> &dyn Sample {
        self
    }
}

/// A result to store, whatever its type.
#[derive(Clone, Copy)]
pub(crate) struct Sampled<'a> {
    /// `None`: a known absence.
    value: Option<&'a dyn Sample>,
    type_name: fn() -> &'static str,
}

impl<'a> Sampled<'a> {
    pub(crate) fn of<C, T>(value: Option<&'a Checked<'a, C, T>>) -> Self
    where
        C: Codec,
        T: Serialize + DeserializeOwned,
    {
        Self {
            value: value.map(Checked::sample),
            type_name: type_name::<T>,
        }
    }

    pub(crate) fn value(&self) -> Option<&'a dyn Sample> {
        self.value
    }

    pub(crate) fn type_name(&self) -> fn() -> &'static str {
        self.type_name
    }
}

/// Encodes a value that is known to come back the same, in MessagePack if it does not in `codec`.
fn encode_checked(sample: &dyn Sample, codec: u8, describes: bool) -> Result<Encoded, CodecError> {
    // First of all, since it is what finds values that fail to serialize or nest too deep.
    let digest = digest::of(sample.value())
        .map_err(|error| CodecError::caused(Reason::Undigested, error))?;
    if digest.failed {
        return Err(CodecError::of(Reason::Failure));
    }
    let refused = match encode_in(sample, codec, describes, digest) {
        Ok(encoded) => return Ok(encoded),
        Err(error) if codec == FALLBACK.id() => return Err(error),
        Err(error) => error,
    };
    let mut encoded = encode_in(sample, FALLBACK.id(), FALLBACK.self_describing(), digest)?;
    encoded.fell_back = Some(refused);
    Ok(encoded)
}

fn encode_in(
    sample: &dyn Sample,
    codec: u8,
    describes: bool,
    digest: Digest,
) -> Result<Encoded, CodecError> {
    if describes && digest.nested_none {
        return Err(CodecError::of(Reason::NestedNone));
    }
    let mut payload = Vec::new();
    sample.write(codec, &mut payload)?;
    Ok(Encoded {
        fingerprint: sample.read_back(codec, &payload, digest)?,
        payload,
        codec,
        fell_back: None,
    })
}

/// A skipped field, or another variant of an untagged enum, decodes well and is another value.
fn same(value: &dyn erased_serde::Serialize, digest: Digest, read: &dyn Slot) -> bool {
    // Only sets and heaps need the second look, which is the slower one.
    read.digest(digest::of) == Some(digest) || {
        let unordered = digest::unordered(value).ok();
        unordered.is_some() && unordered == read.digest(digest::unordered)
    }
}

#[cfg(test)]
mod tests;

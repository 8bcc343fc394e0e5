//! The check guards the user's data on both ways. Nothing is stored that does not come back the
//! same, and nothing is handed out whose type has changed since it was stored.
//!
//! Whether a value came back the same is asked of serde, which does not see what a type leaves out or
//! alters on the way to it (`skip`, masks, rounding), and of `PartialEq`, where the type has it.

use std::any::type_name;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::decode::{FALLBACK, read};
use super::error::Reason;
use super::{Codec, CodecError};
use crate::wire::digest::{self, Digest, Digestible};
use crate::wire::fingerprint::Fingerprinted;

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
    /// Encodes it, in MessagePack if it does not come back the same in its codec.
    fn encode(&self) -> Result<Encoded, CodecError>;
    /// Encodes it in MessagePack.
    fn encode_in_fallback(&self) -> Result<Encoded, CodecError>;
    /// Whether what comes back is compared with it.
    fn is_compared(&self) -> bool;
}

/// See [`Sample`].
pub(crate) struct Checked<'a, C, T> {
    pub(crate) codec: C,
    pub(crate) value: &'a T,
    pub(crate) equal: Equal<T>,
}

impl<C: Codec, T: Serialize + DeserializeOwned> Sample for Checked<'_, C, T> {
    fn encode(&self) -> Result<Encoded, CodecError> {
        encode_checked(self, self.codec.id(), self.codec.self_describing())
    }

    fn encode_in_fallback(&self) -> Result<Encoded, CodecError> {
        encode_checked(self, FALLBACK.id(), FALLBACK.self_describing())
    }

    fn is_compared(&self) -> bool {
        self.equal.is_some()
    }
}

/// What of it is compiled for each type and codec.
trait Parts {
    fn value(&self) -> &dyn Digestible;
    /// Writes it in the codec of this number, which is its own or the fallback.
    fn write(&self, codec: u8, out: &mut Vec<u8>) -> Result<(), CodecError>;
    /// The fingerprint of what comes back, if that is the same.
    fn read(&self, codec: u8, payload: &[u8], digest: Digest) -> Result<u32, CodecError>;
}

impl<C: Codec, T: Serialize + DeserializeOwned> Parts for Checked<'_, C, T> {
    fn value(&self) -> &dyn Digestible {
        self.value
    }

    fn write(&self, codec: u8, out: &mut Vec<u8>) -> Result<(), CodecError> {
        match codec == self.codec.id() {
            true => self.codec.encode(self.value, out),
            false => FALLBACK.encode(self.value, out),
        }
    }

    fn read(&self, codec: u8, payload: &[u8], digest: Digest) -> Result<u32, CodecError> {
        let read: Fingerprinted<T> = read(&self.codec, codec, payload).map_err(unreadable)?;
        if !same(self.value, digest, &read.value) {
            return Err(CodecError::of(Reason::Changed));
        }
        // One that differs from itself, such as a NaN, cannot be compared.
        let hides = |equal: fn(&T, &T) -> bool| {
            equal(self.value, self.value) && !equal(self.value, &read.value)
        };
        if self.equal.is_some_and(hides) {
            return Err(CodecError::of(Reason::Hidden));
        }
        read.fingerprint().ok_or(CodecError::of(Reason::Changed))
    }
}

fn unreadable(error: CodecError) -> CodecError {
    CodecError::caused(Reason::Unreadable, error)
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
            value: value.map(|value| value as &dyn Sample),
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
fn encode_checked(parts: &dyn Parts, codec: u8, describes: bool) -> Result<Encoded, CodecError> {
    // First of all, since it is what finds values that fail to serialize or nest too deep.
    let digest =
        digest::of(parts.value()).map_err(|error| CodecError::caused(Reason::Undigested, error))?;
    if digest.failed {
        return Err(CodecError::of(Reason::Failure));
    }
    let refused = match encode_in(parts, codec, describes, digest) {
        Ok(encoded) => return Ok(encoded),
        Err(error) if codec == FALLBACK.id() => return Err(error),
        Err(error) => error,
    };
    let mut encoded = encode_in(parts, FALLBACK.id(), FALLBACK.self_describing(), digest)?;
    encoded.fell_back = Some(refused);
    Ok(encoded)
}

fn encode_in(
    parts: &dyn Parts,
    codec: u8,
    describes: bool,
    digest: Digest,
) -> Result<Encoded, CodecError> {
    if describes && digest.nested_none {
        return Err(CodecError::of(Reason::NestedNone));
    }
    let mut payload = Vec::new();
    parts.write(codec, &mut payload)?;
    Ok(Encoded {
        fingerprint: parts.read(codec, &payload, digest)?,
        payload,
        codec,
        fell_back: None,
    })
}

/// A skipped field, or another variant of an untagged enum, decodes well and is another value.
fn same(value: &dyn Digestible, digest: Digest, read: &dyn Digestible) -> bool {
    let ordered = digest::of(read).ok() == Some(digest);
    // Only sets and heaps need the second look, which is the slower one.
    ordered || {
        let (value, read) = (digest::unordered(value), digest::unordered(read));
        value.is_ok() && value.ok() == read.ok()
    }
}

/// Whether two values are the same as far as serde sees them.
pub(crate) fn same_values(one: &dyn Digestible, other: &dyn Digestible) -> bool {
    digest::of(one).is_ok_and(|digest| same(one, digest, other))
}

#[cfg(test)]
mod tests;

//! The fingerprint guards against bytes of an old type that a new type can read. Compact codecs write
//! no names, so that fields swapped between places of one type, variants moved and a struct replaced by
//! another decode without an error, into garbage; and where there are names, a renamed optional field
//! decodes without its value.
//!
//! A value is decoded through a thin [`Traced`] deserializer that passes every call on and hashes
//! what it says about the type: names, field and variant lists, kinds, lengths of tuples. The same
//! bytes and the same type always make the same calls, in every process, build and platform. What
//! serde does not see (a `#[serde(with = …)]` of the same kind, swapped places of a tuple) is not
//! seen here either. What serde buffers first (`untagged`, `flatten`, internally tagged enums) is decoded
//! from its buffer, where no trace can follow, and a struct with `flatten` is taken from a map and says
//! no names. Of these it counts what they came to: a field that found nothing makes another value.
//!
//! Elements of a sequence or a map all have one type. Once one of them has shown all of it (every
//! option was there, every list inside had an element), the others can say nothing new about it,
//! so they are only guarded and not hashed: see [`elements`].
//!
//! The same wrapper guards the process against forged bytes: sequences may not claim more elements
//! than there are bytes, all of them together; nesting is limited, and texts are only copied once
//! they were seen to be there.

mod access;
mod deserializer;
mod elements;
mod erased;
mod names;
mod tracer;
mod visitor;

use std::cell::Cell;

#[cfg(feature = "bincode")]
use serde::de::DeserializeSeed;
use serde::{Deserialize, Deserializer};

use self::access::Traced;
pub(crate) use self::erased::Erased;
#[cfg(feature = "bincode")]
use self::tracer::BYTEWISE;
use self::tracer::{Hasher, TYPED, Trace};
use crate::wire::digest;

/// What the type of a decoded value looked like to serde on the way.
#[derive(Clone, Copy)]
pub struct Seen {
    traced: u32,
    /// Whether some of the value was decoded out of sight.
    buffered: bool,
}

impl Seen {
    fn of(trace: &Trace) -> Self {
        Self {
            traced: trace.fingerprint(),
            buffered: trace.buffered(),
        }
    }

    /// `None` of a value that was decoded out of sight and cannot be looked at.
    pub(crate) fn fingerprint(self, value: &dyn erased_serde::Serialize) -> Option<u32> {
        match self.buffered {
            false => Some(self.traced),
            true => self.mixed(value),
        }
    }

    #[cold]
    fn mixed(self, value: &dyn erased_serde::Serialize) -> Option<u32> {
        let digest = digest::unordered(value).ok()?;
        Some(self.traced ^ digest.hash as u32)
    }
}

/// What was decoded and what was seen of its type, for codecs that do not look at that.
pub(crate) struct Fingerprinted<T> {
    pub(crate) value: Option<T>,
    pub(crate) seen: Seen,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Fingerprinted<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut value = None;
        let seen = traced::<_, _, TYPED>(deserializer, &mut value)?;
        Ok(Self { value, seen })
    }
}

/// Where a value goes of a format that writes a text like the bytes of it. Texts are taken as bytes and checked
/// here: a deserializer has to pass on what it has checked, which costs more than to check it.
#[cfg(feature = "bincode")]
pub(crate) struct Bytewise<'a, T>(pub(crate) &'a mut Option<T>);

#[cfg(feature = "bincode")]
impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for Bytewise<'_, T> {
    type Value = Seen;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Seen, D::Error> {
        traced::<_, _, BYTEWISE>(deserializer, self.0)
    }
}

fn traced<'de, D, T, const FORM: u8>(from: D, to: &mut Option<T>) -> Result<Seen, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let trace = Trace::new(ROOM.get());
    *to = Some(T::deserialize(Traced::new(from, Hasher::<FORM>(&trace)))?);
    Ok(Seen::of(&trace))
}

thread_local! {
    /// How many elements sequences may claim. serde has no place to carry it.
    static ROOM: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// Runs a decoder over bytes in which sequences cannot have more than `room` elements altogether.
pub(crate) fn within<R>(room: usize, decode: impl FnOnce() -> R) -> R {
    make(room);
    let result = decode();
    make(usize::MAX);
    result
}

/// Makes this much room: apart, since the rest is compiled with each type.
fn make(room: usize) {
    ROOM.set(room);
}

#[cfg(test)]
mod tests;

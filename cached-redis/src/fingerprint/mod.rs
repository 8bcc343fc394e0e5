//! The fingerprint guards against bytes of an old type that a new type can read: fields swapped
//! between places of one type, variants moved, a struct replaced by another of the same shape.
//! Compact codecs write no names, so such bytes decode without an error, into garbage.
//!
//! A value is decoded through a thin [`Traced`] deserializer that passes every call on and hashes
//! what it says about the type: names, field and variant lists, kinds, lengths of tuples. The same
//! bytes and the same type always make the same calls, in every process, build and platform. What
//! serde does not see (a `#[serde(with = …)]` of the same kind, swapped places of a tuple) is not
//! seen here either.
//!
//! The same wrapper guards the process against forged bytes: no sequence may claim more elements
//! than there are bytes, nesting is limited, and texts are only copied once they were seen to be
//! there.

mod access;
mod deserializer;
mod names;
mod visitor;

use std::cell::Cell;

use serde::{Deserialize, Deserializer, de};

use self::access::Traced;
use crate::digest::DEEPEST;

/// A decoded value, and what its type looked like to serde on the way.
pub(crate) struct Fingerprinted<T> {
    pub(crate) value: T,
    pub(crate) fingerprint: u32,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Fingerprinted<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let trace = Trace::new(ROOM.get());
        let value = T::deserialize(Traced::new(deserializer, &trace))?;
        Ok(Self {
            value,
            fingerprint: trace.fingerprint(),
        })
    }
}

thread_local! {
    /// How many elements a sequence may claim. serde has no place to carry it.
    static ROOM: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// Runs a decoder over bytes in which no sequence can have more than `room` elements.
pub(crate) fn within<R>(room: usize, decode: impl FnOnce() -> R) -> R {
    ROOM.set(room);
    let result = decode();
    ROOM.set(usize::MAX);
    result
}

/// What the calls of one decoding have in common.
struct Trace {
    hash: Cell<u64>,
    depth: Cell<u32>,
    room: usize,
}

/// What a call says about the type, apart from names and lengths.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Kind {
    Any = 1,
    Bool,
    I8,
    I16,
    I32,
    I64,
    I128,
    U8,
    U16,
    U32,
    U64,
    U128,
    F32,
    F64,
    Char,
    Text,
    Bytes,
    Option,
    None,
    Some,
    Unit,
    UnitStruct,
    NewtypeStruct,
    Seq,
    Tuple,
    TupleStruct,
    Map,
    Struct,
    Enum,
    Identifier,
    Ignored,
    UnitVariant,
    NewtypeVariant,
    TupleVariant,
    StructVariant,
    End,
}

/// An odd number with its bits spread evenly (2^64 divided by the golden ratio).
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

impl Trace {
    fn new(room: usize) -> Self {
        Self {
            hash: Cell::new(SPREAD),
            depth: Cell::new(0),
            room,
        }
    }

    /// One multiplication per call, since there is a call for every number that is decoded.
    #[inline]
    fn mix(&self, word: u64) {
        let hash = (self.hash.get() ^ word).wrapping_mul(SPREAD);
        self.hash.set(hash.rotate_right(32));
    }

    #[inline]
    fn kind(&self, kind: Kind) {
        self.mix(kind as u64);
    }

    #[inline]
    fn length(&self, kind: Kind, length: usize) {
        self.mix((kind as u64) | ((length as u64) << 8));
    }

    #[inline]
    fn named(&self, kind: Kind, name: &'static str, list: &'static [&'static str]) {
        self.mix((kind as u64) ^ names::hash(name, list));
    }

    /// Counts a level of nesting while `decode` runs.
    #[inline]
    fn nested<R, E: de::Error>(&self, decode: impl FnOnce() -> Result<R, E>) -> Result<R, E> {
        let depth = self.depth.get();
        if depth == DEEPEST {
            return Err(E::custom("the value nests too deep"));
        }
        self.depth.set(depth + 1);
        let result = decode();
        self.depth.set(depth);
        result
    }

    fn fingerprint(&self) -> u32 {
        let hash = self.hash.get();
        let hash = (hash ^ (hash >> 29)).wrapping_mul(SPREAD);
        (hash >> 32) as u32
    }
}

#[cfg(test)]
mod tests;

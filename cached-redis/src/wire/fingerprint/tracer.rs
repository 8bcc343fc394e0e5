//! What is told of every call: to the one who hashes it, or to the one who only guards.

use std::any::type_name;
use std::cell::Cell;

use serde::de;

use super::names::{self, SPREAD};
use crate::wire::digest::DEEPEST;

/// What the calls of one decoding have in common.
pub(super) struct Trace {
    hash: Cell<u64>,
    depth: Cell<u32>,
    /// How many elements may still be claimed.
    room: Cell<usize>,
    /// Whether what was decoded since this was set has shown all of its type.
    whole: Cell<bool>,
    /// Whether something was asked for without saying all of it.
    buffered: Cell<bool>,
    /// The type of what begins, and whether that carries something, where only a trait object is seen of it.
    seed: Cell<(&'static str, bool)>,
}

/// What a call says about the type, apart from names and lengths.
#[derive(Clone, Copy)]
#[repr(u8)]
pub(super) enum Kind {
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

impl Trace {
    pub(super) fn new(room: usize) -> Self {
        Self {
            hash: Cell::new(SPREAD),
            depth: Cell::new(0),
            room: Cell::new(room),
            whole: Cell::new(true),
            buffered: Cell::new(false),
            seed: Cell::default(),
        }
    }

    /// A value of this type, of which only a trait object is seen.
    pub(super) fn begin(&self, name: &'static str, carries: bool) {
        self.seed.set((name, carries));
    }

    /// One multiplication per call, since there is a call for every number that is decoded.
    #[inline]
    fn mix(&self, word: u64) {
        let hash = (self.hash.get() ^ word).wrapping_mul(SPREAD);
        self.hash.set(hash.rotate_right(32));
    }

    pub(super) fn fingerprint(&self) -> u32 {
        let hash = self.hash.get();
        let hash = (hash ^ (hash >> 29)).wrapping_mul(SPREAD);
        (hash >> 32) as u32
    }

    pub(super) fn buffered(&self) -> bool {
        self.buffered.get()
    }
}

/// How types are seen.
pub(super) const TYPED: u8 = 0;

/// The same, of a format that writes a text like the bytes of it.
pub(super) const BYTEWISE: u8 = 1;

/// As trait objects.
pub(super) const ERASED: u8 = 2;

/// Who is told what a type says about itself.
pub(super) trait Tracer<'t>: Copy {
    /// Whether all of the type is known already.
    const KNOWS: bool;

    /// How types are seen.
    const FORM: u8;

    /// The one who only guards.
    type Guard: Tracer<'t>;

    fn guard(self) -> Self::Guard;

    /// What all tracers of one decoding share.
    fn trace(self) -> &'t Trace;

    /// The type of a seed.
    #[inline]
    fn name<S>(self) -> &'static str {
        match Self::FORM {
            ERASED => self.trace().seed.get().0,
            _ => type_name::<S>(),
        }
    }

    /// A seed that carries something may ask for another type the next time, as for a trait object.
    #[inline]
    fn begins<S>(self) {
        let carries = match Self::FORM {
            ERASED => self.trace().seed.get().1,
            _ => size_of::<S>() > 0,
        };
        if carries {
            self.hides();
        }
    }

    /// A call, apart from names and lengths.
    fn kind(self, kind: Kind);

    /// A call with a length that is part of the type.
    fn length(self, kind: Kind, length: usize);

    /// A call with a name, and the names of fields or variants.
    fn named(self, kind: Kind, name: &'static str, list: &'static [&'static str]);

    /// Takes the elements that a sequence claims from those that there is room for. Each sequence
    /// on its own would not do: nested ones could all claim the same bytes.
    #[inline]
    fn claim<E: de::Error>(self, length: usize) -> Result<(), E> {
        let room = &self.trace().room;
        let left = room.get().checked_sub(length);
        let left =
            left.ok_or_else(|| E::custom("more elements are claimed than there are bytes"))?;
        room.set(left);
        Ok(())
    }

    /// Part of the type does not show in this value.
    #[inline]
    fn hides(self) {
        self.trace().whole.set(false);
    }

    /// Something is asked for without saying what, or a struct without its names.
    #[inline]
    fn buffers(self) {
        self.trace().buffered.set(true);
        self.hides();
    }

    /// Sets anew whether all of the type has shown, and gives what was said before.
    #[inline]
    fn shows(self, whole: bool) -> bool {
        self.trace().whole.replace(whole)
    }

    /// Visits the elements of a compound: it has shown all of its type if one of them has.
    #[inline]
    fn elements<R, E>(self, visit: impl FnOnce() -> Result<R, E>) -> Result<R, E> {
        let before = self.shows(false);
        let visited = visit();
        let shown = self.shows(before);
        if !shown || visited.is_err() {
            self.hides();
        }
        visited
    }

    /// A level of nesting, and its end.
    #[inline]
    fn compound<R, E: de::Error>(self, visit: impl FnOnce() -> Result<R, E>) -> Result<R, E> {
        let visited = self.nested(visit);
        self.kind(Kind::End);
        visited
    }

    /// Counts a level of nesting while `decode` runs.
    #[inline]
    fn nested<R, E: de::Error>(self, decode: impl FnOnce() -> Result<R, E>) -> Result<R, E> {
        let levels = &self.trace().depth;
        let depth = levels.get();
        if depth == DEEPEST {
            return Err(E::custom("the value nests too deep"));
        }
        levels.set(depth + 1);
        let result = decode();
        levels.set(depth);
        result
    }
}

/// Hashes.
#[derive(Clone, Copy)]
pub(super) struct Hasher<'t, const FORM: u8>(pub(super) &'t Trace);

impl<'t, const FORM: u8> Tracer<'t> for Hasher<'t, FORM> {
    const KNOWS: bool = false;
    const FORM: u8 = FORM;
    type Guard = Guard<'t, FORM>;

    #[inline]
    fn guard(self) -> Self::Guard {
        Guard(self.0)
    }

    #[inline]
    fn trace(self) -> &'t Trace {
        self.0
    }

    #[inline]
    fn kind(self, kind: Kind) {
        self.0.mix(kind as u64);
    }

    #[inline]
    fn length(self, kind: Kind, length: usize) {
        self.0.mix((kind as u64) | ((length as u64) << 8));
    }

    #[inline]
    fn named(self, kind: Kind, name: &'static str, list: &'static [&'static str]) {
        self.0.mix((kind as u64) ^ names::hash(name, list));
    }
}

/// Knows the type, and only guards against forged bytes. A type that shows all of itself does not
/// contain itself, so it nests no deeper than it is written and levels need not be counted.
#[derive(Clone, Copy)]
pub(super) struct Guard<'t, const FORM: u8>(&'t Trace);

impl<'t, const FORM: u8> Tracer<'t> for Guard<'t, FORM> {
    const KNOWS: bool = true;
    const FORM: u8 = FORM;
    type Guard = Self;

    #[inline]
    fn guard(self) -> Self {
        self
    }

    #[inline]
    fn trace(self) -> &'t Trace {
        self.0
    }

    #[inline]
    fn kind(self, _: Kind) {}

    #[inline]
    fn length(self, _: Kind, _: usize) {}

    #[inline]
    fn named(self, _: Kind, _: &'static str, _: &'static [&'static str]) {}

    #[inline]
    fn compound<R, E: de::Error>(self, visit: impl FnOnce() -> Result<R, E>) -> Result<R, E> {
        visit()
    }

    #[inline]
    fn nested<R, E: de::Error>(self, decode: impl FnOnce() -> Result<R, E>) -> Result<R, E> {
        decode()
    }

    #[inline]
    fn hides(self) {}

    #[inline]
    fn shows(self, _: bool) -> bool {
        true
    }
}

//! Decoding by formats that no function names guards a user's build: types and formats meet in trait objects. So a
//! type is compiled once for all of these formats, and each of them once, with the trace, for all types.
//!
//! What a type [asks](Ask) for it is [given](Given) by whatever [reads](Reader) the format. A trait object shows
//! no type, so [seeds](Seed) say what they are of.

mod formats;
mod types;

use std::fmt;
use std::marker::PhantomData;

use serde::{Deserialize, Deserializer};

use self::formats::Source;
use self::types::Seeding;
use super::tracer::Trace;
use super::{ROOM, Seen};

/// A value to be decoded, without its type.
pub(crate) struct Erased<'a, 'de>(&'a mut dyn Seed<'de>);

impl<'de> Erased<'_, 'de> {
    /// Has a value decoded by what reads a format.
    pub(crate) fn decode<T: Deserialize<'de>, R>(
        by: impl FnOnce(Erased<'_, 'de>) -> R,
    ) -> (R, Option<T>) {
        let mut seed = Seeding::new(PhantomData);
        let read = by(Erased(&mut seed));
        (read, seed.value)
    }

    /// Reads it; gives what was seen of its type.
    pub(crate) fn read<D: Deserializer<'de>>(self, format: D) -> Result<Seen, Error> {
        let trace = Trace::new(ROOM.get());
        self.0.read(&mut Source::new(format, &trace))?;
        Ok(Seen::of(&trace))
    }
}

/// What a type asks for.
#[derive(Clone, Copy)]
enum Ask {
    Any,
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
    Str,
    String,
    Bytes,
    ByteBuf,
    Option,
    Unit,
    UnitStruct(&'static str),
    NewtypeStruct(&'static str),
    Seq,
    Tuple(usize),
    TupleStruct(&'static str, usize),
    Map,
    Struct(&'static str, &'static [&'static str]),
    Enum(&'static str, &'static [&'static str]),
    Identifier,
    IgnoredAny,
}

/// What it is given.
enum Given<'a, 'de> {
    Bool(bool),
    I8(i8),
    I16(i16),
    I32(i32),
    I64(i64),
    I128(i128),
    U8(u8),
    U16(u16),
    U32(u32),
    U64(u64),
    U128(u128),
    F32(f32),
    F64(f64),
    Char(char),
    Str(&'a str),
    BorrowedStr(&'de str),
    String(String),
    Bytes(&'a [u8]),
    BorrowedBytes(&'de [u8]),
    ByteBuf(Vec<u8>),
    None,
    Some(&'a mut dyn Reader<'de>),
    Unit,
    NewtypeStruct(&'a mut dyn Reader<'de>),
    Seq(&'a mut dyn Elements<'de>),
    Map(&'a mut dyn Entries<'de>),
    Enum(&'a mut dyn Choice<'de>),
}

type Done = Result<(), Error>;

/// A deserializer.
trait Reader<'de> {
    fn read(&mut self, ask: Ask, to: &mut dyn Visit<'de>) -> Done;
    fn is_human_readable(&self) -> bool;
}

/// A visitor, which keeps what it makes.
trait Visit<'de> {
    fn visit(&mut self, given: Given<'_, 'de>) -> Done;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

/// The same of what begins a value.
trait Seed<'de> {
    fn read(&mut self, from: &mut dyn Reader<'de>) -> Done;
    /// That of its type.
    fn name(&self) -> &'static str;
    /// Whether it carries something.
    fn carries(&self) -> bool;
}

trait Elements<'de> {
    /// Whether there was one.
    fn next(&mut self, seed: &mut dyn Seed<'de>) -> Result<bool, Error>;
    fn size_hint(&self) -> Option<usize>;
}

trait Entries<'de> {
    /// Whether there was one.
    fn next_key(&mut self, seed: &mut dyn Seed<'de>) -> Result<bool, Error>;
    fn next_value(&mut self, seed: &mut dyn Seed<'de>) -> Done;
    fn size_hint(&self) -> Option<usize>;
}

/// One of several variants: first which one it is, then what is in it.
trait Choice<'de> {
    fn variant(&mut self, seed: &mut dyn Seed<'de>) -> Done;
    fn unit(&mut self) -> Done;
    fn newtype(&mut self, seed: &mut dyn Seed<'de>) -> Done;
    fn tuple(&mut self, length: usize, to: &mut dyn Visit<'de>) -> Done;
    fn fields(&mut self, fields: &'static [&'static str], to: &mut dyn Visit<'de>) -> Done;
}

/// Why there is no value.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Error(Box<str>);

impl Error {
    /// What is there once was taken twice.
    fn taken() -> Self {
        Self("it was taken before".into())
    }
}

impl serde::de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string().into())
    }
}

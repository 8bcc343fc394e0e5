//! The side of the formats, with the trace before each of them.

use std::fmt;

use serde::Deserializer;
use serde::de::{
    DeserializeSeed, EnumAccess, Error as _, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::{Ask, Choice, Done, Elements, Entries, Error, Given, Reader, Seed, Visit};
use crate::wire::fingerprint::access::Traced;
use crate::wire::fingerprint::tracer::{ERASED, Hasher, Trace};

/// What is read from, and the trace of it.
pub(super) struct Source<'t, D> {
    inner: Option<D>,
    trace: &'t Trace,
}

impl<'t, D> Source<'t, Traced<D, Hasher<'t, ERASED>>> {
    /// Of a whole value.
    pub(super) fn new(format: D, trace: &'t Trace) -> Self {
        Self::of(Traced::new(format, Hasher(trace)), trace)
    }
}

impl<'t, D> Source<'t, D> {
    fn of(inner: D, trace: &'t Trace) -> Self {
        let inner = Some(inner);
        Self { inner, trace }
    }

    fn take(&mut self) -> Result<D, Error> {
        self.inner.take().ok_or_else(Error::taken)
    }
}

impl<'de, D: Deserializer<'de>> Reader<'de> for Source<'_, D> {
    fn read(&mut self, ask: Ask, to: &mut dyn Visit<'de>) -> Done {
        let (inner, trace) = (self.take()?, self.trace);
        let to = Recipient { to, trace };
        let read = match ask {
            Ask::Any => inner.deserialize_any(to),
            Ask::Bool => inner.deserialize_bool(to),
            Ask::I8 => inner.deserialize_i8(to),
            Ask::I16 => inner.deserialize_i16(to),
            Ask::I32 => inner.deserialize_i32(to),
            Ask::I64 => inner.deserialize_i64(to),
            Ask::I128 => inner.deserialize_i128(to),
            Ask::U8 => inner.deserialize_u8(to),
            Ask::U16 => inner.deserialize_u16(to),
            Ask::U32 => inner.deserialize_u32(to),
            Ask::U64 => inner.deserialize_u64(to),
            Ask::U128 => inner.deserialize_u128(to),
            Ask::F32 => inner.deserialize_f32(to),
            Ask::F64 => inner.deserialize_f64(to),
            Ask::Char => inner.deserialize_char(to),
            Ask::Str => inner.deserialize_str(to),
            Ask::String => inner.deserialize_string(to),
            Ask::Bytes => inner.deserialize_bytes(to),
            Ask::ByteBuf => inner.deserialize_byte_buf(to),
            Ask::Option => inner.deserialize_option(to),
            Ask::Unit => inner.deserialize_unit(to),
            Ask::UnitStruct(name) => inner.deserialize_unit_struct(name, to),
            Ask::NewtypeStruct(name) => inner.deserialize_newtype_struct(name, to),
            Ask::Seq => inner.deserialize_seq(to),
            Ask::Tuple(length) => inner.deserialize_tuple(length, to),
            Ask::TupleStruct(name, length) => inner.deserialize_tuple_struct(name, length, to),
            Ask::Map => inner.deserialize_map(to),
            Ask::Struct(name, fields) => inner.deserialize_struct(name, fields, to),
            Ask::Enum(name, variants) => inner.deserialize_enum(name, variants, to),
            Ask::Identifier => inner.deserialize_identifier(to),
            Ask::IgnoredAny => inner.deserialize_ignored_any(to),
        };
        read.map_err(Error::custom)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.as_ref().is_some_and(D::is_human_readable)
    }
}

/// The visitor that formats see.
struct Recipient<'a, 't, 'de> {
    to: &'a mut dyn Visit<'de>,
    trace: &'t Trace,
}

impl<'de> Recipient<'_, '_, 'de> {
    fn give<E: serde::de::Error>(self, given: Given<'_, 'de>) -> Result<(), E> {
        self.to.visit(given).map_err(E::custom)
    }
}

macro_rules! values {
    ($($method:ident $given:ident $type:ty;)+) => {$(
        fn $method<E: serde::de::Error>(self, value: $type) -> Result<(), E> {
            self.give(Given::$given(value))
        }
    )+};
}

impl<'de> Visitor<'de> for Recipient<'_, '_, 'de> {
    type Value = ();

    values! {
        visit_bool Bool bool;
        visit_i8 I8 i8;
        visit_i16 I16 i16;
        visit_i32 I32 i32;
        visit_i64 I64 i64;
        visit_i128 I128 i128;
        visit_u8 U8 u8;
        visit_u16 U16 u16;
        visit_u32 U32 u32;
        visit_u64 U64 u64;
        visit_u128 U128 u128;
        visit_f32 F32 f32;
        visit_f64 F64 f64;
        visit_char Char char;
        visit_str Str &str;
        visit_borrowed_str BorrowedStr &'de str;
        visit_string String String;
        visit_bytes Bytes &[u8];
        visit_borrowed_bytes BorrowedBytes &'de [u8];
        visit_byte_buf ByteBuf Vec<u8>;
    }

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to.expecting(f)
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<(), E> {
        self.give(Given::None)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.give(Given::Unit)
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<(), D::Error> {
        let mut source = Source::of(inner, self.trace);
        self.give(Given::Some(&mut source))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<(), D::Error> {
        let mut source = Source::of(inner, self.trace);
        self.give(Given::NewtypeStruct(&mut source))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, inner: A) -> Result<(), A::Error> {
        let trace = self.trace;
        self.give(Given::Seq(&mut Inside { inner, trace }))
    }

    fn visit_map<A: MapAccess<'de>>(self, inner: A) -> Result<(), A::Error> {
        let trace = self.trace;
        self.give(Given::Map(&mut Inside { inner, trace }))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, inner: A) -> Result<(), A::Error> {
        let mut chosen = Chosen {
            inner: Some(inner),
            variant: None,
            trace: self.trace,
        };
        self.give(Given::Enum(&mut chosen))
    }
}

/// What is in a compound.
struct Inside<'t, A> {
    inner: A,
    trace: &'t Trace,
}

impl<'de, A: SeqAccess<'de>> Elements<'de> for Inside<'_, A> {
    fn next(&mut self, seed: &mut dyn Seed<'de>) -> Result<bool, Error> {
        let seed = Sown::new(seed, self.trace);
        let element = self.inner.next_element_seed(seed).map_err(Error::custom)?;
        Ok(element.is_some())
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> Entries<'de> for Inside<'_, A> {
    fn next_key(&mut self, seed: &mut dyn Seed<'de>) -> Result<bool, Error> {
        let seed = Sown::new(seed, self.trace);
        let key = self.inner.next_key_seed(seed).map_err(Error::custom)?;
        Ok(key.is_some())
    }

    fn next_value(&mut self, seed: &mut dyn Seed<'de>) -> Done {
        let seed = Sown::new(seed, self.trace);
        self.inner.next_value_seed(seed).map_err(Error::custom)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

struct Chosen<'t, A, V> {
    inner: Option<A>,
    variant: Option<V>,
    trace: &'t Trace,
}

impl<A, V> Chosen<'_, A, V> {
    fn take(&mut self) -> Result<V, Error> {
        self.variant.take().ok_or_else(Error::taken)
    }
}

impl<'de, A: EnumAccess<'de>> Choice<'de> for Chosen<'_, A, A::Variant> {
    fn variant(&mut self, seed: &mut dyn Seed<'de>) -> Done {
        let inner = self.inner.take().ok_or_else(Error::taken)?;
        let seed = Sown::new(seed, self.trace);
        let ((), variant) = inner.variant_seed(seed).map_err(Error::custom)?;
        self.variant = Some(variant);
        Ok(())
    }

    fn unit(&mut self) -> Done {
        self.take()?.unit_variant().map_err(Error::custom)
    }

    fn newtype(&mut self, seed: &mut dyn Seed<'de>) -> Done {
        let seed = Sown::new(seed, self.trace);
        let variant = self.take()?;
        variant.newtype_variant_seed(seed).map_err(Error::custom)
    }

    fn tuple(&mut self, length: usize, to: &mut dyn Visit<'de>) -> Done {
        let trace = self.trace;
        let read = self.take()?.tuple_variant(length, Recipient { to, trace });
        read.map_err(Error::custom)
    }

    fn fields(&mut self, fields: &'static [&'static str], to: &mut dyn Visit<'de>) -> Done {
        let trace = self.trace;
        let read = self.take()?.struct_variant(fields, Recipient { to, trace });
        read.map_err(Error::custom)
    }
}

/// A seed whose type has been told to the trace.
struct Sown<'a, 't, 'de> {
    seed: &'a mut dyn Seed<'de>,
    trace: &'t Trace,
}

impl<'a, 't, 'de> Sown<'a, 't, 'de> {
    fn new(seed: &'a mut dyn Seed<'de>, trace: &'t Trace) -> Self {
        trace.begin(seed.name(), seed.carries());
        Self { seed, trace }
    }
}

impl<'de> DeserializeSeed<'de> for Sown<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<(), D::Error> {
        let mut source = Source::of(inner, self.trace);
        self.seed.read(&mut source).map_err(D::Error::custom)
    }
}

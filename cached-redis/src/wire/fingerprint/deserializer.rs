//! The calls of a type to its deserializer: hashed, and passed on.

use std::fmt::{self, Write as _};

use serde::Deserializer;
use serde::de::{Expected, Visitor};

use super::access::Traced;
use super::tracer::{BYTEWISE, Kind, Tracer};
use super::visitor::{Alike, Fields, Parts, TextVisitor, TracedVisitor, Unknown};

/// A scalar cannot contain anything, so its visitor needs no wrapping.
macro_rules! scalars {
    ($($method:ident => $kind:ident)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.trace.kind(Kind::$kind);
            self.inner.$method(visitor)
        }
    )*};
}

/// `$passed` is what is asked of the inner deserializer.
macro_rules! compounds {
    ($($method:ident => $passed:ident $kind:ident $inside:ident)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.trace.kind(Kind::$kind);
            self.inner.$passed(TracedVisitor::new(visitor, $inside, self.trace))
        }
    )*};
}

impl<'de, 't, D: Deserializer<'de>, T: Tracer<'t>> Deserializer<'de> for Traced<D, T> {
    type Error = D::Error;

    scalars! {
        deserialize_bool => Bool
        deserialize_i8 => I8
        deserialize_i16 => I16
        deserialize_i32 => I32
        deserialize_i64 => I64
        deserialize_i128 => I128
        deserialize_u8 => U8
        deserialize_u16 => U16
        deserialize_u32 => U32
        deserialize_u64 => U64
        deserialize_u128 => U128
        deserialize_f32 => F32
        deserialize_f64 => F64
        deserialize_char => Char
        deserialize_unit => Unit
    }

    // Owned bytes are asked for as borrowed ones, and texts below: an owned one may be allocated from
    // a forged length before anything was read. Visitors have to take both.
    compounds! {
        deserialize_bytes => deserialize_bytes Bytes Parts
        deserialize_byte_buf => deserialize_bytes Bytes Parts
        deserialize_option => deserialize_option Option Parts
        deserialize_seq => deserialize_seq Seq Alike
        deserialize_identifier => deserialize_identifier Identifier Parts
        deserialize_ignored_any => deserialize_ignored_any Ignored Unknown
    }

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.trace.kind(Kind::Any);
        self.trace.buffers();
        let visitor = TracedVisitor::new(visitor, Unknown, self.trace);
        self.inner.deserialize_any(visitor)
    }

    /// Of a struct that is taken from a map, as one with `flatten` is, nobody says the names.
    #[inline]
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.trace.kind(Kind::Map);
        if !T::KNOWS && !expects_a_map(&visitor) {
            self.trace.buffers();
        }
        let visitor = TracedVisitor::new(visitor, Alike, self.trace);
        self.inner.deserialize_map(visitor)
    }

    #[inline]
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.trace.kind(Kind::Text);
        match T::FORM {
            BYTEWISE => self.inner.deserialize_bytes(TextVisitor(visitor)),
            _ => self.inner.deserialize_str(visitor),
        }
    }

    #[inline]
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.deserialize_str(visitor)
    }

    #[inline]
    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.trace.named(Kind::UnitStruct, name, &[]);
        let visitor = TracedVisitor::new(visitor, Parts, self.trace);
        self.inner.deserialize_unit_struct(name, visitor)
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.trace.named(Kind::NewtypeStruct, name, &[]);
        let visitor = TracedVisitor::new(visitor, Parts, self.trace);
        self.inner.deserialize_newtype_struct(name, visitor)
    }

    #[inline]
    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.trace.length(Kind::Tuple, length);
        let visitor = TracedVisitor::new(visitor, Parts, self.trace);
        self.inner.deserialize_tuple(length, visitor)
    }

    #[inline]
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.trace.named(Kind::TupleStruct, name, &[]);
        self.trace.length(Kind::TupleStruct, length);
        let visitor = TracedVisitor::new(visitor, Parts, self.trace);
        self.inner.deserialize_tuple_struct(name, length, visitor)
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.trace.named(Kind::Struct, name, fields);
        let visitor = TracedVisitor::new(visitor, Fields(fields.len()), self.trace);
        self.inner.deserialize_struct(name, fields, visitor)
    }

    #[inline]
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.trace.named(Kind::Enum, name, variants);
        if variants.len() > 1 {
            self.trace.hides();
        }
        let visitor = TracedVisitor::new(visitor, Parts, self.trace);
        self.inner.deserialize_enum(name, variants, visitor)
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

/// Whether that is what maps say of themselves. Structs say their name, also where there is no key yet
/// that could tell; a map of other words is taken for one, which costs a digest and misses nothing.
fn expects_a_map(visitor: &dyn Expected) -> bool {
    struct Left(&'static str);

    impl fmt::Write for Left {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0 = self.0.strip_prefix(text).ok_or(fmt::Error)?;
            Ok(())
        }
    }

    let mut left = Left("a map");
    write!(left, "{visitor}").is_ok() && left.0.is_empty()
}

//! The side of the types, which is compiled with each of them: so it is little, and a type is given no more than
//! it may have asked for.

use std::any::type_name;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserializer;
use serde::de::{
    DeserializeSeed, EnumAccess, Expected, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::{Ask, Choice, Done, Elements, Entries, Error, Given, Reader, Seed, Visit};

/// What types see of a [`Reader`], and of all that it gives.
struct Shown<X>(X);

pub(super) struct Seeding<'de, S: DeserializeSeed<'de>> {
    seed: Option<S>,
    pub(super) value: Option<S::Value>,
}

impl<'de, S: DeserializeSeed<'de>> Seeding<'de, S> {
    pub(super) fn new(seed: S) -> Self {
        Self {
            seed: Some(seed),
            value: None,
        }
    }

    fn value(self) -> Result<S::Value, Error> {
        self.value.ok_or_else(Error::taken)
    }
}

impl<'de, S: DeserializeSeed<'de>> Seed<'de> for Seeding<'de, S> {
    fn read(&mut self, from: &mut dyn Reader<'de>) -> Done {
        let seed = self.seed.take().ok_or_else(Error::taken)?;
        self.value = Some(seed.deserialize(Shown(from))?);
        Ok(())
    }

    fn name(&self) -> &'static str {
        type_name::<S>()
    }

    fn carries(&self) -> bool {
        size_of::<S>() > 0
    }
}

struct Visiting<'de, V: Visitor<'de>, K> {
    visitor: Option<V>,
    value: Option<V::Value>,
    kind: PhantomData<K>,
}

impl<'de, V: Visitor<'de>, K: Kind> Visiting<'de, V, K> {
    fn new(visitor: V, _: K) -> Self {
        Self {
            visitor: Some(visitor),
            value: None,
            kind: PhantomData,
        }
    }

    fn value(self) -> Result<V::Value, Error> {
        self.value.ok_or_else(Error::taken)
    }
}

impl<'de, V: Visitor<'de>, K: Kind> Visit<'de> for Visiting<'de, V, K> {
    fn visit(&mut self, given: Given<'_, 'de>) -> Done {
        let visitor = self.visitor.take().ok_or_else(Error::taken)?;
        self.value = Some(K::visit(visitor, given)?);
        Ok(())
    }

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.visitor {
            Some(visitor) => visitor.expecting(f),
            None => Ok(()),
        }
    }
}

/// What a visitor may be given, by what was asked for: what else there is, is an error, and not compiled.
trait Kind {
    fn visit<'de, V: Visitor<'de>>(visitor: V, given: Given<'_, 'de>) -> Result<V::Value, Error>;
}

macro_rules! kinds {
    ($($kind:ident |$visitor:ident| { $($given:pat => $visited:expr,)+ })+) => {$(
        struct $kind;

        impl Kind for $kind {
            fn visit<'de, V: Visitor<'de>>($visitor: V, given: Given<'_, 'de>) -> Result<V::Value, Error> {
                match given {
                    $($given => $visited,)+
                    #[allow(unreachable_patterns, reason = "one of them has all")]
                    _ => Err(unexpected(&$visitor)),
                }
            }
        }
    )+};
}

kinds! {
    Whatever |visitor| {
        Given::Bool(it) => visitor.visit_bool(it),
        Given::I8(it) => visitor.visit_i8(it),
        Given::I16(it) => visitor.visit_i16(it),
        Given::I32(it) => visitor.visit_i32(it),
        Given::I64(it) => visitor.visit_i64(it),
        Given::I128(it) => visitor.visit_i128(it),
        Given::U8(it) => visitor.visit_u8(it),
        Given::U16(it) => visitor.visit_u16(it),
        Given::U32(it) => visitor.visit_u32(it),
        Given::U64(it) => visitor.visit_u64(it),
        Given::U128(it) => visitor.visit_u128(it),
        Given::F32(it) => visitor.visit_f32(it),
        Given::F64(it) => visitor.visit_f64(it),
        Given::Char(it) => visitor.visit_char(it),
        Given::Str(it) => visitor.visit_str(it),
        Given::BorrowedStr(it) => visitor.visit_borrowed_str(it),
        Given::String(it) => visitor.visit_string(it),
        Given::Bytes(it) => visitor.visit_bytes(it),
        Given::BorrowedBytes(it) => visitor.visit_borrowed_bytes(it),
        Given::ByteBuf(it) => visitor.visit_byte_buf(it),
        Given::None => visitor.visit_none(),
        Given::Some(it) => visitor.visit_some(Shown(it)),
        Given::Unit => visitor.visit_unit(),
        Given::NewtypeStruct(it) => visitor.visit_newtype_struct(Shown(it)),
        Given::Seq(it) => visitor.visit_seq(Shown(it)),
        Given::Map(it) => visitor.visit_map(Shown(it)),
        Given::Enum(it) => visitor.visit_enum(Shown(it)),
    }
    Number |visitor| {
        Given::I8(it) => visitor.visit_i8(it),
        Given::I16(it) => visitor.visit_i16(it),
        Given::I32(it) => visitor.visit_i32(it),
        Given::I64(it) => visitor.visit_i64(it),
        Given::U8(it) => visitor.visit_u8(it),
        Given::U16(it) => visitor.visit_u16(it),
        Given::U32(it) => visitor.visit_u32(it),
        Given::U64(it) => visitor.visit_u64(it),
        Given::F32(it) => visitor.visit_f32(it),
        Given::F64(it) => visitor.visit_f64(it),
    }
    Optional |visitor| {
        Given::None => visitor.visit_none(),
        Given::Some(it) => visitor.visit_some(Shown(it)),
        Given::Unit => visitor.visit_unit(),
    }
    Newtype |visitor| {
        Given::NewtypeStruct(it) => visitor.visit_newtype_struct(Shown(it)),
        Given::Seq(it) => visitor.visit_seq(Shown(it)),
        Given::Map(it) => visitor.visit_map(Shown(it)),
    }
    Parts |visitor| {
        Given::Seq(it) => visitor.visit_seq(Shown(it)),
        Given::Map(it) => visitor.visit_map(Shown(it)),
    }
    Variant |visitor| {
        Given::Enum(it) => visitor.visit_enum(Shown(it)),
    }
    Identifier |visitor| {
        Given::U8(it) => visitor.visit_u64(it.into()),
        Given::U16(it) => visitor.visit_u64(it.into()),
        Given::U32(it) => visitor.visit_u64(it.into()),
        Given::U64(it) => visitor.visit_u64(it),
        Given::Str(it) => visitor.visit_str(it),
        Given::BorrowedStr(it) => visitor.visit_borrowed_str(it),
        Given::Bytes(it) => visitor.visit_bytes(it),
        Given::BorrowedBytes(it) => visitor.visit_borrowed_bytes(it),
    }
}

#[cold]
fn unexpected(expected: &dyn Expected) -> Error {
    Error(format!("something else than {expected}").into())
}

macro_rules! asks {
    ($($method:ident $ask:ident $(($($name:ident: $type:ty),+))? $kind:ident;)+) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, $($($name: $type,)+)? visitor: V) -> Result<V::Value, Error> {
            let mut visiting = Visiting::new(visitor, $kind);
            self.0.read(Ask::$ask $(($($name),+))?, &mut visiting)?;
            visiting.value()
        }
    )+};
}

impl<'de> Deserializer<'de> for Shown<&mut (dyn Reader<'de> + '_)> {
    type Error = Error;

    asks! {
        deserialize_any Any Whatever;
        deserialize_bool Bool Whatever;
        deserialize_i8 I8 Number;
        deserialize_i16 I16 Number;
        deserialize_i32 I32 Number;
        deserialize_i64 I64 Number;
        deserialize_i128 I128 Whatever;
        deserialize_u8 U8 Number;
        deserialize_u16 U16 Number;
        deserialize_u32 U32 Number;
        deserialize_u64 U64 Number;
        deserialize_u128 U128 Whatever;
        deserialize_f32 F32 Number;
        deserialize_f64 F64 Number;
        deserialize_char Char Whatever;
        deserialize_str Str Whatever;
        deserialize_string String Whatever;
        deserialize_bytes Bytes Whatever;
        deserialize_byte_buf ByteBuf Whatever;
        deserialize_option Option Optional;
        deserialize_unit Unit Whatever;
        deserialize_unit_struct UnitStruct(name: &'static str) Whatever;
        deserialize_newtype_struct NewtypeStruct(name: &'static str) Newtype;
        deserialize_seq Seq Parts;
        deserialize_tuple Tuple(length: usize) Parts;
        deserialize_tuple_struct TupleStruct(name: &'static str, length: usize) Parts;
        deserialize_map Map Parts;
        deserialize_struct Struct(name: &'static str, fields: &'static [&'static str]) Parts;
        deserialize_enum Enum(name: &'static str, variants: &'static [&'static str]) Variant;
        deserialize_identifier Identifier Identifier;
        deserialize_ignored_any IgnoredAny Whatever;
    }

    fn is_human_readable(&self) -> bool {
        self.0.is_human_readable()
    }
}

impl<'de> SeqAccess<'de> for Shown<&mut (dyn Elements<'de> + '_)> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        let mut seeding = Seeding::new(seed);
        match self.0.next(&mut seeding)? {
            true => seeding.value().map(Some),
            false => Ok(None),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de> MapAccess<'de> for Shown<&mut (dyn Entries<'de> + '_)> {
    type Error = Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        let mut seeding = Seeding::new(seed);
        match self.0.next_key(&mut seeding)? {
            true => seeding.value().map(Some),
            false => Ok(None),
        }
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        let mut seeding = Seeding::new(seed);
        self.0.next_value(&mut seeding)?;
        seeding.value()
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de> EnumAccess<'de> for Shown<&mut (dyn Choice<'de> + '_)> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Error> {
        let mut seeding = Seeding::new(seed);
        self.0.variant(&mut seeding)?;
        Ok((seeding.value()?, self))
    }
}

impl<'de> VariantAccess<'de> for Shown<&mut (dyn Choice<'de> + '_)> {
    type Error = Error;

    fn unit_variant(self) -> Done {
        self.0.unit()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Error> {
        let mut seeding = Seeding::new(seed);
        self.0.newtype(&mut seeding)?;
        seeding.value()
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Error> {
        let mut visiting = Visiting::new(visitor, Parts);
        self.0.tuple(length, &mut visiting)?;
        visiting.value()
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let mut visiting = Visiting::new(visitor, Parts);
        self.0.fields(fields, &mut visiting)?;
        visiting.value()
    }
}

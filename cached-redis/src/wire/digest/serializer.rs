//! One call of a value to its serializer, written down as a tag and its content.

use std::fmt::{self, Write as _};

use serde::{Serialize, Serializer};

use super::compound::Compound;
use super::{DigestError, Digester, Tag};

type Done = Result<(), DigestError>;

macro_rules! numbers {
    ($($method:ident $type:ty => $tag:ident)*) => {$(
        fn $method(self, value: $type) -> Done {
            self.tag(Tag::$tag);
            self.bytes.extend_from_slice(&value.to_le_bytes());
            Ok(())
        }
    )*};
}

impl<'a> Serializer for &'a mut Digester {
    type Ok = ();
    type Error = DigestError;
    type SerializeSeq = Compound<'a>;
    type SerializeTuple = Compound<'a>;
    type SerializeTupleStruct = Compound<'a>;
    type SerializeTupleVariant = Compound<'a>;
    type SerializeMap = Compound<'a>;
    type SerializeStruct = Compound<'a>;
    type SerializeStructVariant = Compound<'a>;

    numbers! {
        serialize_i8 i8 => I8
        serialize_i16 i16 => I16
        serialize_i32 i32 => I32
        serialize_i64 i64 => I64
        serialize_i128 i128 => I128
        serialize_u8 u8 => U8
        serialize_u16 u16 => U16
        serialize_u32 u32 => U32
        serialize_u64 u64 => U64
        serialize_u128 u128 => U128
        serialize_f32 f32 => F32
        serialize_f64 f64 => F64
    }

    fn serialize_bool(self, value: bool) -> Done {
        self.tag(Tag::Bool);
        self.bytes.push(u8::from(value));
        Ok(())
    }

    fn serialize_char(self, value: char) -> Done {
        self.tag(Tag::Char);
        self.bytes
            .extend_from_slice(&u32::from(value).to_le_bytes());
        Ok(())
    }

    fn serialize_str(self, value: &str) -> Done {
        self.tag(Tag::Str);
        self.text(value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Done {
        self.tag(Tag::Bytes);
        self.length(value.len());
        self.bytes.extend_from_slice(value);
        Ok(())
    }

    /// As `serialize_str`, but a failing `Display` is an error; the default would panic.
    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Done {
        let mut text = String::new();
        write!(text, "{value}").map_err(serde::ser::Error::custom)?;
        self.serialize_str(&text)
    }

    fn serialize_none(self) -> Done {
        self.tag(Tag::None);
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        self.tag(Tag::Some);
        self.nested(value)
    }

    fn serialize_unit(self) -> Done {
        self.tag(Tag::Unit);
        Ok(())
    }

    fn serialize_unit_struct(self, name: &'static str) -> Done {
        self.tag(Tag::UnitStruct);
        self.text(name);
        Ok(())
    }

    fn serialize_unit_variant(self, name: &'static str, _: u32, variant: &'static str) -> Done {
        self.tag(Tag::UnitVariant);
        self.text(name);
        self.text(variant);
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Done {
        self.tag(Tag::NewtypeStruct);
        self.text(name);
        self.own += 1;
        self.nested(value)?;
        self.own -= 1;
        Ok(())
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Done {
        self.tag(Tag::NewtypeVariant);
        self.text(name);
        self.text(variant);
        // So serde writes a `Result`.
        let result = name == "Result" && matches!(variant, "Ok" | "Err");
        self.failed |= result && variant == "Err" && self.own == 0;
        self.own += u32::from(!result);
        self.nested(value)?;
        self.own -= u32::from(!result);
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Compound<'a>, DigestError> {
        self.tag(Tag::Seq);
        if self.unordered {
            Compound::unordered(self)
        } else {
            Compound::ordered(self)
        }
    }

    fn serialize_tuple(self, length: usize) -> Result<Compound<'a>, DigestError> {
        self.tag(Tag::Tuple);
        self.length(length);
        Compound::ordered(self)
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        length: usize,
    ) -> Result<Compound<'a>, DigestError> {
        self.tag(Tag::TupleStruct);
        self.text(name);
        self.length(length);
        Compound::of_a_type(self)
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Compound<'a>, DigestError> {
        self.tag(Tag::TupleVariant);
        self.text(name);
        self.text(variant);
        self.length(length);
        Compound::of_a_type(self)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Compound<'a>, DigestError> {
        self.tag(Tag::Map);
        Compound::unordered(self)
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Compound<'a>, DigestError> {
        self.tag(Tag::Struct);
        self.text(name);
        Compound::of_a_type(self)
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Compound<'a>, DigestError> {
        self.tag(Tag::StructVariant);
        self.text(name);
        self.text(variant);
        Compound::of_a_type(self)
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

impl Digester {
    fn nested<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.enter()?;
        value.serialize(&mut *self)?;
        self.leave();
        Ok(())
    }
}

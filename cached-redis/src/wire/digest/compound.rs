//! Several calls that belong together. Where their order does not matter, each part is hashed on
//! its own and the hashes are added up.

use serde::Serialize;
use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};
use xxhash_rust::xxh3::xxh3_128;

use super::{DigestError, Digester, Tag};

type Done = Result<(), DigestError>;

pub(crate) struct Compound<'a> {
    digester: &'a mut Digester,
    sum: Option<Sum>,
    /// Whether it is a type of the user's own.
    own: bool,
}

/// The hashes of the parts that are complete.
struct Sum {
    hash: u128,
    parts: usize,
    /// Where in the digester's bytes the current part began.
    start: usize,
}

impl<'a> Compound<'a> {
    pub(super) fn ordered(digester: &'a mut Digester) -> Result<Self, DigestError> {
        digester.enter()?;
        Ok(Self {
            digester,
            sum: None,
            own: false,
        })
    }

    pub(super) fn of_a_type(digester: &'a mut Digester) -> Result<Self, DigestError> {
        digester.own += 1;
        let own = true;
        Ok(Self {
            own,
            ..Self::ordered(digester)?
        })
    }

    pub(super) fn unordered(digester: &'a mut Digester) -> Result<Self, DigestError> {
        digester.enter()?;
        let start = digester.bytes.len();
        Ok(Self {
            digester,
            sum: Some(Sum {
                hash: 0,
                parts: 0,
                start,
            }),
            own: false,
        })
    }

    fn add<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        value.serialize(&mut *self.digester)
    }

    fn complete(&mut self) {
        if let Some(sum) = &mut self.sum {
            let part = xxh3_128(&self.digester.bytes[sum.start..]);
            sum.hash = sum.hash.wrapping_add(part);
            sum.parts += 1;
            self.digester.bytes.truncate(sum.start);
        }
    }

    fn part<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.add(value)?;
        self.complete();
        Ok(())
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Done {
        self.digester.tag(Tag::Field);
        self.digester.text(name);
        self.add(value)
    }

    fn finish(self) -> Done {
        self.digester.leave();
        self.digester.own -= u32::from(self.own);
        if let Some(sum) = self.sum {
            self.digester.length(sum.parts);
            self.digester
                .bytes
                .extend_from_slice(&sum.hash.to_le_bytes());
        }
        self.digester.tag(Tag::End);
        Ok(())
    }
}

macro_rules! elements {
    ($($trait:ident $method:ident)*) => {$(
        impl $trait for Compound<'_> {
            type Ok = ();
            type Error = DigestError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
                self.part(value)
            }

            fn end(self) -> Done {
                self.finish()
            }
        }
    )*};
}

elements! {
    SerializeSeq serialize_element
    SerializeTuple serialize_element
    SerializeTupleStruct serialize_field
    SerializeTupleVariant serialize_field
}

macro_rules! fields {
    ($($trait:ident)*) => {$(
        impl $trait for Compound<'_> {
            type Ok = ();
            type Error = DigestError;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Done {
                self.field(name, value)
            }

            fn end(self) -> Done {
                self.finish()
            }
        }
    )*};
}

fields! { SerializeStruct SerializeStructVariant }

/// A part is a key with its value.
impl SerializeMap for Compound<'_> {
    type Ok = ();
    type Error = DigestError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Done {
        self.add(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.part(value)
    }

    fn end(self) -> Done {
        self.finish()
    }
}

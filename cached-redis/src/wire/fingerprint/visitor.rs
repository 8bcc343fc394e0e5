//! The answers of a deserializer to a type: passed on, with everything that leads to nested
//! values wrapped again, so that those count as well.

use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, EnumAccess, Error, MapAccess, SeqAccess, Visitor};

use super::access::Traced;
use super::elements::Elements;
use super::tracer::{Kind, Tracer};

/// What a compound consists of. A type, so that the code for one kind knows nothing of the others:
/// where two ways to the result meet, it is moved, which costs more than the guard itself.
pub(super) trait Inside {
    /// Whether the bytes say how many there are.
    const COUNTED: bool = true;
    /// Whether all are of one type.
    const ALIKE: bool = false;

    /// How many there are if none is left out.
    fn all(&self) -> usize {
        0
    }
}

/// Parts that the type names one by one.
pub(super) struct Parts;

/// Fields, so many; where they carry their names, some may be left out.
pub(super) struct Fields(pub(super) usize);

/// Any number of elements of one type.
pub(super) struct Alike;

/// Whatever the bytes say.
pub(super) struct Unknown;

impl Inside for Parts {
    const COUNTED: bool = false;
}

impl Inside for Fields {
    const COUNTED: bool = false;

    #[inline]
    fn all(&self) -> usize {
        self.0
    }
}

impl Inside for Alike {
    const ALIKE: bool = true;
}

impl Inside for Unknown {}

pub(super) struct TracedVisitor<V, T, I> {
    inner: V,
    trace: T,
    inside: I,
}

impl<'t, V, T: Tracer<'t>, I: Inside> TracedVisitor<V, T, I> {
    #[inline]
    pub(super) fn new(inner: V, inside: I, trace: T) -> Self {
        if I::COUNTED && !I::ALIKE {
            trace.hides();
        }
        Self {
            inner,
            trace,
            inside,
        }
    }

    /// Visits what is inside, a level deeper. The result is passed on as it is, so that it can be made
    /// in its place.
    #[inline]
    fn compound<R, E: Error>(
        self,
        claimed: Option<usize>,
        visit: impl FnOnce(V) -> Result<R, E>,
    ) -> Result<R, E> {
        match self.check(claimed) {
            Ok(()) => self.trace.compound(|| visit(self.inner)),
            Err(error) => Err(error),
        }
    }

    /// For what takes its length from the bytes. Every element begins with a byte that no other
    /// begins with, so that all claims together are no more than there are bytes; elements of no
    /// size at all would let a forged length run for years.
    #[inline]
    fn check<E: Error>(&self, claimed: Option<usize>) -> Result<(), E> {
        match claimed {
            Some(length) if I::COUNTED => self.trace.claim(length),
            _ => Ok(()),
        }
    }
}

macro_rules! scalars {
    ($($method:ident $type:ty)*) => {$(
        #[inline]
        fn $method<E: Error>(self, value: $type) -> Result<V::Value, E> {
            self.inner.$method(value)
        }
    )*};
}

impl<'de, 't, V: Visitor<'de>, T: Tracer<'t>, I: Inside> Visitor<'de> for TracedVisitor<V, T, I> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    scalars! {
        visit_bool bool
        visit_i8 i8
        visit_i16 i16
        visit_i32 i32
        visit_i64 i64
        visit_i128 i128
        visit_u8 u8
        visit_u16 u16
        visit_u32 u32
        visit_u64 u64
        visit_u128 u128
        visit_f32 f32
        visit_f64 f64
        visit_char char
        visit_str &str
        visit_borrowed_str &'de str
        visit_string String
        visit_bytes &[u8]
        visit_borrowed_bytes &'de [u8]
        visit_byte_buf Vec<u8>
    }

    #[inline]
    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    #[inline]
    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.trace.kind(Kind::None);
        self.trace.hides();
        self.inner.visit_none()
    }

    #[inline]
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        let (inner, trace) = (self.inner, self.trace);
        trace.kind(Kind::Some);
        trace.nested(|| inner.visit_some(Traced::new(deserializer, trace)))
    }

    #[inline]
    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<V::Value, D::Error> {
        let (inner, trace) = (self.inner, self.trace);
        trace.nested(|| inner.visit_newtype_struct(Traced::new(deserializer, trace)))
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let (claimed, trace) = (access.size_hint(), self.trace);
        self.compound(claimed, |inner| match I::ALIKE {
            true => trace.elements(|| inner.visit_seq(Elements::<_, _, 1>::new(access, trace))),
            false => inner.visit_seq(Traced::new(access, trace)),
        })
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let (claimed, trace, left) = (access.size_hint(), self.trace, self.inside.all());
        self.compound(claimed, |inner| match I::ALIKE {
            true => trace.elements(|| inner.visit_map(Elements::<_, _, 2>::new(access, trace))),
            false => inner.visit_map(Named {
                access: Traced::new(access, trace),
                left,
            }),
        })
    }

    #[inline]
    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let (inner, trace) = (self.inner, self.trace);
        trace.nested(|| inner.visit_enum(Traced::new(access, trace)))
    }
}

/// Fields with their names. One that is left out shows nothing of its type.
struct Named<A, T> {
    access: Traced<A, T>,
    left: usize,
}

impl<'de, 't, A: MapAccess<'de>, T: Tracer<'t>> MapAccess<'de> for Named<A, T> {
    type Error = A::Error;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        let key = self.access.next_key_seed(seed)?;
        match (&key, self.left) {
            (Some(_), left) => self.left = left.saturating_sub(1),
            (None, 0) => {}
            (None, _) => self.access.trace.hides(),
        }
        Ok(key)
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.access.next_value_seed(seed)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.access.size_hint()
    }
}

/// Takes the bytes of a text.
pub(super) struct TextVisitor<V>(pub(super) V);

impl<'de, V: Visitor<'de>> Visitor<'de> for TextVisitor<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    #[inline]
    fn visit_borrowed_bytes<E: Error>(self, bytes: &'de [u8]) -> Result<V::Value, E> {
        match str::from_utf8(bytes) {
            Ok(text) => self.0.visit_borrowed_str(text),
            Err(error) => Err(E::custom(error)),
        }
    }
}

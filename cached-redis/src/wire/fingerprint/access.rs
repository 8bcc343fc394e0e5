//! The ways from a value to the values inside it: each hands out what it finds wrapped again.

use serde::Deserializer;
use serde::de::{DeserializeSeed, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};

use super::tracer::{Kind, Tracer};
use super::visitor::{Fields, Parts, TracedVisitor};

/// Anything of serde's, with the trace beside it.
pub(super) struct Traced<X, T> {
    pub(super) inner: X,
    pub(super) trace: T,
}

impl<X, T> Traced<X, T> {
    #[inline]
    pub(super) fn new(inner: X, trace: T) -> Self {
        Self { inner, trace }
    }
}

impl<'de, 't, S: DeserializeSeed<'de>, T: Tracer<'t>> DeserializeSeed<'de> for Traced<S, T> {
    type Value = S::Value;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.trace.begins::<S>();
        self.inner
            .deserialize(Traced::new(deserializer, self.trace))
    }
}

impl<'de, 't, A: SeqAccess<'de>, T: Tracer<'t>> SeqAccess<'de> for Traced<A, T> {
    type Error = A::Error;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        let element = self
            .inner
            .next_element_seed(Traced::new(seed, self.trace))?;
        // One that is left out shows nothing of its type.
        if element.is_none() {
            self.trace.hides();
        }
        Ok(element)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, 't, A: MapAccess<'de>, T: Tracer<'t>> MapAccess<'de> for Traced<A, T> {
    type Error = A::Error;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        self.inner.next_key_seed(Traced::new(seed, self.trace))
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.inner.next_value_seed(Traced::new(seed, self.trace))
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, 't, A: EnumAccess<'de>, T: Tracer<'t>> EnumAccess<'de> for Traced<A, T> {
    type Error = A::Error;
    type Variant = Traced<A::Variant, T>;

    #[inline]
    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self::Variant), A::Error> {
        let (value, variant) = self.inner.variant_seed(Traced::new(seed, self.trace))?;
        Ok((value, Traced::new(variant, self.trace)))
    }
}

impl<'de, 't, A: VariantAccess<'de>, T: Tracer<'t>> VariantAccess<'de> for Traced<A, T> {
    type Error = A::Error;

    #[inline]
    fn unit_variant(self) -> Result<(), A::Error> {
        self.trace.kind(Kind::UnitVariant);
        self.inner.unit_variant()
    }

    #[inline]
    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        self.trace.kind(Kind::NewtypeVariant);
        self.inner
            .newtype_variant_seed(Traced::new(seed, self.trace))
    }

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.trace.length(Kind::TupleVariant, length);
        let visitor = TracedVisitor::new(visitor, Parts, self.trace);
        self.inner.tuple_variant(length, visitor)
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.trace.named(Kind::StructVariant, "", fields);
        let visitor = TracedVisitor::new(visitor, Fields(fields.len()), self.trace);
        self.inner.struct_variant(fields, visitor)
    }
}

//! Elements of one type, hashed until one of them has shown all of it.
//!
//! A value shows all of its type if every option in it is there, every list and map in it has an
//! element that does, and no enum with a choice of variants is in it. So a type that contains
//! itself never does, and those that do are decoded the same way every time. A type whose
//! `Deserialize` is written by hand may ask for other things the next time; each element is
//! guarded against forged bytes all the same.

use std::any::type_name;
use std::ptr;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess};

use super::access::Traced;
use super::tracer::Tracer;

/// The elements of a sequence, or (N = 2) the keys and values of a map.
pub(super) struct Elements<A, T, const N: usize> {
    inner: A,
    trace: T,
    /// The names of the types that have shown all of themselves: a sequence by hand may have
    /// elements of several types.
    known: [Option<&'static str>; N],
}

impl<'t, A, T: Tracer<'t>, const N: usize> Elements<A, T, N> {
    #[inline]
    pub(super) fn new(inner: A, trace: T) -> Self {
        Self {
            inner,
            trace,
            known: [None; N],
        }
    }

    #[inline]
    fn knows<S>(&self, which: usize) -> bool {
        // The same name is nearly always the same text too.
        let is = |name: &'static str| ptr::eq(name, type_name::<S>()) || name == type_name::<S>();
        T::KNOWS || self.known[which].is_some_and(is)
    }

    #[inline]
    fn guarded<S>(&self, seed: S) -> Traced<S, T::Guard> {
        Traced::new(seed, self.trace.guard())
    }

    #[inline]
    fn hashed<S>(&self, seed: S) -> Traced<S, T> {
        self.trace.shows(true);
        Traced::new(seed, self.trace)
    }

    /// To be called after an element was hashed, or none was `left`.
    #[inline]
    fn learn<S>(&mut self, which: usize, left: bool) {
        if left {
            let whole = self.trace.shows(false);
            self.known[which] = whole.then_some(type_name::<S>());
        }
        self.trace.shows(self.known.iter().all(Option::is_some));
    }
}

impl<'de, 't, A: SeqAccess<'de>, T: Tracer<'t>> SeqAccess<'de> for Elements<A, T, 1> {
    type Error = A::Error;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        if self.knows::<S>(0) {
            return self.inner.next_element_seed(self.guarded(seed));
        }
        let element = self.inner.next_element_seed(self.hashed(seed))?;
        self.learn::<S>(0, element.is_some());
        Ok(element)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, 't, A: MapAccess<'de>, T: Tracer<'t>> MapAccess<'de> for Elements<A, T, 2> {
    type Error = A::Error;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        if self.knows::<S>(0) {
            return self.inner.next_key_seed(self.guarded(seed));
        }
        let key = self.inner.next_key_seed(self.hashed(seed))?;
        self.learn::<S>(0, key.is_some());
        Ok(key)
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        if self.knows::<S>(1) {
            return self.inner.next_value_seed(self.guarded(seed));
        }
        let value = self.inner.next_value_seed(self.hashed(seed))?;
        self.learn::<S>(1, true);
        Ok(value)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

//! Elements of one type, hashed until one of them has shown all of it.
//!
//! A value shows all of its type if every option in it is there, every list and map in it has an
//! element that does, and no enum with a choice of variants is in it. So a type that contains
//! itself never does, and those that do are decoded the same way every time. A type whose
//! `Deserialize` is written by hand may ask for other things the next time; each element is
//! guarded against forged bytes all the same.

use std::ptr;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess};

use super::access::Traced;
use super::tracer::Tracer;

/// The elements of a sequence, or (N = 2) the keys and values of a map.
pub(super) struct Elements<A, T, const N: usize> {
    inner: A,
    trace: T,
    seen: [Seen; N],
}

/// The elements so far. A sequence by hand may have some of several types.
#[derive(Clone, Copy)]
struct Seen {
    /// The name of the type of the last one.
    name: Option<&'static str>,
    /// Whether it has shown all of itself.
    whole: bool,
    several: bool,
}

impl<'t, A, T: Tracer<'t>, const N: usize> Elements<A, T, N> {
    #[inline]
    pub(super) fn new(inner: A, trace: T) -> Self {
        Self {
            inner,
            trace,
            seen: [Seen::NOTHING; N],
        }
    }

    #[inline]
    fn knows(&self, which: usize, name: &'static str) -> bool {
        T::KNOWS || (self.seen[which].whole && self.seen[which].is(name))
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
    fn learn(&mut self, which: usize, name: &'static str, left: bool) {
        if left {
            let whole = self.trace.shows(false);
            self.seen[which].add(name, whole);
        }
        let all = self.seen.iter().all(|seen| seen.whole && !seen.several);
        self.trace.shows(all);
    }
}

impl Seen {
    const NOTHING: Self = Self {
        name: None,
        whole: false,
        several: false,
    };

    /// Whether the last one was of this type.
    #[inline]
    fn is(&self, name: &'static str) -> bool {
        // The same name is nearly always the same text too.
        let is = |last: &'static str| ptr::eq(last, name) || last == name;
        self.name.is_some_and(is)
    }

    #[inline]
    fn add(&mut self, name: &'static str, whole: bool) {
        *self = Self {
            name: Some(name),
            whole,
            several: self.several || (self.name.is_some() && !self.is(name)),
        };
    }
}

impl<'de, 't, A: SeqAccess<'de>, T: Tracer<'t>> SeqAccess<'de> for Elements<A, T, 1> {
    type Error = A::Error;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        let name = self.trace.name::<S>();
        if self.knows(0, name) {
            return self.inner.next_element_seed(self.guarded(seed));
        }
        let element = self.inner.next_element_seed(self.hashed(seed))?;
        self.learn(0, name, element.is_some());
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
        let name = self.trace.name::<S>();
        if self.knows(0, name) {
            return self.inner.next_key_seed(self.guarded(seed));
        }
        let key = self.inner.next_key_seed(self.hashed(seed))?;
        self.learn(0, name, key.is_some());
        Ok(key)
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        let name = self.trace.name::<S>();
        if self.knows(1, name) {
            return self.inner.next_value_seed(self.guarded(seed));
        }
        let value = self.inner.next_value_seed(self.hashed(seed))?;
        self.learn(1, name, true);
        Ok(value)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

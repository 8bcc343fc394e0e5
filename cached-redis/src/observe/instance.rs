//! A key must not forget the type it is in.
//!
//! A method of `impl<E> Repo<E>` is one function to its attribute, with one static and one template, and
//! so is a default method of a trait. `Repo<A>::count` and `Repo<B>::count` would share an entry. An
//! attribute cannot see what surrounds its function; the compiler can, and names a closure inside the
//! function by all of it: `shop::Repo<shop::A>::count::{{closure}}`. So
//!
//! * each call tells its instance, and a function that meets two of them under one key runs uncached,
//! * an entry says what it was made in, its **origin**, where the key does not. A reader of another
//!   origin takes it for a miss; that is for processes in which only one of the two runs.
//!
//! These names may change with the compiler. They are never part of a key, so the worst that comes of
//! that is a miss.

use std::any::type_name;
use std::ptr;
use std::sync::OnceLock;

use xxhash_rust::xxh3::xxh3_64;

use crate::observe::registry::FunctionInfo;

/// The closures of async blocks, which surround or end the name of a function.
const CLOSURE: &str = "::{{closure}}";

/// One instantiation of an annotated function.
#[derive(Clone, Copy, Debug)]
pub struct Instance {
    name: &'static str,
    /// What its key takes of the types around it.
    types: &'static [&'static str],
}

impl Instance {
    /// The one that this closure is in.
    #[must_use]
    pub fn of<C>(_: &C, types: &'static [&'static str]) -> Self {
        let name = type_name::<C>();
        Self { name, types }
    }

    /// Most often it is the very text.
    #[inline]
    fn is_same(self, other: Self) -> bool {
        ptr::eq(self.name, other.name)
    }

    fn is(self, other: Self) -> bool {
        self.is_same(other) || self.name == other.name
    }

    /// That of calls that no attribute made.
    pub(crate) const DIRECT: Self = Self {
        name: "",
        types: &[],
    };
}

/// Tells how the compiler names a closure in the function's static, where types are still open.
#[must_use]
pub const fn definition<C>(_: &C) -> fn() -> &'static str {
    type_name::<C>
}

/// The instances of one function, in the order of their first calls. Only ever added to, so that hits
/// read it without a lock.
#[derive(Debug)]
pub(crate) struct Instances(OnceLock<Box<Met>>);

/// One of them.
#[derive(Debug)]
pub(crate) struct Met {
    instance: Instance,
    /// The function with what surrounds it, without its own parameters: those are in its key, or were
    /// given up by name.
    place: &'static str,
    pub(crate) origin: Option<u64>,
    /// Whether its key is also that of one before.
    pub(crate) is_shared: bool,
    next: Instances,
}

impl Instances {
    pub(crate) const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// Finds the instance, or adds it.
    #[inline]
    pub(crate) fn meet(&self, info: &FunctionInfo, instance: Instance) -> &Met {
        // Most functions have one.
        let first = self.first().filter(|met| met.instance.is_same(instance));
        first.unwrap_or_else(|| self.find(info, instance))
    }

    fn find(&self, info: &FunctionInfo, instance: Instance) -> &Met {
        let mut next = self;
        loop {
            let met = next
                .0
                .get_or_init(|| Box::new(self.new_one(info, instance)));
            if met.instance.is(instance) {
                return met;
            }
            next = &met.next;
        }
    }

    fn new_one(&self, info: &FunctionInfo, instance: Instance) -> Met {
        let place = own(instance.name);
        let same_key = |met: &Met| met.instance.types == instance.types;
        Met {
            instance,
            place,
            origin: origin(info, place),
            is_shared: self.all().any(|met| same_key(met) && met.place != place),
            next: Self::new(),
        }
    }

    fn all(&self) -> impl Iterator<Item = &Met> {
        std::iter::successors(self.first(), |before| before.next.first())
    }

    #[inline]
    fn first(&self) -> Option<&Met> {
        self.0.get().map(AsRef::as_ref)
    }
}

/// What entries are compared by. A default key is the function's own, so all that it does not say
/// counts. Another one may be shared on purpose: there it is what the function's text leaves open.
fn origin(info: &FunctionInfo, place: &str) -> Option<u64> {
    if info.default_key {
        return (place != info.path).then(|| xxh3_64(place.as_bytes()));
    }
    let definition = defined(info.definition);
    (place != definition).then(|| xxh3_64(filled_in(around(definition), around(place)).as_bytes()))
}

/// What surrounds a function.
fn around(function: &str) -> &str {
    function.rsplit_once("::").map_or("", |(around, _)| around)
}

/// Without the static and the closures inside of the function.
fn defined(definition: fn() -> &'static str) -> &'static str {
    outside_closures(around(outside_closures(definition())))
}

fn outside_closures(mut name: &str) -> &str {
    while let Some(outside) = name.strip_suffix(CLOSURE) {
        name = outside;
    }
    name
}

/// The name without its closures and the function's own arguments: `Repo<A>::count<u8>` is `Repo<A>::count`.
fn own(name: &str) -> &str {
    let name = outside_closures(name);
    let mut depth = 0;
    for (at, c) in name.char_indices().rev() {
        match c {
            // Not that of `fn() -> u8`.
            '>' if !name[..at].ends_with('-') => depth += 1,
            '<' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &name[..at + if c == '<' { 0 } else { c.len_utf8() }];
        }
    }
    name
}

/// What `place` says where its definition is open: `shop::A` of `Repo<shop::A>` and `Repo<_>`.
fn filled_in<'a>(definition: &str, place: &'a str) -> &'a str {
    let is_mark = |c: char| "<>(), &".contains(c);
    let same = |(a, b): &(u8, u8)| a == b;
    let common = definition.bytes().zip(place.bytes()).take_while(same);
    let prefix = place.get(..common.count()).and_then(|it| it.rfind(is_mark));
    let place = prefix.map_or(place, |at| &place[at + 1..]);
    let common = definition.bytes().rev().zip(place.bytes().rev());
    let end = place.len() - common.take_while(same).count();
    let suffix = place.get(end..).and_then(|it| it.find(is_mark));
    suffix.map_or(place, |at| &place[..end + at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fills_a_definition_is_found_whatever_is_around_it() {
        for (definition, place, said) in [
            ("shop::Repo<_>", "shop::Repo<shop::A>", "shop::A"),
            ("shop::Repo<_>", "shop::Repo<_a::A>", "_a::A"),
            ("shop::Pair<_, _>", "shop::Pair<u8, u16>", "u8, u16"),
            ("shop::Pair<_, _>", "shop::Pair<u8, u8>", "u8, u8"),
            ("shop::Buf<N>", "shop::Buf<16>", "16"),
            (
                "<_ as shop::Price>",
                "<shop::Eur as shop::Price>",
                "shop::Eur",
            ),
            (
                "shop::Price",
                "<shop::Eur as shop::Price>",
                "<shop::Eur as shop::Price>",
            ),
            (
                "shop::Repo<Vec<(_, &str)>>",
                "shop::Repo<Vec<(shop::A, &str)>>",
                "shop::A",
            ),
        ] {
            assert_eq!(filled_in(definition, place), said);
        }
    }

    #[test]
    fn a_functions_own_arguments_are_no_part_of_its_place() {
        for (name, place) in [
            ("shop::find::{{closure}}::{{closure}}", "shop::find"),
            ("shop::Repo<u8>::find::{{closure}}", "shop::Repo<u8>::find"),
            (
                "shop::Repo<u8>::find<fn() -> u8, Vec<u8>>::{{closure}}",
                "shop::Repo<u8>::find",
            ),
            ("<A as Price>::find<3>::{{closure}}", "<A as Price>::find"),
            (
                "shop::outer::{{closure}}::find::{{closure}}",
                "shop::outer::{{closure}}::find",
            ),
            ("", ""),
        ] {
            assert_eq!(own(name), place);
        }
    }
}

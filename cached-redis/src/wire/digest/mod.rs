//! The digest guards against values that only look alike. It covers every call a value makes to
//! its serializer, each as a tag and its content, lengths included, so that `("a", "bc")` and
//! `("ab", "c")` differ; it is the same in every process, build and on every platform.

mod compound;
mod serializer;

use std::fmt;

use xxhash_rust::xxh3::xxh3_128;

/// How deep a value may nest. Decoding recurses as deep, and on a task's stack.
pub(crate) const DEEPEST: u32 = 128;

/// What a value looks like to a serializer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Digest {
    /// Stable 128-bit hash. The order of a map does not matter.
    pub(crate) hash: u128,
    /// A `Some(None)` or `Some(())` was seen, which formats with a `null` cannot tell from `None`.
    pub(crate) nested_none: bool,
    /// An `Err` was seen, not counting those inside of types that are the user's own.
    pub(crate) failed: bool,
}

/// The digest for a key.
pub(crate) fn of(value: &dyn erased_serde::Serialize) -> Result<Digest, DigestError> {
    digest(value, false)
}

/// The digest for comparing a value with its own copy: sequences in any order, since a decoded
/// `HashSet` iterates in an order of its own.
pub(crate) fn unordered(value: &dyn erased_serde::Serialize) -> Result<Digest, DigestError> {
    digest(value, true)
}

fn digest(value: &dyn erased_serde::Serialize, unordered: bool) -> Result<Digest, DigestError> {
    let mut digester = Digester {
        bytes: Vec::with_capacity(128),
        unordered,
        depth: 0,
        after_some: false,
        nested_none: false,
        own: 0,
        failed: false,
    };
    erased_serde::serialize(value, &mut digester)?;
    Ok(Digest {
        hash: xxh3_128(&digester.bytes),
        nested_none: digester.nested_none,
        failed: digester.failed,
    })
}

/// Why there is no digest: the value's own `Serialize` failed, or it nests too deep.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct DigestError(Box<str>);

impl serde::ser::Error for DigestError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string().into())
    }
}

/// First byte of every call. Part of the keys in Redis: only ever add to it.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Tag {
    Bool = 1,
    I8,
    I16,
    I32,
    I64,
    I128,
    U8,
    U16,
    U32,
    U64,
    U128,
    F32,
    F64,
    Char,
    Str,
    Bytes,
    None,
    Some,
    Unit,
    UnitStruct,
    UnitVariant,
    NewtypeStruct,
    NewtypeVariant,
    Seq,
    Tuple,
    TupleStruct,
    TupleVariant,
    Map,
    Struct,
    StructVariant,
    Field,
    End,
}

/// Writes a value down in a form that only this value has. Parts whose order does not matter are
/// replaced by the sum of their hashes as soon as they are complete.
pub(crate) struct Digester {
    bytes: Vec<u8>,
    unordered: bool,
    depth: u32,
    after_some: bool,
    nested_none: bool,
    /// How many types of the user's own it is in: what is an `Err` there is their data.
    own: u32,
    failed: bool,
}

impl Digester {
    fn tag(&mut self, tag: Tag) {
        self.nested_none |=
            self.after_some && matches!(tag, Tag::None | Tag::Unit | Tag::UnitStruct);
        // A newtype is invisible in most formats: `Some(Id(None))` is as lost as `Some(None)`.
        self.after_some = tag == Tag::Some || (self.after_some && tag == Tag::NewtypeStruct);
        self.bytes.push(tag as u8);
    }

    fn text(&mut self, text: &str) {
        self.length(text.len());
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn length(&mut self, length: usize) {
        self.bytes.extend_from_slice(&(length as u64).to_le_bytes());
    }

    fn enter(&mut self) -> Result<(), DigestError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(serde::ser::Error::custom("the value nests too deep"));
        }
        Ok(())
    }

    fn leave(&mut self) {
        self.depth -= 1;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap, HashSet};

    use serde::Serialize;
    use serde::ser::{Error as _, SerializeMap as _};

    use super::*;

    fn hash<T: Serialize>(value: T) -> u128 {
        of(&value).unwrap().hash
    }

    fn nested_none<T: Serialize>(value: T) -> bool {
        of(&value).unwrap().nested_none
    }

    #[derive(Serialize)]
    enum Shape {
        Point,
        Line(u8),
        Pair(u8, u8),
        Box { w: u8, h: u8 },
    }

    #[derive(Serialize)]
    struct Id<T>(T);

    #[test]
    fn contents_cannot_shift_between_their_places() {
        assert_ne!(hash(("a", "bc")), hash(("ab", "c")));
        assert_ne!(hash((vec![1], vec![2, 3])), hash((vec![1, 2], vec![3])));
        assert_ne!(hash(vec![vec![1], vec![]]), hash(vec![vec![], vec![1]]));
        assert_ne!(hash(vec![1, 2]), hash(vec![2, 1]));
        assert_ne!(hash(None::<&str>), hash(Some("")));
        assert_ne!(hash(Some(None::<u8>)), hash(None::<Option<u8>>));
        assert_ne!(hash(1_u32), hash(1_u64));
        assert_ne!(hash(1), hash(Id(1)));
    }

    #[test]
    fn variants_differ_even_where_their_contents_agree() {
        let hashes = [
            hash(Shape::Point),
            hash(Shape::Line(1)),
            hash(Shape::Pair(1, 2)),
            hash(Shape::Box { w: 1, h: 2 }),
            hash(Shape::Box { w: 2, h: 1 }),
        ];
        assert_eq!(HashSet::from(hashes).len(), hashes.len());
    }

    #[test]
    fn the_order_of_a_map_does_not_matter() {
        let forth: HashMap<_, _> = (0..100).map(|n| (n, n.to_string())).collect();
        let back: HashMap<_, _> = (0..100).rev().map(|n| (n, n.to_string())).collect();
        let sorted: BTreeMap<_, _> = (0..100).map(|n| (n, n.to_string())).collect();
        assert_eq!(hash(&forth), hash(&back));
        assert_eq!(hash(&forth), hash(sorted));
        assert_ne!(
            hash(HashMap::from([(1, 2), (3, 4)])),
            hash(HashMap::from([(1, 4), (3, 2)]))
        );
    }

    #[test]
    fn comparing_ignores_the_order_of_sequences_but_not_of_tuples() {
        let same = |a: &[u8], b: &[u8]| unordered(&a).unwrap() == unordered(&b).unwrap();
        assert!(same(&[1, 2, 2], &[2, 1, 2]));
        assert!(!same(&[1, 2, 2], &[1, 1, 2]));
        assert!(!same(&[], &[0]));
        assert_ne!(unordered(&(1, 2)).unwrap(), unordered(&(2, 1)).unwrap());
    }

    #[test]
    fn nested_nones_are_noticed() {
        assert!(nested_none(Some(None::<u8>)));
        assert!(nested_none(vec![(1, Some(()))]));
        assert!(nested_none(Some(Id(None::<u8>))));
        assert!(!nested_none((Some(1), None::<u8>)));
        assert!(!nested_none(Some((None::<u8>, 1))));
        assert!(!nested_none(Some(vec![None::<u8>])));
    }

    #[test]
    fn errors_are_noticed_wherever_they_are_no_data_of_a_type() {
        type Answer = Result<u8, String>;
        let failed = |value: &dyn Fn(Answer) -> Digest| {
            (value(Ok(1)).failed, value(Err("no".into())).failed)
        };
        let seen = (false, true);
        assert_eq!(failed(&|answer| of(&answer).unwrap()), seen);
        assert_eq!(failed(&|answer| of(&Some(answer)).unwrap()), seen);
        assert_eq!(failed(&|answer| of(&Ok::<_, u8>(answer)).unwrap()), seen);
        assert_eq!(failed(&|answer| of(&(1, Box::new(answer))).unwrap()), seen);
        assert_eq!(failed(&|answer| of(&vec![answer]).unwrap()), seen);
        assert_eq!(
            failed(&|answer| of(&HashMap::from([(1, answer)])).unwrap()),
            seen
        );
        #[derive(Serialize)]
        struct Job {
            outcome: Answer,
        }
        let data = (false, false);
        assert_eq!(failed(&|outcome| of(&Some(Job { outcome })).unwrap()), data);
        assert_eq!(failed(&|outcome| of(&Id(outcome)).unwrap()), data);
        assert!(
            of(&(Job { outcome: Ok(1) }, Err::<u8, u8>(1)))
                .unwrap()
                .failed
        );
    }

    #[test]
    fn the_hash_is_part_of_keys_and_must_not_change() {
        let value = (
            Shape::Box { w: 1, h: 2 },
            Some("é"),
            vec![(1_u64, 1.5)],
            [(); 1],
        );
        assert_eq!(
            format!("{:032x}", hash(value)),
            "9d8c808a1f7bc14e1f634af31bfb3ac9"
        );
        let map = BTreeMap::from([("a", 1), ("b", 2)]);
        assert_eq!(
            format!("{:032x}", hash(map)),
            "4c178c4464da59e0f524c1f2aaa56070"
        );
    }

    #[test]
    fn failures_are_errors_and_never_panics() {
        struct Broken;
        impl fmt::Display for Broken {
            fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
                Err(fmt::Error)
            }
        }
        impl Serialize for Broken {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }
        struct Odd;
        impl Serialize for Odd {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                let mut map = s.serialize_map(Some(9))?;
                map.serialize_value(&1)?;
                map.serialize_key(&2)?;
                Err(S::Error::custom("no"))
            }
        }
        assert!(of(&Broken).is_err());
        assert!(of(&vec![Odd]).is_err());
    }

    #[test]
    fn values_that_nest_too_deep_are_refused() {
        #[derive(Serialize)]
        struct List(Option<Box<List>>);
        let list = |length| (0..length).fold(List(None), |tail, _| List(Some(Box::new(tail))));
        assert!(of(&list(20)).is_ok());
        assert!(of(&list(500)).is_err());
    }
}

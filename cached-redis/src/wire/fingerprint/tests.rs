//! Types seen through bincode, which tells nothing about them by itself.
#![cfg(feature = "bincode")]

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::marker::PhantomData;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use serde::de::{DeserializeOwned, DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Serialize, Serializer};

use super::*;
use crate::wire::codec::{Bincode, Codec, Format, Json, Msgpack};
use crate::wire::digest::Digest;

fn bytes<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    Bincode.encode(value, &mut bytes).unwrap();
    bytes
}

/// A value that was read, and what was seen of its type.
struct Read<T> {
    value: T,
    seen: Seen,
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Option<Read<T>> {
    let mut value = None;
    let seen = within(bytes.len(), || Bincode.decode_traced(bytes, &mut value)).ok()?;
    value.map(|value| Read { value, seen })
}

/// Whether a value is read as by its type where only trait objects are seen of that.
fn is_read_erased<T: Serialize + DeserializeOwned>(value: &T) -> bool {
    fn read<T: Serialize + DeserializeOwned>(
        codec: impl Codec,
        bytes: &[u8],
    ) -> Option<(Digest, u32, bool)> {
        let mut value = None::<T>;
        let seen = codec.decode_traced(bytes, &mut value).ok()?;
        let digest = digest::unordered(&value?).ok()?;
        Some((digest, seen.traced, seen.buffered))
    }
    fn same<T: Serialize + DeserializeOwned>(value: &T, codec: impl Codec, erased: Format) -> bool {
        let mut bytes = Vec::new();
        // Not each format has a form for it.
        codec.encode(value, &mut bytes).is_err()
            || read::<T>(codec, &bytes).is_some_and(|it| Some(it) == read::<T>(erased, &bytes))
    }
    same(value, Msgpack, Format::Msgpack) && same(value, Json, Format::Json)
}

fn fingerprint<T: Serialize + DeserializeOwned>(value: &T) -> u32 {
    assert!(is_read_erased(value));
    let read = read::<T>(&bytes(value)).unwrap();
    read.seen.fingerprint(&read.value).unwrap()
}

#[derive(Serialize, Deserialize, PartialEq, Debug, Clone)]
struct User {
    id: u64,
    name: String,
    tags: Vec<String>,
    boss: Option<Box<User>>,
    role: Role,
}

#[derive(Serialize, Deserialize, PartialEq, Debug, Clone)]
enum Role {
    Guest,
    Member(u32),
    Admin { since: i16, rights: (u8, u8) },
}

fn user(role: Role) -> User {
    User {
        id: 7,
        name: "Ada".into(),
        tags: vec!["a".into(), "b".into()],
        boss: None,
        role,
    }
}

#[test]
fn the_fingerprint_is_the_same_in_every_build_and_platform() {
    let role = Role::Admin {
        since: 3,
        rights: (1, 2),
    };
    assert_eq!(fingerprint(&user(role)), 4_111_189_358);
    assert_eq!(fingerprint(&7_u8), 4_030_587_035);
}

#[test]
fn the_same_bytes_and_type_give_the_same_fingerprint() {
    for role in [
        Role::Guest,
        Role::Member(1),
        Role::Admin {
            since: 1,
            rights: (0, 0),
        },
    ] {
        let mut value = user(role);
        value.boss = Some(Box::new(value.clone()));
        let bytes = bytes(&value);
        let first = read::<User>(&bytes).unwrap();
        assert_eq!(first.value, value);
        for _ in 0..3 {
            assert_eq!(read::<User>(&bytes).unwrap().seen.traced, first.seen.traced);
        }
        let other_thread = std::thread::spawn(move || read::<User>(&bytes).unwrap().seen.traced);
        assert_eq!(other_thread.join().unwrap(), first.seen.traced);
    }
}

/// Whether the bytes of an `A` read as a `B` without being noticed.
fn passes<A, B>(value: &A) -> bool
where
    A: Serialize + DeserializeOwned,
    B: Serialize + DeserializeOwned,
{
    let read = read::<B>(&bytes(value));
    let seen = read.and_then(|read| read.seen.fingerprint(&read.value));
    seen == Some(fingerprint(value))
}

#[test]
fn kinds_are_told_apart_where_the_bytes_agree() {
    assert!(passes::<u32, u32>(&5));
    assert!(!passes::<u32, u64>(&5));
    assert!(!passes::<u32, u16>(&5));
    assert!(!passes::<i32, i64>(&5));
    assert!(!passes::<bool, u8>(&true));
    assert!(!passes::<bool, Option<()>>(&true));
    assert!(!passes::<Option<u8>, Option<bool>>(&Some(1)));
    assert!(!passes::<String, Vec<u8>>(&"ab".into()));
    assert!(!passes::<(u8, u8), [bool; 2]>(&(1, 1)));
    assert!(!passes::<(u8, u8), (u8, bool)>(&(1, 1)));
    assert!(!passes::<Vec<u8>, (u8, u8, u8)>(&vec![1, 1]));
    assert!(!passes::<Vec<(u8, u8)>, BTreeMap<u8, u8>>(&vec![(1, 2)]));
    assert!(!passes::<f32, [u8; 4]>(&1.0));
    assert!(!passes::<((u8, u8), u8), (u8, (u8, u8))>(&((1, 2), 3)));
}

#[test]
fn what_only_a_later_element_shows_counts() {
    let absent_first = vec![None, Some(1)];
    assert!(passes::<Vec<Option<u8>>, Vec<Option<u8>>>(&absent_first));
    assert!(!passes::<Vec<Option<u8>>, Vec<Option<bool>>>(&absent_first));
    let empty_first = vec![vec![], vec![(1, 1)]];
    assert!(!passes::<Vec<Vec<(u8, u8)>>, Vec<Vec<(u8, bool)>>>(
        &empty_first
    ));
    let nested = vec![(1, vec![None]), (1, vec![Some(1), None])];
    assert!(!passes::<
        Vec<(u8, Vec<Option<u8>>)>,
        Vec<(u8, Vec<Option<bool>>)>,
    >(&nested));
    let variants = vec![Ok(1), Ok(1), Err(1)];
    assert!(!passes::<Vec<Result<u8, u8>>, Vec<Result<u8, bool>>>(
        &variants
    ));
    let map = BTreeMap::from([(1, None), (2, Some(1))]);
    assert!(!passes::<
        BTreeMap<u8, Option<u8>>,
        BTreeMap<u8, Option<bool>>,
    >(&map));
}

#[test]
fn elements_of_several_types_all_count() {
    /// Written as a sequence by hand.
    #[derive(Debug)]
    struct Mixed<A, B>(A, B);

    impl<A: Serialize, B: Serialize> Serialize for Mixed<A, B> {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeSeq as _;
            let mut seq = serializer.serialize_seq(Some(2))?;
            seq.serialize_element(&self.0)?;
            seq.serialize_element(&self.1)?;
            seq.end()
        }
    }

    impl<'de, A: Deserialize<'de>, B: Deserialize<'de>> Deserialize<'de> for Mixed<A, B> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Visitor<A, B>(std::marker::PhantomData<(A, B)>);
            impl<'de, A: Deserialize<'de>, B: Deserialize<'de>> serde::de::Visitor<'de> for Visitor<A, B> {
                type Value = Mixed<A, B>;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("two elements")
                }
                fn visit_seq<S: serde::de::SeqAccess<'de>>(
                    self,
                    mut seq: S,
                ) -> Result<Self::Value, S::Error> {
                    let mut missing = || serde::de::Error::invalid_length(2, &"two elements");
                    let first = seq.next_element()?.ok_or_else(&mut missing)?;
                    let second = seq.next_element()?.ok_or_else(&mut missing)?;
                    Ok(Mixed(first, second))
                }
            }
            deserializer.deserialize_seq(Visitor(std::marker::PhantomData))
        }
    }

    assert!(passes::<Mixed<u8, u8>, Mixed<u8, u8>>(&Mixed(1, 1)));
    assert!(!passes::<Mixed<u8, u8>, Mixed<u8, bool>>(&Mixed(1, 1)));
    assert!(!passes::<Mixed<u8, bool>, Mixed<u8, u8>>(&Mixed(1, true)));
    let absent_first = vec![Mixed(None, 1), Mixed(Some(1), 1)];
    assert!(!passes::<
        Vec<Mixed<Option<u8>, u8>>,
        Vec<Mixed<Option<bool>, u8>>,
    >(&absent_first));
}

#[test]
fn what_a_seed_decides_counts_in_every_element() {
    /// One or the other, as a number before it says.
    #[derive(Serialize)]
    #[serde(untagged)]
    enum Chosen<A, B> {
        One(u8, A),
        Other(u8, B),
    }

    impl<'de, A: Deserialize<'de>, B: Deserialize<'de>> Deserialize<'de> for Chosen<A, B> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_tuple(2, Choice(0, PhantomData))
        }
    }

    struct Choice<A, B>(u8, PhantomData<(A, B)>);

    impl<'de, A: Deserialize<'de>, B: Deserialize<'de>> DeserializeSeed<'de> for Choice<A, B> {
        type Value = Chosen<A, B>;
        fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
            match self.0 {
                0 => A::deserialize(from).map(|one| Chosen::One(0, one)),
                n => B::deserialize(from).map(|other| Chosen::Other(n, other)),
            }
        }
    }

    impl<'de, A: Deserialize<'de>, B: Deserialize<'de>> Visitor<'de> for Choice<A, B> {
        type Value = Chosen<A, B>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a choice and what it is of")
        }
        fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<Self::Value, S::Error> {
            let missing = || S::Error::invalid_length(2, &"two elements");
            let choice = seq.next_element()?.ok_or_else(missing)?;
            seq.next_element_seed(Choice(choice, self.1))?
                .ok_or_else(missing)
        }
    }

    let both = vec![Chosen::One(0, 1), Chosen::Other(1, 1)];
    assert!(passes::<Vec<Chosen<u8, u8>>, Vec<Chosen<u8, u8>>>(&both));
    assert!(!passes::<Vec<Chosen<u8, u8>>, Vec<Chosen<u8, bool>>>(&both));
}

#[test]
fn a_struct_that_is_taken_from_a_map_by_hand_counts_with_its_fields() {
    struct User<const NICK: bool>;

    impl<const NICK: bool> Serialize for User<NICK> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_map(
                [("id", Some(1)), ("nick", None)]
                    .iter()
                    .take(1 + usize::from(NICK))
                    .copied(),
            )
        }
    }

    impl<'de, const NICK: bool> Deserialize<'de> for User<NICK> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_map(User::<NICK>)
        }
    }

    impl<'de, const NICK: bool> Visitor<'de> for User<NICK> {
        type Value = Self;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("struct User")
        }
        fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self, M::Error> {
            while map.next_entry::<String, Option<u8>>()?.is_some() {}
            Ok(self)
        }
    }

    assert!(passes::<User<false>, User<false>>(&User));
    assert!(!passes::<User<false>, User<true>>(&User));
}

#[test]
fn forged_lengths_are_refused_in_elements_of_a_known_type() {
    let mut forged = vec![2];
    forged.extend_from_slice(&bytes(&vec!["known".to_owned()]));
    forged.push(0xFD);
    forged.extend_from_slice(&(512_u64 << 20).to_le_bytes());
    assert!(read::<Vec<Vec<String>>>(&forged).is_none());
    assert!(read::<Vec<Vec<()>>>(&[2, 1, 0xFC, 255, 255, 255, 255]).is_none());
}

#[test]
fn the_way_a_text_is_owned_does_not_count() {
    assert!(passes::<String, Box<str>>(&"ab".into()));
    assert!(passes::<Vec<String>, HashSet<Box<str>>>(&vec!["ab".into()]));
    assert!(passes::<Box<u8>, u8>(&Box::new(1)));
    assert!(passes::<BTreeMap<u8, String>, HashMap<u8, Box<str>>>(
        &BTreeMap::from([(1, "a".into())])
    ));
}

#[test]
fn types_with_serde_written_by_hand_have_fingerprints() {
    fn check<T: Serialize + DeserializeOwned + PartialEq>(value: &T) {
        let read = read::<T>(&bytes(value)).unwrap();
        assert!(&read.value == value);
        assert_eq!(read.seen.traced, fingerprint(value));
    }
    check(&chrono::DateTime::from_timestamp(1_750_000_000, 5).unwrap());
    check(&chrono::NaiveDate::from_ymd_opt(2026, 2, 28));
    check(&uuid::Uuid::from_u128(5));
    check(&NonZeroU32::new(5));
    check(&Duration::from_millis(1500));
    check(&IpAddr::from([127, 0, 0, 1]));
    check(&serde_bytes::ByteBuf::from([1, 2, 3]));
    check(&HashMap::from([
        (1_u8, Ok::<u8, String>(2)),
        (2, Err("x".into())),
    ]));
    check(&std::collections::BTreeSet::from(['a', 'é']));
    check(&(
        1_i128,
        u128::MAX,
        (),
        [1.5_f32; 3],
        std::ops::Bound::Included(3),
    ));
}

#[test]
fn all_kinds_of_types_are_read_where_only_trait_objects_are_seen_of_them() {
    #[derive(Serialize, Deserialize)]
    struct Unit;
    #[derive(Serialize, Deserialize)]
    struct Id(u32);
    #[derive(Serialize, Deserialize)]
    struct Pair(Id, Option<Unit>);
    #[derive(Serialize, Deserialize)]
    #[serde(tag = "kind")]
    enum Tagged {
        Known { id: Id },
        Other,
    }
    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Untagged {
        Number(f64),
        Text(String),
        List(Vec<Untagged>),
    }
    #[derive(Serialize, Deserialize)]
    struct Nested {
        pair: Pair,
        roles: Vec<Role>,
        #[serde(flatten)]
        rest: BTreeMap<String, Untagged>,
        #[serde(default)]
        absent: Option<char>,
    }
    let nested = |text: &str| {
        let list = vec![Untagged::Text(text.into()), Untagged::Number(-1.5)];
        Nested {
            pair: Pair(Id(7), Some(Unit)),
            roles: vec![
                Role::Guest,
                Role::Member(3),
                Role::Admin {
                    since: -4,
                    rights: (1, 2),
                },
            ],
            rest: BTreeMap::from([("list".into(), Untagged::List(list))]),
            absent: Some('é'),
        }
    };
    assert!(is_read_erased(&[nested("plain"), nested("\"quoted\"\n")]));
    assert!(is_read_erased(&(Unit, Id(1), Pair(Id(2), None))));
    assert!(is_read_erased(&[
        Tagged::Known { id: Id(1) },
        Tagged::Other
    ]));
    assert!(is_read_erased(&(true, 'é', i128::MIN, u128::MAX, ())));
    assert!(is_read_erased(&(i8::MIN, i16::MIN, i32::MIN, i64::MIN)));
    assert!(is_read_erased(&(u8::MAX, u16::MAX, u32::MAX, u64::MAX)));
    assert!(is_read_erased(&(
        1.5_f32,
        2.5_f64,
        [0_u8; 3],
        "text".to_owned()
    )));
    assert!(is_read_erased(&BTreeMap::from([
        (1_u8, Some(2_i8)),
        (3, None)
    ])));
    assert!(is_read_erased(&serde_bytes::ByteBuf::from([1, 2, 3])));
    assert!(is_read_erased(
        &serde_json::json!({ "a": [1, -1, 1.5, null, "b", true] })
    ));
}

#[test]
fn forged_lengths_are_refused_before_anything_is_allocated() {
    // 0xFD announces eight bytes of length: 512 MB, and more than any memory.
    for length in [512 << 20, u64::MAX] {
        let mut forged = vec![0xFD];
        forged.extend_from_slice(&length.to_le_bytes());
        forged.extend_from_slice(b"only so much");
        assert!(read::<String>(&forged).is_none());
        assert!(read::<serde_bytes::ByteBuf>(&forged).is_none());
        assert!(read::<Vec<u64>>(&forged).is_none());
        assert!(read::<Vec<()>>(&forged).is_none());
        assert!(read::<HashMap<(), ()>>(&forged).is_none());
        assert!(read::<Vec<Vec<String>>>(&forged).is_none());
    }
}

/// An element may be nothing in the bytes and large in memory.
#[test]
fn nested_sequences_cannot_claim_the_same_bytes() {
    #[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
    struct Cell {
        #[serde(skip)]
        room: [u64; 16],
    }
    let forged = [100; 101];
    assert!(read::<Vec<Vec<Cell>>>(&forged).is_none());
    let few = (
        vec![vec![Cell { room: [0; 16] }; 2]; 3],
        "a long text".to_owned(),
    );
    assert_eq!(read(&bytes(&few)).map(|read| read.value), Some(few));
    let full = vec![vec![0_u8]; 100];
    assert_eq!(read(&bytes(&full)).map(|read| read.value), Some(full));
}

#[test]
fn forged_nesting_is_refused_before_the_stack_ends() {
    #[derive(Serialize, Deserialize)]
    struct List(Option<Box<List>>);
    #[derive(Serialize, Deserialize)]
    enum Chain {
        Link(Box<Chain>),
    }
    assert!(read::<List>(&vec![1; 1 << 20]).is_none());
    assert!(read::<Chain>(&vec![0; 1 << 20]).is_none());
    assert!(read::<List>(&[1, 1, 1, 0]).is_some());
}

#[test]
fn texts_that_are_none_are_refused() {
    let text = bytes(&"Ärger".to_owned());
    assert_eq!(read::<String>(&text).unwrap().value, "Ärger");
    for cut in 2..text.len() {
        let mut broken = text.clone();
        broken[cut] = 0xFF;
        assert!(read::<String>(&broken).is_none(), "{cut}");
        assert!(read::<Vec<String>>(&[&[1], &*broken].concat()).is_none());
        assert!(read::<String>(&text[..cut]).is_none());
    }
}

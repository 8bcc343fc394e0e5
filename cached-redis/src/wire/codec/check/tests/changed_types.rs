//! `old` is in Redis, `new` in the code, and the reverse.

use super::*;

macro_rules! shape {
    ($name:ident: $($item:tt)*) => {
        pub(super) mod $name {
            use serde::{Deserialize, Serialize};
            #[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
            $($item)*
        }
    };
}

shape! { base: pub(crate) struct User { pub(crate) id: u32, pub(crate) first: String, pub(crate) last: String } }
shape! { same: pub(crate) struct User { pub(crate) id: u32, pub(crate) first: Box<str>, pub(crate) last: String } }
shape! { added: pub(crate) struct User { id: u32, first: String, last: String, age: Option<u8> } }
shape! { removed: pub(crate) struct User { id: u32, first: String } }
shape! { renamed: pub(crate) struct User { id: u32, given: String, last: String } }
shape! { swapped: pub(crate) struct User { pub(crate) id: u32, pub(crate) last: String, pub(crate) first: String } }
shape! { retyped: pub(crate) struct User { id: u64, first: String, last: String } }
shape! { moved: pub(crate) struct Customer { id: u32, first: String, last: String } }
shape! { state: pub(crate) enum State { On, Off, At(u8), In { a: u8, b: u8 } } }
shape! { reordered: pub(crate) enum State { Off, On, At(u8), In { a: u8, b: u8 } } }
shape! { grown: pub(crate) enum State { On, Off, At(u8), In { a: u8, b: u8 }, Up } }
shape! { inner: pub(crate) enum State { On, Off, At(u8), In { b: u8, a: u8 } } }

fn user() -> base::User {
    base::User {
        id: 7,
        first: "Ada".into(),
        last: "Lovelace".into(),
    }
}

fn formats() -> [Format; 3] {
    [Format::default(), Format::Msgpack, Format::Json]
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the values are written in place"
)]
fn lost<A, B>(value: A)
where
    A: Serialize + DeserializeOwned + Clone,
    B: Serialize + DeserializeOwned,
{
    for format in formats() {
        assert!(reread::<A, B>(format, &value).is_none(), "{format:?}");
        let several = vec![value.clone(), value.clone()];
        assert!(
            reread::<Vec<A>, Vec<B>>(format, &several).is_none(),
            "{format:?}"
        );
    }
}

#[test]
fn entries_of_a_changed_type_are_a_miss_in_every_format() {
    lost::<_, added::User>(user());
    lost::<_, removed::User>(user());
    lost::<_, renamed::User>(user());
    lost::<_, swapped::User>(user());
    lost::<_, retyped::User>(user());
    lost::<_, moved::Customer>(user());
    lost::<_, base::User>(swapped::User {
        id: 1,
        last: "b".into(),
        first: "a".into(),
    });
    for state in [
        state::State::On,
        state::State::At(1),
        state::State::In { a: 1, b: 2 },
    ] {
        lost::<_, reordered::State>(state.clone());
        lost::<_, grown::State>(state);
    }
    lost::<_, inner::State>(state::State::In { a: 1, b: 2 });
}

#[test]
fn entries_of_the_same_type_are_read_in_every_format() {
    for format in formats() {
        assert_eq!(reread(format, &user()), Some(user()));
        let same: same::User = reread(format, &user()).unwrap();
        assert_eq!((same.id, &*same.first, &*same.last), (7, "Ada", "Lovelace"));
    }
}

#[test]
fn additive_changes_are_read_where_names_tell_them() {
    fn read<B: Serialize + DeserializeOwned>(format: Format, value: &base::User) -> Option<B> {
        let (header, encoded) = entry(&format, value);
        codec::decode_checked(format, &header, &encoded.payload, true)
    }
    for format in [Format::Msgpack, Format::Json] {
        assert!(read::<added::User>(format, &user()).is_some());
        assert!(read::<removed::User>(format, &user()).is_some());
        assert!(read::<renamed::User>(format, &user()).is_none());
        let swapped: swapped::User = read(format, &user()).unwrap();
        assert_eq!((&*swapped.first, &*swapped.last), ("Ada", "Lovelace"));
    }
}

//! K4: `old` is in Redis, `new` in the code, and the reverse.
#![cfg_attr(not(feature = "bincode"), allow(dead_code))] // some types differ for it alone

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

#[cfg(feature = "bincode")]
fn lost<A, B>(value: A)
where
    A: Serialize + DeserializeOwned,
    B: Serialize + DeserializeOwned,
{
    assert!(reread::<A, B>(Bincode, &value).is_none());
    assert!(reread::<Vec<A>, Vec<B>>(Bincode, &vec![value]).is_none());
}

#[cfg(feature = "bincode")]
use crate::codec::Bincode;

#[cfg(feature = "bincode")]
#[test]
fn k4_bytes_of_a_changed_type_are_a_miss() {
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

#[cfg(feature = "bincode")]
#[test]
fn k4_bytes_of_the_same_type_are_read() {
    assert_eq!(reread(Bincode, &user()), Some(user()));
    let same: same::User = reread(Bincode, &user()).unwrap();
    assert_eq!((same.id, &*same.first, &*same.last), (7, "Ada", "Lovelace"));
}

#[test]
fn k4_names_let_old_and_new_types_read_each_other() {
    for format in [Format::Msgpack, Format::Json] {
        let swapped: swapped::User = reread(format, &user()).unwrap();
        assert_eq!((&*swapped.first, &*swapped.last), ("Ada", "Lovelace"));
        assert!(reread::<_, added::User>(format, &user()).is_some());
        assert!(reread::<_, removed::User>(format, &user()).is_some());
        assert!(reread::<_, renamed::User>(format, &user()).is_none());
        let state = state::State::In { a: 1, b: 2 };
        assert_eq!(
            reread::<_, reordered::State>(format, &state),
            Some(reordered::State::In { a: 1, b: 2 })
        );
    }
}

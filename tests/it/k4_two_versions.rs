//! K4: during a deployment an old and a new version of a program run side by side and a type has
//! changed. Each sees its own values or loads them: never a value that is mixed up, never an error.

use cached_redis::{Cache, Format};

use crate::support::{World, on_both_stores};

/// Two modules of one type each, both read under the same key by every codec.
macro_rules! two_versions {
    ($change:ident old { $($old:item)+ } holds $old_truth:expr; new { $($new:item)+ } holds $new_truth:expr;) => {
        mod $change {
            two_versions!(@version old $change { $($old)+ } $old_truth);
            two_versions!(@version new $change { $($new)+ } $new_truth);

            /// Reads as both versions, in turn, again and again.
            pub(super) async fn read_by_both(cache: &super::Cache, codec: super::Format) {
                for _ in 0..3 {
                    cache.scope(old::read(codec)).await;
                    cache.scope(new::read(codec)).await;
                }
            }
        }
    };
    (@version $version:ident $change:ident { $($item:item)+ } $truth:expr) => {
        mod $version {
            use cached_redis::{Format, redis_cached};
            use serde::{Deserialize, Serialize};

            $(
                #[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
                $item
            )+

            fn truth() -> User {
                $truth
            }

            #[redis_cached(ttl = 60, key = "k4:<of>:<codec:?>")]
            async fn user(of: &str, codec: Format) -> User {
                assert_eq!(of, stringify!($change));
                let _ = codec;
                truth()
            }

            pub(super) async fn read(codec: Format) {
                for _ in 0..2 {
                    assert_eq!(user(stringify!($change), codec).await, truth());
                }
            }
        }
    };
}

two_versions! {
    added
    old {
        struct User { id: u32, name: String }
    } holds User { id: 1, name: "Ada".to_owned() };
    new {
        struct User { id: u32, name: String, age: u32 }
    } holds User { id: 1, name: "Ada".to_owned(), age: 36 };
}

two_versions! {
    removed
    old {
        struct User { id: u32, age: u32, points: u32 }
    } holds User { id: 1, age: 36, points: 7 };
    new {
        struct User { id: u32, points: u32 }
    } holds User { id: 1, points: 7 };
}

two_versions! {
    renamed
    old {
        struct User { id: u32, email: String }
    } holds User { id: 1, email: "ada@example.org".to_owned() };
    new {
        struct User { id: u32, login: String }
    } holds User { id: 1, login: "ada".to_owned() };
}

two_versions! {
    swapped
    old {
        struct User { first: String, last: String }
    } holds User { first: "Ada".to_owned(), last: "Lovelace".to_owned() };
    new {
        struct User { last: String, first: String }
    } holds User { last: "Lovelace".to_owned(), first: "Ada".to_owned() };
}

two_versions! {
    reordered_variants
    old {
        enum Role { Guest, Admin }
        struct User { id: u32, role: Role }
    } holds User { id: 1, role: Role::Guest };
    new {
        enum Role { Admin, Guest }
        struct User { id: u32, role: Role }
    } holds User { id: 1, role: Role::Guest };
}

two_versions! {
    new_variant_in_front
    old {
        enum Role { Guest(u8), Admin(u8) }
        struct User { role: Role }
    } holds User { role: Role::Admin(1) };
    new {
        enum Role { Owner(u8), Guest(u8), Admin(u8) }
        struct User { role: Role }
    } holds User { role: Role::Admin(1) };
}

two_versions! {
    other_primitive
    old {
        struct User { id: u32, since: u64 }
    } holds User { id: 1, since: 1815 };
    new {
        struct User { id: u32, since: i64 }
    } holds User { id: 1, since: 1815 };
}

two_versions! {
    now_optional
    old {
        struct User { id: u32, age: u32 }
    } holds User { id: 1, age: 36 };
    new {
        struct User { id: u32, age: Option<u32> }
    } holds User { id: 1, age: Some(36) };
}

two_versions! {
    swapped_deep_inside
    old {
        struct Size { width: u32, height: u32 }
        struct User { pictures: Vec<(u32, Size)> }
    } holds User { pictures: vec![(1, Size { width: 2, height: 3 })] };
    new {
        struct Size { height: u32, width: u32 }
        struct User { pictures: Vec<(u32, Size)> }
    } holds User { pictures: vec![(1, Size { height: 3, width: 2 })] };
}

two_versions! {
    renamed_optional
    old {
        struct User { id: u32, nick: Option<String> }
    } holds User { id: 1, nick: Some("Ada".to_owned()) };
    new {
        struct User { id: u32, alias: Option<String> }
    } holds User { id: 1, alias: Some("Ada".to_owned()) };
}

two_versions! {
    renamed_where_bincode_falls_back
    old {
        struct User {
            #[serde(skip_serializing_if = "Option::is_none")]
            age: Option<u32>,
            nick: Option<String>,
        }
    } holds User { age: None, nick: Some("Ada".to_owned()) };
    new {
        struct User {
            #[serde(skip_serializing_if = "Option::is_none")]
            age: Option<u32>,
            alias: Option<String>,
        }
    } holds User { age: None, alias: Some("Ada".to_owned()) };
}

two_versions! {
    renamed_behind_an_element_that_lacks_it
    old {
        struct Address { street: String, flat: Option<u32> }
        struct Guest {
            #[serde(default, skip_serializing_if = "Option::is_none")]
            address: Option<Address>,
        }
        struct User { guests: Vec<Guest> }
    } holds User {
        guests: vec![
            Guest { address: None },
            Guest { address: Some(Address { street: "Main".to_owned(), flat: Some(7) }) },
        ],
    };
    new {
        struct Address { street: String, door: Option<u32> }
        struct Guest {
            #[serde(default, skip_serializing_if = "Option::is_none")]
            address: Option<Address>,
        }
        struct User { guests: Vec<Guest> }
    } holds User {
        guests: vec![
            Guest { address: None },
            Guest { address: Some(Address { street: "Main".to_owned(), door: Some(7) }) },
        ],
    };
}

two_versions! {
    renamed_inside_a_flattened_struct
    old {
        struct Names { nick: Option<String> }
        struct User { id: u32, #[serde(flatten)] names: Names }
    } holds User { id: 1, names: Names { nick: Some("Ada".to_owned()) } };
    new {
        struct Names { alias: Option<String> }
        struct User { id: u32, #[serde(flatten)] names: Names }
    } holds User { id: 1, names: Names { alias: Some("Ada".to_owned()) } };
}

two_versions! {
    renamed_inside_an_untagged_enum
    old {
        #[serde(untagged)]
        enum Name { Person { first: String, nick: Option<String> }, Number(u32) }
        struct User { names: Vec<Name> }
    } holds User {
        names: vec![Name::Person { first: "A".to_owned(), nick: Some("B".to_owned()) }, Name::Number(1)],
    };
    new {
        #[serde(untagged)]
        enum Name { Person { first: String, alias: Option<String> }, Number(u32) }
        struct User { names: Vec<Name> }
    } holds User {
        names: vec![Name::Person { first: "A".to_owned(), alias: Some("B".to_owned()) }, Name::Number(1)],
    };
}

two_versions! {
    renamed_inside_an_internally_tagged_enum
    old {
        #[serde(tag = "kind")]
        enum User { Person { first: String, nick: Option<String> }, Robot { number: u32 } }
    } holds User::Person { first: "Ada".to_owned(), nick: Some("A".to_owned()) };
    new {
        #[serde(tag = "kind")]
        enum User { Person { first: String, alias: Option<String> }, Robot { number: u32 } }
    } holds User::Person { first: "Ada".to_owned(), alias: Some("A".to_owned()) };
}

macro_rules! behaviours {
    ($($name:ident of $change:ident),+ $(,)?) => {
        on_both_stores!($($name),+);
        $(
            async fn $name(world: World) {
                for codec in [Format::Bincode, Format::Msgpack, Format::Json] {
                    let cache = world.builder().codec(codec).build().await.unwrap();
                    $change::read_by_both(&cache, codec).await;
                    let stats = cache.stats().total();
                    assert!(stats.undecodable > 0, "{codec:?}: the versions met: {stats:?}");
                    assert_eq!((stats.errors, stats.unstorable), (0, 0), "{stats:?}");
                }
            }
        )+
    };
}

behaviours!(
    k4_an_added_field of added,
    k4_a_removed_field of removed,
    k4_a_renamed_field of renamed,
    k4_fields_of_one_type_swapped of swapped,
    k4_variants_reordered of reordered_variants,
    k4_a_variant_added_in_front of new_variant_in_front,
    k4_another_primitive of other_primitive,
    k4_a_field_made_optional of now_optional,
    k4_fields_swapped_deep_inside of swapped_deep_inside,
    a_renamed_optional_field of renamed_optional,
    a_renamed_optional_field_that_bincode_falls_back_from of renamed_where_bincode_falls_back,
    a_field_renamed_behind_an_element_that_lacks_it of renamed_behind_an_element_that_lacks_it,
    a_field_renamed_inside_a_flattened_struct of renamed_inside_a_flattened_struct,
    a_field_renamed_inside_an_untagged_enum of renamed_inside_an_untagged_enum,
    a_field_renamed_inside_an_internally_tagged_enum of renamed_inside_an_internally_tagged_enum,
);

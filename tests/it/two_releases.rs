//! During a deployment an old and a new version of a program run side by side and a type has
//! changed. Each sees its own values or loads them: never a value that is mixed up, never an error.

use crate::support::{two_versions, versions_meet};

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
    renamed_by_serde
    old {
        struct User { id: u32, nick: Option<String> }
    } holds User { id: 1, nick: Some("Ada".to_owned()) };
    new {
        #[serde(rename_all = "UPPERCASE")]
        struct User { #[serde(rename = "id")] id: u32, nick: Option<String> }
    } holds User { id: 1, nick: Some("Ada".to_owned()) };
}

two_versions! {
    gained_with_a_default
    old {
        #[derive(Default)]
        #[serde(default)]
        struct User { id: u32 }
    } holds User { id: 1 };
    new {
        #[derive(Default)]
        #[serde(default)]
        struct User { id: u32, age: u32 }
    } holds User { id: 1, age: 36 };
}

two_versions! {
    gained_by_a_tuple_struct
    old {
        struct User(u32, u32);
    } holds User(1, 36);
    new {
        struct User(u32, u32, #[serde(default)] Option<String>);
    } holds User(1, 36, Some("Ada".to_owned()));
}

two_versions! {
    gained_beside_the_rest
    old {
        enum Role { Guest, #[serde(other)] Rest }
        struct User { role: Role }
    } holds User { role: Role::Rest };
    new {
        enum Role { Guest, Admin, #[serde(other)] Rest }
        struct User { role: Role }
    } holds User { role: Role::Admin };
}

two_versions! {
    optional_twice
    old {
        struct User { age: Option<u32> }
    } holds User { age: Some(36) };
    new {
        struct User { age: Option<Option<u32>> }
    } holds User { age: Some(Some(36)) };
}

versions_meet!(
    an_added_field of added,
    a_removed_field of removed,
    a_renamed_field of renamed,
    fields_of_one_type_swapped of swapped,
    variants_reordered of reordered_variants,
    a_variant_added_in_front of new_variant_in_front,
    another_primitive of other_primitive,
    a_field_made_optional of now_optional,
    fields_swapped_deep_inside of swapped_deep_inside,
    a_renamed_optional_field of renamed_optional,
    a_renamed_optional_field_that_bincode_falls_back_from of renamed_where_bincode_falls_back,
    an_optional_field_that_serde_renames of renamed_by_serde,
    a_field_gained_where_the_type_has_defaults of gained_with_a_default,
    an_element_gained_by_a_tuple_struct of gained_by_a_tuple_struct,
    a_variant_gained_where_another_takes_the_rest of gained_beside_the_rest,
    an_option_put_into_an_option of optional_twice,
);

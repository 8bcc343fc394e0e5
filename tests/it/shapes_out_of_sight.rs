//! Two versions of a program whose type serde does not show in full: it takes some of it from a buffer or
//! says no names, and an element does not show what is left out of it. A change is a miss all the same.

use crate::support::{two_versions, versions_meet};

two_versions! {
    renamed_behind_an_element_that_lacks_it
    around {
        struct Guest {
            #[serde(default, skip_serializing_if = "Option::is_none")]
            address: Option<Address>,
        }
        struct User { guests: Vec<Guest> }
    } holds |address| User { guests: vec![Guest { address: None }, Guest { address: Some(address) }] };
    old {
        struct Address { street: String, flat: Option<u32> }
    } holds Address { street: "Main".to_owned(), flat: Some(7) };
    new {
        struct Address { street: String, door: Option<u32> }
    } holds Address { street: "Main".to_owned(), door: Some(7) };
}

two_versions! {
    renamed_behind_a_shorter_tuple
    around {
        struct Guest(
            u32,
            #[serde(default, skip_serializing_if = "Option::is_none")] Option<Address>,
        );
        struct User { guests: Vec<Guest> }
    } holds |address| User { guests: vec![Guest(1, None), Guest(2, Some(address))] };
    old {
        struct Address { street: String, flat: Option<u32> }
    } holds Address { street: "Main".to_owned(), flat: Some(7) };
    new {
        struct Address { street: String, door: Option<u32> }
    } holds Address { street: "Main".to_owned(), door: Some(7) };
}

two_versions! {
    renamed_behind_a_flattened_element
    around {
        struct Guest {
            id: u32,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            address: Option<Address>,
            #[serde(flatten)]
            more: BTreeMap<String, u32>,
        }
        struct User { guests: Vec<Guest> }
    } holds |address| User {
        guests: vec![
            Guest { id: 1, address: None, more: BTreeMap::new() },
            Guest { id: 2, address: Some(address), more: BTreeMap::new() },
        ],
    };
    old {
        struct Address {
            street: String,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            flat: Option<u32>,
        }
    } holds Address { street: "Main".to_owned(), flat: None };
    new {
        struct Address {
            street: String,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            door: Option<u32>,
        }
    } holds Address { street: "Main".to_owned(), door: Some(7) };
}

two_versions! {
    renamed_inside_a_flattened_struct
    around {
        struct User { id: u32, #[serde(flatten)] names: Names }
    } holds |names| User { id: 1, names };
    old {
        struct Names { nick: Option<String> }
    } holds Names { nick: Some("Ada".to_owned()) };
    new {
        struct Names { alias: Option<String> }
    } holds Names { alias: Some("Ada".to_owned()) };
}

two_versions! {
    gained_where_nothing_was_flattened
    around {
        struct User { id: u32, #[serde(flatten)] names: Names }
    } holds |names| User { id: 1, names };
    old {
        struct Names {}
    } holds Names {};
    new {
        struct Names { alias: Option<String> }
    } holds Names { alias: Some("Ada".to_owned()) };
}

two_versions! {
    gained_by_an_optional_flattened_struct
    around {
        struct User { id: u32, #[serde(flatten)] names: Option<Names> }
    } holds |names| User { id: 1, names: Some(names) };
    old {
        struct Names {}
    } holds Names {};
    new {
        struct Names { alias: Option<String> }
    } holds Names { alias: Some("Ada".to_owned()) };
}

two_versions! {
    gained_by_flattened_elements
    around {
        struct Guest { id: u32, #[serde(flatten)] names: Names }
        struct User { guests: Vec<Guest> }
    } holds |names| User {
        guests: vec![Guest { id: 1, names: Names::default() }, Guest { id: 2, names }],
    };
    old {
        #[derive(Default)]
        struct Names {}
    } holds Names {};
    new {
        #[derive(Default)]
        struct Names { alias: Option<String> }
    } holds Names { alias: Some("Ada".to_owned()) };
}

two_versions! {
    gained_beside_a_flattened_map
    old {
        struct User { id: u32, #[serde(flatten)] more: BTreeMap<String, u32> }
    } holds User { id: 1, more: BTreeMap::new() };
    new {
        struct User { id: u32, nick: Option<String>, #[serde(flatten)] more: BTreeMap<String, u32> }
    } holds User { id: 1, nick: Some("Ada".to_owned()), more: BTreeMap::new() };
}

two_versions! {
    gained_where_nothing_was_written
    old {
        struct User { #[serde(flatten)] more: BTreeMap<String, u32> }
    } holds User { more: BTreeMap::new() };
    new {
        struct User { nick: Option<String>, #[serde(flatten)] more: BTreeMap<String, u32> }
    } holds User { nick: Some("Ada".to_owned()), more: BTreeMap::new() };
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

/// What one variant contains gains a field, in an enum of this representation.
macro_rules! gained_inside {
    ($($change:ident: ($($option:tt)+),)+) => {$(
        two_versions! {
            $change
            around {
                #[serde($($option)+)]
                enum User { Person(Person), Robot { number: u32 } }
            } holds |person| User::Person(person);
            old {
                struct Person { first: String }
            } holds Person { first: "Ada".to_owned() };
            new {
                struct Person { first: String, nick: Option<String> }
            } holds Person { first: "Ada".to_owned(), nick: Some("A".to_owned()) };
        }
    )+};
}

gained_inside! {
    gained_inside_an_externally_tagged_enum: (rename_all = "lowercase"),
    gained_inside_an_internally_tagged_enum: (tag = "kind"),
    gained_inside_an_adjacently_tagged_enum: (tag = "kind", content = "of"),
    gained_inside_an_untagged_enum: (untagged),
}

versions_meet!(
    a_field_renamed_behind_an_element_that_lacks_it of renamed_behind_an_element_that_lacks_it,
    a_field_renamed_behind_a_shorter_tuple of renamed_behind_a_shorter_tuple,
    a_field_renamed_behind_a_flattened_element of renamed_behind_a_flattened_element,
    a_field_renamed_inside_a_flattened_struct of renamed_inside_a_flattened_struct,
    a_field_gained_where_nothing_was_flattened of gained_where_nothing_was_flattened,
    a_field_gained_by_an_optional_flattened_struct of gained_by_an_optional_flattened_struct,
    a_field_gained_by_flattened_elements of gained_by_flattened_elements,
    a_field_gained_beside_a_flattened_map of gained_beside_a_flattened_map,
    a_field_gained_where_nothing_was_written of gained_where_nothing_was_written,
    a_field_renamed_inside_an_untagged_enum of renamed_inside_an_untagged_enum,
    a_field_renamed_inside_an_internally_tagged_enum of renamed_inside_an_internally_tagged_enum,
    a_field_gained_inside_an_externally_tagged_enum of gained_inside_an_externally_tagged_enum,
    a_field_gained_inside_an_internally_tagged_enum of gained_inside_an_internally_tagged_enum,
    a_field_gained_inside_an_adjacently_tagged_enum of gained_inside_an_adjacently_tagged_enum,
    a_field_gained_inside_an_untagged_enum of gained_inside_an_untagged_enum,
);

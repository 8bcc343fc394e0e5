//! Which parameters a template accounts for, and what its names are taken for.

use proc_macro2::TokenStream;

use crate::entry::{Attribute, try_cached, try_invalidates, try_write_through};
use crate::parse::errors::Errors;

fn mistakes(attribute: Attribute, args: &str, item: &str) -> Vec<String> {
    let mut errors = Errors::default();
    let item: TokenStream = item.parse().unwrap();
    attribute(args.parse().unwrap(), &item, &mut errors);
    errors.found.into_iter().map(|(_, text)| text).collect()
}

#[track_caller]
fn assert_forgotten(args: &str, parameters: &str, forgotten: &str) {
    let item = format!("async fn stock({parameters}) -> u32 {{ load().await }}");
    let found = mistakes(try_cached, args, &item);
    let [text] = &found[..] else {
        panic!("{args} of {parameters}: {found:?}")
    };
    let expected = format!("`{forgotten}` is neither in the key nor in `skip`");
    assert!(text.starts_with(&expected), "{text}");
}

#[test]
fn a_placeholder_that_means_something_excuses_no_parameter_of_a_similar_name() {
    for forgotten in ["shelf", "sell", "shell", "spell", "self_", "myself", "elf"] {
        let parameters = format!("&self, {forgotten}: u64");
        assert_forgotten(
            "ttl = 60, key = \"a:<self.tenant>\"",
            &parameters,
            forgotten,
        );
        assert_forgotten("ttl = 60, key = \"a:<Self>\"", &parameters, forgotten);
    }
    assert_forgotten(
        "ttl = 60, key = \"a:<Entity>:<entity>\"",
        "&self, entity: u64, entities: u64",
        "entities",
    );
    assert_forgotten(
        "batch(id in ids), ttl = 60, key = \"a:<self>:<id>\"",
        "&self, ids: &[u64], shelf: u64",
        "shelf",
    );
    assert_forgotten("ttl = 60, key = \"a:<E>\"", "&self, e: u64", "e");
}

#[test]
fn a_misspelt_placeholder_is_one_mistake() {
    for (key, parameters) in [
        ("a:<shlef>", "shelf: u64"),
        ("a:<Shelf>", "shelf: u64"),
        ("a:<ID>", "id: u64"),
        ("a:<UserId>", "user_id: u64"),
    ] {
        let args = format!("ttl = 60, key = \"{key}\"");
        let item = format!("async fn stock({parameters}) -> u32 {{ load().await }}");
        let found = mistakes(try_cached, &args, &item);
        assert!(
            found.len() == 1 && found[0].contains("did you mean `<"),
            "{key}: {found:?}"
        );
    }
}

#[test]
fn a_type_around_the_function_may_be_called_as_a_parameter_is() {
    let cases: [(Attribute, &str, &str); 6] = [
        (
            try_cached,
            "ttl = 60, key = \"count:<E>:<n>\"",
            "&self, n: u64",
        ),
        (
            try_cached,
            "ttl = 60, key = \"x:<Entity>:<entity>\"",
            "&self, entity: u64",
        ),
        (
            try_cached,
            "ttl = 60, key = \"x:<User>:<user>\", tags = [\"<T>\"]",
            "user: u64, t: u64",
        ),
        (
            try_invalidates,
            "\"count:<E>\", tag = \"e:<E>\"",
            "&self, n: u64",
        ),
        (try_invalidates, "\"all:<DB>\"", "&self, db: &Pool<DB>"),
        (
            try_write_through,
            "key = \"x:<Entity>:<entity>\", ttl = 60, tags = []",
            "&self, entity: u64",
        ),
    ];
    for (attribute, args, parameters) in cases {
        let args = args.replace("tags = [\"<T>\"]", "tags = [\"x:<T>\"], skip(t)");
        let item = format!("async fn f({parameters}) -> u32 {{ load().await }}");
        let found = mistakes(attribute, &args, &item);
        assert!(found.is_empty(), "{args}: {found:?}");
    }
}

#[test]
fn what_looks_like_a_type_and_is_a_misspelt_parameter_is_told_of_writers_too() {
    for target in ["\"user:<ID>\"", "\"user:<Id>\"", "tag = \"user:<ID>\""] {
        let item = "async fn rename(id: u64, name: String) { save().await }";
        let found = mistakes(try_invalidates, target, item);
        assert!(
            found.len() == 1 && found[0].contains("did you mean `<id>`?"),
            "{target}: {found:?}"
        );
    }
}

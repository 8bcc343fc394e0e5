//! One mistake is told once: what could not be read is not missing as well.

use proc_macro2::TokenStream;

use crate::entry::{Attribute, try_cached, try_invalidates, try_write_through};
use crate::parse::errors::Errors;

const METHOD: &str = "async fn user(&self, id: u64) -> User { load(id).await }";
const FUNCTION: &str = "async fn user(db: &Db, id: u64) -> User { load(id).await }";
const BATCH: &str = "async fn users(ids: &[u64]) -> HashMap<u64, User> { load(ids).await }";
const FALLIBLE: &str = "async fn user(id: u64) -> Result<User, E> { load(id).await }";

/// Each of them is the only mistake of its case: what is underlined, and how its text ends.
#[track_caller]
fn assert_once(attribute: Attribute, item: &str, cases: &[(&str, &str, &str)]) {
    for (args, at, help) in cases {
        let mut errors = Errors::default();
        let item: TokenStream = item.parse().unwrap();
        attribute(args.parse().unwrap(), &item, &mut errors);
        let [(found, text)] = &errors.found[..] else {
            panic!("{args}: {:?}", errors.found)
        };
        assert_eq!(found, at, "{args}: {text}");
        assert!(
            text.contains(&format!("\n\nhelp: {help}")),
            "{args}: {text}"
        );
    }
}

#[test]
fn an_unreadable_key_is_not_missing() {
    let named = "write the text itself";
    assert_once(
        try_cached,
        METHOD,
        &[
            (
                "ttl = 60, key = format!(\"user:{id}\")",
                "format ! (\"user:{id}\")",
                named,
            ),
            (
                "ttl = 60, \"user:<id>\"",
                "\"user:<id>\"",
                "write `key = \"user:<id>\"`",
            ),
            (
                "ttl = 60, kye = \"user:<id>\"",
                "kye",
                "did you mean `key`?",
            ),
            (
                "ttl = 60, name = \"user:<id>\"",
                "name",
                "write `key = \"user:<id>\"`",
            ),
            (
                "ttl = 60, key \"user:<id>\"",
                "\"user:<id>\"",
                "write `key = \"user:<id>\"`",
            ),
        ],
    );
    assert_once(
        try_write_through,
        METHOD,
        &[
            (
                "ttl = 60, tags = [], key = KEY",
                "KEY",
                "write `key = \"…\"`",
            ),
            (
                "ttl = 60, tags = [], \"user:<id>\"",
                "\"user:<id>\"",
                "write `key = ",
            ),
            (
                "ttl = 60, tags = [], kye = \"user:<id>\"",
                "kye",
                "did you mean `key`?",
            ),
        ],
    );
    assert_once(
        try_cached,
        BATCH,
        &[
            (
                "ttl = 60, batch(id in ids), kye = \"user:<id>\"",
                "kye",
                "did you mean `key`?",
            ),
            (
                "ttl = 60, batch(id in ids), key = KEY",
                "KEY",
                "write `key = \"…\"`",
            ),
        ],
    );
}

#[test]
fn parameters_of_an_unreadable_skip_are_not_forgotten() {
    let form = "write `skip(a, b)`";
    assert_once(
        try_cached,
        FUNCTION,
        &[
            ("ttl = 60, key = \"user:<id>\", skip = db", "skip", form),
            ("ttl = 60, key = \"user:<id>\", skip = [db]", "skip", form),
            (
                "ttl = 60, key = \"user:<id>\", skip(&db)",
                "",
                "write `skip(…)`",
            ),
            (
                "ttl = 60, key = \"user:<id>\", skip[db]",
                "[db]",
                "write `skip(…)`",
            ),
            (
                "ttl = 60, key = \"user:<id>\", exclude(db)",
                "exclude",
                "write `skip(…)`",
            ),
            (
                "ttl = 60, key = \"user:<id>\", ignore(db)",
                "ignore",
                "write `skip(…)`",
            ),
            (
                "ttl = 60, key = \"user:<id>\", skpi(db)",
                "skpi",
                "did you mean `skip`?",
            ),
            (
                "ttl = 60, key = \"user:<id>\", skip(), skip(db)",
                "skip",
                "keep one of them",
            ),
        ],
    );
}

#[test]
fn an_unreadable_ttl_is_not_missing() {
    assert_once(
        try_cached,
        FALLIBLE,
        &[
            ("ttl_wtih = f", "ttl_wtih", "did you mean `ttl_with`?"),
            ("ttl 300", "300", "write `ttl = …`"),
            ("ttl \"5m\"", "\"5m\"", "write `ttl = …`"),
            ("ttl SECONDS", "SECONDS", "write `ttl = …`"),
        ],
    );
}

#[test]
fn an_unreadable_batch_says_nothing_about_the_key() {
    let help = "write `batch(id in ids)`";
    assert_once(
        try_cached,
        BATCH,
        &[
            ("batch, ttl = 60, key = \"user:<id>\"", "batch", help),
            ("batch = ids, ttl = 60, key = \"user:<id>\"", "batch", help),
            (
                "bacth(id in ids), ttl = 60, key = \"user:<id>\"",
                "bacth",
                "did you mean",
            ),
            (
                "batch(id in ids, x), ttl = 60, key = \"user:<id>\"",
                "",
                help,
            ),
        ],
    );
}

#[test]
fn what_needs_an_unreadable_option_is_not_refused() {
    assert_once(
        try_cached,
        FALLIBLE,
        &[
            (
                "ttl = 60, soft_timeout = 1, stale_if_eror = 60",
                "stale_if_eror",
                "did you mean",
            ),
            (
                "ttl = 60, soft_timeout = 1, stale_if_error",
                "stale_if_error",
                "write",
            ),
            (
                "ttl = 60, soft_timeout = 1, policy = HOT",
                "HOT",
                "write `policy = \"…\"`",
            ),
        ],
    );
    assert_once(
        try_invalidates,
        FALLIBLE,
        &[
            (
                "\"user:<result.id>\", whne = \"ok\"",
                "whne",
                "did you mean `when`?",
            ),
            (
                "\"user:<result.id>\", when = Ok",
                "Ok",
                "write `when = \"…\"`",
            ),
            (
                "\"user:<result.id>\", when = \"okay\"",
                "\"okay\"",
                "write `\"always\"`",
            ),
        ],
    );
}

#[test]
fn a_forgotten_comma_is_told_as_such() {
    assert_once(
        try_invalidates,
        FALLIBLE,
        &[(
            "\"user:<id>\", publish cache = x",
            "",
            "separate options by commas",
        )],
    );
}

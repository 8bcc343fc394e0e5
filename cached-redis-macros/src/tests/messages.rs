//! What is refused: the message, and what of it is underlined. Each is the only error of its case.
//!
//! Messages of the compiler's stand in `tests/ui`.

use proc_macro2::TokenStream;

use crate::entry::{Attribute, try_cached, try_invalidates, try_write_through};
use crate::errors::Errors;

/// Arguments, the function, what is underlined (nothing: the attribute), the message, the help.
type Case = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

const USER: &str = "async fn user(id: u64) -> User { load(id).await }";

#[track_caller]
fn assert_refused(attribute: Attribute, cases: &[Case]) {
    for (args, item, at, message, help) in cases {
        let mut errors = Errors::default();
        let item: TokenStream = item.parse().unwrap();
        let expanded = attribute(args.parse().unwrap(), &item, &mut errors);
        let expected = (at.to_string(), format!("{message}\n\nhelp: {help}"));
        assert_eq!(errors.found, [expected], "{args}");
        assert!(expanded.is_none() || errors.has_any());
    }
}

#[test]
fn words_of_other_caches_are_translated() {
    for (args, word, ours) in [
        ("expire = 300", "expire", "`ttl = …`"),
        ("ttl_secs = 300", "ttl_secs", "`ttl = …`"),
        ("ttl = 300, swr = 60", "swr", "`stale_while_revalidate = …`"),
        (
            "ttl = 300, name = \"user\"",
            "name",
            "`key = \"user:<id>\"`",
        ),
        (
            "ttl = 300, unless_null = true",
            "unless_null",
            "`negative_ttl = 0`, which keeps no `None`",
        ),
        ("ttl = 300, exclude(db)", "exclude", "`skip(…)`"),
        (
            "ttl = 300, tag = \"users\"",
            "tag",
            "`tags = [\"team:<team>\"]`",
        ),
    ] {
        let mut errors = Errors::default();
        try_cached(args.parse().unwrap(), &USER.parse().unwrap(), &mut errors);
        let [(at, text)] = &errors.found[..] else {
            panic!("{args}: {:?}", errors.found)
        };
        assert_eq!(at, word);
        assert!(text.ends_with(&format!("\n\nhelp: write {ours}")), "{text}");
    }
}

#[test]
fn misspelt_options_are_guessed() {
    for (args, word, meant) in [
        ("tll = 300", "tll", "ttl"),
        ("tlt = 300", "tlt", "ttl"),
        ("ttl = 300, kye = \"user:<id>\"", "kye", "key"),
        (
            "ttl = 300, stale_wihle_revalidate = 5",
            "stale_wihle_revalidate",
            "stale_while_revalidate",
        ),
    ] {
        let mut errors = Errors::default();
        try_cached(args.parse().unwrap(), &USER.parse().unwrap(), &mut errors);
        let [(at, text)] = &errors.found[..] else {
            panic!("{args}: {:?}", errors.found)
        };
        assert_eq!(at, word);
        assert!(
            text.contains(&format!("help: did you mean `{meant}`? it takes")),
            "{text}"
        );
    }
}

#[test]
fn values_of_the_wrong_form_are_refused() {
    assert_refused(
        try_cached,
        &[
            (
                "ttl: 300",
                USER,
                ":",
                "`ttl` is followed by a colon",
                "write `ttl = 300`",
            ),
            (
                "ttl = 300, key = format!(\"user:{id}\")",
                USER,
                "format ! (\"user:{id}\")",
                "`key` is a template, and no expression",
                "write the text itself, with parameters in `<…>`: `key = \"user:<id>\"`",
            ),
        ],
    );
}

#[test]
fn writers_take_keys_without_a_name_and_no_ttl() {
    assert_refused(
        try_invalidates,
        &[
            (
                "key = \"user:<id>\"",
                USER,
                "key",
                "a key of `#[invalidates]` has no name",
                "write the keys one after the other: `#[invalidates(\"user:<id>\")]`",
            ),
            (
                "\"user:<id>\", ttl = 300",
                USER,
                "ttl",
                "`ttl` is an option of `#[redis_cached]`, not of `#[invalidates]`",
                "remove it, or put it on a function under `#[redis_cached]`",
            ),
            (
                "[\"user:<id>\", \"users\"]",
                USER,
                "[\"user:<id>\" , \"users\"]",
                "expected an option, and no list",
                "write its elements one after the other, without the brackets",
            ),
            (
                "tag = [\"users\", \"teams\"]",
                USER,
                "[\"users\" , \"teams\"]",
                "`tag` takes one string",
                "write it once for each: `tag = \"…\", tag = \"…\"`",
            ),
            (
                "tags = [\"users\"]",
                USER,
                "tags",
                "`tags` is an option of `#[redis_cached]`, not of `#[invalidates]`",
                "write `tag = \"team:<team>\"`, once for each",
            ),
        ],
    );
    assert_refused(
        try_write_through,
        &[(
            "key = \"user:<id>\", ttl = 300, tags = [], when = \"ok\"",
            USER,
            "when",
            "`when` is an option of `#[invalidates]`, not of `#[write_through]`",
            "remove it, or put it on a function under `#[invalidates]`",
        )],
    );
    assert_refused(
        try_cached,
        &[(
            "ttl = 300, publish",
            USER,
            "publish",
            "`publish` is an option of `#[invalidates]`, not of `#[redis_cached]`",
            "remove it, or put it on a function under `#[invalidates]`",
        )],
    );
}

#[test]
fn a_write_through_says_the_tags_of_its_readers_before_it_runs() {
    assert_refused(
        try_write_through,
        &[
            (
                "key = \"user:<id>\", ttl = 300",
                USER,
                "",
                "`tags` is missing",
                "write the tags of those who read this key, found ones too: `tags = [\"…\"]`; \
                 or `tags = []` if they carry none",
            ),
            (
                "key = \"user:<id>\", ttl = 300, tags = [\"users\", \"team:<result>\"]",
                USER,
                "\"team:<result>\"",
                "the tag is needed before the function runs, when `<result>` is unknown",
                "name parameters; for what is known only afterwards: `#[invalidates(…, when = \"ok\")]`",
            ),
        ],
    );
    let mut errors = Errors::default();
    let misspelt = "key = \"user:<id>\", ttl = 300, tgas = []";
    try_write_through(
        misspelt.parse().unwrap(),
        &USER.parse().unwrap(),
        &mut errors,
    );
    assert_eq!(
        errors.found.len(),
        1,
        "not missing as well: {:?}",
        errors.found
    );
}

#[test]
fn a_method_without_body_is_refused_at_its_name() {
    assert_refused(
        try_cached,
        &[(
            "ttl = 300, key = \"user:<id>\"",
            "async fn user(&self, id: u64) -> User;",
            "user",
            "`user` has no body",
            "put `#[redis_cached]` on the methods that implement it",
        )],
    );
}

/// The function as the attribute above has left it.
fn under(attribute: Attribute, args: &str) -> String {
    let mut errors = Errors::default();
    let expanded = attribute(args.parse().unwrap(), &USER.parse().unwrap(), &mut errors);
    expanded.unwrap().to_string()
}

#[test]
fn a_cached_function_bears_no_other_attribute() {
    let (cached, written) = ("key = \"user:<id>\", ttl = 300, tags = []", "\"user:<id>\"");
    let twice = (
        "this function is cached already",
        "keep one `#[redis_cached]`; for a second key, call this function from another cached one",
    );
    let both = (
        "a cached function cannot be a writer as well: a hit would not run its body",
        "write a function of its own, and put the attribute of the writer there",
    );
    let pairs: [(Attribute, &str, Attribute, &str, _); 5] = [
        (try_cached, cached, try_cached, cached, twice),
        (try_cached, cached, try_invalidates, written, both),
        (try_invalidates, written, try_cached, cached, both),
        (try_cached, cached, try_write_through, cached, both),
        (try_write_through, cached, try_cached, cached, both),
    ];
    for (above, above_args, below, below_args, (message, help)) in pairs {
        let item = under(above, above_args);
        let mut errors = Errors::default();
        below(
            below_args.parse().unwrap(),
            &item.parse().unwrap(),
            &mut errors,
        );
        assert_eq!(
            errors.found,
            [(String::new(), format!("{message}\n\nhelp: {help}"))]
        );
    }
}

#[test]
fn writers_stand_beside_each_other() {
    let (through, written) = ("key = \"user:<id>\", ttl = 300, tags = []", "\"user:<id>\"");
    let pairs: [(Attribute, &str, Attribute, &str); 4] = [
        (try_invalidates, written, try_invalidates, written),
        (try_invalidates, written, try_write_through, through),
        (try_write_through, through, try_invalidates, written),
        (try_write_through, through, try_write_through, through),
    ];
    for (above, above_args, below, below_args) in pairs {
        let item = under(above, above_args);
        let mut errors = Errors::default();
        let expanded = below(
            below_args.parse().unwrap(),
            &item.parse().unwrap(),
            &mut errors,
        );
        assert!(
            expanded.is_some() && !errors.has_any(),
            "{:?}",
            errors.found
        );
    }
}

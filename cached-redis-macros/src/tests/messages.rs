//! What is refused: the message, and what of it is underlined. Each is the only error of its case.
//!
//! Messages of the compiler's stand in `ui-tests`.

use proc_macro2::TokenStream;
use quote::ToTokens as _;

use crate::entry::{Attribute, try_cached, try_invalidates, try_write_behind, try_write_through};
use crate::parse::args::ALL;
use crate::parse::errors::Errors;

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
        ("tlt: 300", "tlt", "ttl"),
        ("tlt 300", "tlt", "ttl"),
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
                "`ttl` is followed by `:`",
                "write `ttl = 300`",
            ),
            (
                "ttl => 300",
                USER,
                "=>",
                "`ttl` is followed by `=>`",
                "write `ttl = 300`",
            ),
            (
                "ttl == 300",
                USER,
                "==",
                "`ttl` is followed by `==`",
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
fn no_option_is_taken_or_left_out_where_its_value_is_not_joined_to_it() {
    for options in ALL {
        let attribute: Attribute = match options.attribute {
            "invalidates" => try_invalidates,
            "write_through" => try_write_through,
            "write_behind" => try_write_behind,
            _ => try_cached,
        };
        for (known, sign) in options
            .known
            .iter()
            .flat_map(|known| [(known, ":"), (known, "")])
        {
            let args = format!("{known} {sign} \"user:<id>\"");
            let mut errors = Errors::default();
            attribute(args.parse().unwrap(), &USER.parse().unwrap(), &mut errors);
            let expected = [
                format!("`{known}` is followed by"),
                format!("`{known}` and its value"),
            ];
            let is_told =
                |(_, text): &(String, String)| expected.iter().any(|start| text.starts_with(start));
            assert!(
                errors.found.iter().any(is_told),
                "{args}: {:?}",
                errors.found
            );
        }
    }
}

#[test]
fn spans_of_time_do_not_depend_on_a_call() {
    let timed = "async fn user(id: u64, secs: u64) -> User { load(id).await }";
    assert_refused(
        try_cached,
        &[
            (
                "ttl = secs",
                timed,
                "secs",
                "`ttl` cannot depend on `secs`",
                "name a constant, or write `ttl_with = …` for a TTL that depends on the value",
            ),
            (
                "ttl = 300, stale_if_error = Duration::from_secs(2 * secs)",
                timed,
                "Duration :: from_secs (2 * secs)",
                "`stale_if_error` cannot depend on `secs`",
                "name a constant",
            ),
        ],
    );
    assert_refused(
        try_invalidates,
        &[(
            "\"user:<id>\", replica_lag = secs",
            timed,
            "secs",
            "`replica_lag` cannot depend on `secs`",
            "name a constant",
        )],
    );
}

#[test]
fn a_module_or_a_field_with_the_name_of_a_parameter_is_another_thing() {
    for ttl in ["secs::TTL", "TIMES.secs", "60 * 5", "MINUTE"] {
        let mut errors = Errors::default();
        let item = "async fn user(id: u64, secs: u64) -> User { load(id).await }";
        let args = format!("ttl = {ttl}");
        assert!(try_cached(args.parse().unwrap(), &item.parse().unwrap(), &mut errors).is_some());
    }
}

#[test]
fn the_ok_value_is_asked_and_no_result() {
    let fallible = "async fn user(id: u64) -> ApiResult<User> { load(id).await }";
    let item = "async fn user(id: u64) -> Result<User, E> { load(id).await }";
    assert_refused(
        try_cached,
        &[(
            "ttl = 300, unless = result.is_err()",
            item,
            "is_err",
            "`unless` is asked of the `Ok` value alone: an `Err` is never kept",
            "remove it, or ask for what the value is",
        )],
    );
    let mut errors = Errors::default();
    let args = "ttl = 300, unless = result.is_ok()".parse().unwrap();
    assert!(
        try_cached(args, &fallible.parse().unwrap(), &mut errors).is_some(),
        "what is behind an alias may be asked anything"
    );
    let batch = "async fn users(ids: &[u64]) -> Result<HashMap<u64, User>, E> { load(ids).await }";
    for (args, item) in [
        ("unless = result.rows.iter().any(|row| row.is_err())", item),
        ("unless = result.last.is_err()", item),
        ("unless = result.iter().all(Result::is_ok)", item),
        ("unless = self.result.is_ok()", item),
        (
            "unless = result.is_err(), batch(id in ids), key = \"user:<id>\"",
            batch,
        ),
    ] {
        let mut errors = Errors::default();
        let args = format!("ttl = 300, {args}").parse().unwrap();
        try_cached(args, &item.parse().unwrap(), &mut errors);
        assert!(errors.found.is_empty(), "{:?}", errors.found);
    }
}

#[test]
fn values_hold_no_references_and_no_errors() {
    let reference = "return an owned value, such as `String` for `&str`";
    let error = "an error in here would be kept: only of the outermost `Result` it is seen";
    let around = "put the `Result` around the rest: `Result<Option<…>, …>`";
    let cached = |returned: &str| format!("async fn f(id: u64) -> {returned} {{ load(id).await }}");
    for (returned, at, message, help) in [
        (
            "&'static str",
            "& 'static str",
            "a cached function cannot return a reference",
            reference,
        ),
        (
            "Vec<&str>",
            "& str",
            "a cached function cannot return a reference",
            reference,
        ),
        (
            "Result<(u8, Option<&str>), E>",
            "& str",
            "a cached function cannot return a reference",
            reference,
        ),
        ("Option<Result<u8, E>>", "Result < u8 , E >", error, around),
        (
            "io::Result<io::Result<u8>>",
            "io :: Result < u8 >",
            error,
            around,
        ),
        ("Box<Result<u8, E>>", "Result < u8 , E >", error, around),
        ("(u8, Result<u8, E>)", "Result < u8 , E >", error, around),
        (
            "Result<Option<Arc<Result<u8, E>>>, E>",
            "Result < u8 , E >",
            error,
            around,
        ),
        ("Vec<Result<u8, E>>", "Result < u8 , E >", error, around),
    ] {
        let mut errors = Errors::default();
        let item = cached(returned).parse().unwrap();
        try_cached("ttl = 300".parse().unwrap(), &item, &mut errors);
        assert_eq!(
            errors.found,
            [(at.to_owned(), format!("{message}\n\nhelp: {help}"))]
        );
    }
    for returned in [
        "Result<Page<Result<u8, E>>, &'static str>",
        "Outcome<Result<u8, E>>",
    ] {
        let mut errors = Errors::default();
        let item = cached(returned).parse().unwrap();
        assert!(try_cached("ttl = 300".parse().unwrap(), &item, &mut errors).is_some());
    }
}

#[test]
fn loads_behind_their_caller_borrow_nothing_that_cannot_be_copied() {
    let window = "ttl = 300, refresh_ahead = 0.8, key = \"user\", skip(x)";
    let inside =
        "own what is inside, as in `Option<String>` for `Option<&str>`, or remove `refresh_ahead`";
    for (ty, message, help) in [
        (
            "&mut Db",
            "borrow `x` mutably",
            "pass `x` by value or behind an `Arc`, or remove `refresh_ahead`",
        ),
        ("Option<&str>", "keep what `x` borrows inside", inside),
        ("View<'_>", "keep what `x` borrows inside", inside),
        ("&[&str]", "keep what `x` borrows inside", inside),
        (
            "Rc<Db>",
            "take the `Rc` of `x` along",
            "pass an `Arc`, or remove `refresh_ahead`",
        ),
    ] {
        let mut errors = Errors::default();
        let item: TokenStream = format!("async fn user(x: {ty}) -> User {{ load(x).await }}")
            .parse()
            .unwrap();
        try_cached(window.parse().unwrap(), &item, &mut errors);
        let message =
            format!("a load that goes on behind its caller cannot {message}\n\nhelp: {help}");
        let at = syn::parse_str::<syn::Type>(ty)
            .unwrap()
            .to_token_stream()
            .to_string();
        assert_eq!(errors.found, [(at, message)]);
    }
    for ty in [
        "&str",
        "&[u8]",
        "Option<&'static str>",
        "Box<dyn Fn(&str) -> u8 + Send>",
        "View",
    ] {
        let mut errors = Errors::default();
        let item: TokenStream = format!("async fn user(x: {ty}) -> User {{ load(x).await }}")
            .parse()
            .unwrap();
        assert!(
            try_cached(window.parse().unwrap(), &item, &mut errors).is_some(),
            "{ty}"
        );
    }
}

#[test]
fn placeholders_of_other_languages_are_refused() {
    let help = "write `<id>`";
    let case = |args, at, message| (args, USER, at, message, help);
    assert_refused(
        try_invalidates,
        &[
            case(
                "\"user:{id}\"",
                "\"user:{id}\"",
                "`{id}` is text here, the same for every value",
            ),
            case(
                "\"user:$id\"",
                "\"user:$id\"",
                "`$id` is text here, the same for every value",
            ),
            case(
                "\"user:#id\"",
                "\"user:#id\"",
                "`#id` is text here, the same for every value",
            ),
            case(
                "\"user:{}\"",
                "\"user:{}\"",
                "`{}` is text here, the same for every value",
            ),
            case(
                "tag = \"user:{id}\"",
                "\"user:{id}\"",
                "`{id}` is text here, the same for every value",
            ),
            (
                "\"user:{result.id}\", when = \"ok\"",
                USER,
                "\"user:{result.id}\"",
                "`{result.id}` is text here, the same for every value",
                "write `<result.id>`",
            ),
        ],
    );
    let mut errors = Errors::default();
    let args = "ttl = 300, key = \"user:{id:?}\"".parse().unwrap();
    try_cached(args, &USER.parse().unwrap(), &mut errors);
    assert_eq!(errors.found.len(), 1, "{:?}", errors.found);
    assert!(errors.found[0].1.ends_with("write `<id:?>`"));
    let mut errors = Errors::default();
    let args = "ttl = 300, key = \"{users:<id>}:x\"".parse().unwrap();
    assert!(
        try_cached(args, &USER.parse().unwrap(), &mut errors).is_some(),
        "a hash tag"
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
    assert_refused(
        try_cached,
        &[(
            "ttl = 300, settled",
            USER,
            "settled",
            "`settled` is an option of `#[invalidates]`, not of `#[redis_cached]`",
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

#[test]
fn what_cannot_be_read_inside_parentheses_is_told_and_loses_nothing() {
    let item = quote::quote!(
        async fn users(ids: &[u64]) -> HashMap<u64, User> {
            load(ids).await
        }
    );
    for args in [
        r#"ttl = Duration::from_secs(1 2), key = "a", skip(ids)"#,
        r#"ttl = 60, key = "a", skip(ids), condition = f(a b)"#,
        r#"batch(id in ids, x), ttl = 60, key = "user:<id>""#,
        r#"batch(id in 5), ttl = 60, key = "user:<id>""#,
    ] {
        let mut errors = Errors::default();
        try_cached(args.parse().unwrap(), &item, &mut errors);
        assert!(errors.has_any(), "{args}");
    }
}

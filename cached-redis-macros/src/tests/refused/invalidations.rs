//! Writers under `#[invalidates]`.

use super::refused;

refused! {
    invalidates_double_star:
        r#"#[invalidates(«"user:<id>:**"»)]
           async fn rename(id: u64) -> Result<u64, String> { load().await }"#
            => "`**` is no more than `*`",
                "write one `*`: it stands for any text, a `:` included";

    invalidates_guard_before:
        r#"#[invalidates("user:<id>", when = "before", «guard»)]
           async fn rename(id: u64) -> Result<u64, String> { load().await }"#
            => r#"`guard` lasts until the function has returned, and `when = "before"` does not"#,
                "remove one of them; `guard` is the stronger";

    invalidates_guard_list:
        r#"#[invalidates("user:<id>", «guard»(id))]
           async fn rename(id: u64) -> Result<u64, String> { load().await }"#
            => "`guard` needs no list",
                r#"write `guard`, or `guard = "…"`"#;

    invalidates_guard_of_pattern:
        r#"#[invalidates("user:<id>", «"user:<id>:*"», guard)]
           async fn rename(id: u64) -> Result<u64, String> { load().await }"#
            => "`guard` bars keys, and a pattern names none",
                "move it to a second `#[invalidates]` without `guard`";

    invalidates_guard_of_result:
        r#"#[invalidates("user:<id>", «"user:<result>"», when = "ok", guard)]
           async fn rename(id: u64) -> Result<u64, String> { load().await }"#
            => "a guarded key is needed before the function runs, when `<result>` is unknown",
                "move it to a second `#[invalidates]` without `guard`";

    invalidates_guard_of_tag_with_result:
        r#"#[invalidates(tag = «"team:<result>"», when = "ok", guard)]
           async fn rename(id: u64) -> u64 { load().await }"#
            => "a guarded key is needed before the function runs, when `<result>` is unknown",
                "move it to a second `#[invalidates]` without `guard`";

    invalidates_key_twice:
        r#"#[invalidates("user:<id>", «"user:<id>"»)]
           async fn rename(id: u64) -> Result<u64, String> { load().await }"#
            => "this key is named twice",
                "remove one of them";

    invalidates_no_key:
        r#"#[invalidates(when = "ok")]
           async fn rename(id: u64) -> Result<u64, String> { load().await }"#
            => "`#[invalidates]` names no key",
                r#"write the keys it changes: `#[invalidates("user:<id>")]`"#;

    invalidates_list_of_an_unknown_option:
        r#"#[invalidates("user:<id>", «tags»("team:<id>"))]
           async fn rename(id: u64) -> Result<u64, String> { load().await }"#
            => "`tags` is an option of `#[redis_cached]`, not of `#[invalidates]`",
                r#"write `tag = "team:<team>"`, once for each"#;

    invalidates_unknown_option_without_a_sign:
        r#"#[invalidates("user:<id>", «tags» "team:<id>")]
           async fn rename(id: u64) -> Result<u64, String> { load().await }"#
            => "`tags` is an option of `#[redis_cached]`, not of `#[invalidates]`",
                r#"write `tag = "team:<team>"`, once for each"#;

    invalidates_not_a_function:
        r#"#[invalidates("user")]
           const «USER»: u64 = 1;"#
            => "this is no function with a body",
                "put `#[invalidates]` on an `async fn` that has a body";

    invalidates_not_async:
        r#"#[invalidates("user:<id>")]
           «fn» rename(id: u64) -> u64 { load().await }"#
            => "`#[invalidates]` needs an async function",
                "write `async fn rename`";

    invalidates_pattern_of_everything:
        r#"#[invalidates(«"*"»)]
           async fn rename(id: u64) -> Result<u64, String> { load().await }"#
            => "this pattern matches every key there is",
                r#"begin it with some text, such as `"user:*"`"#;

    invalidates_publish_value:
        r#"#[invalidates("user:<id>", «publish» = true)]
           async fn rename(id: u64) -> Result<u64, String> { load().await }"#
            => "`publish` needs no value",
                "write `publish`, or leave it out";

    invalidates_settled_before:
        r#"#[invalidates("user:<id>", settled, when = «"before"»)]
           async fn rename(id: u64) -> u64 { load().await }"#
            => "what is invalidated before the function runs is outdated again after it, `settled` or not",
                "remove one of them; `settled` is the stronger";

    invalidates_settled_value:
        r#"#[invalidates("user:<id>", «settled» = "1s")]
           async fn rename(id: u64) -> u64 { load().await }"#
            => "`settled` needs no value",
                "write `settled`, or leave it out";

    invalidates_repeated_option:
        r#"#[invalidates("user:<id>", when = "ok", «when» = "ok")]
           async fn rename(id: u64) -> Result<u64, String> { load().await }"#
            => "`when` is given twice",
                "keep one of them";

    invalidates_replica_lag_of_pattern:
        r#"#[invalidates(«"user:<id>:*"», replica_lag = "2s")]
           async fn rename(id: u64) -> Result<u64, String> { load().await }"#
            => "`replica_lag` bars keys, and a pattern names none",
                "move it to a second `#[invalidates]` without `replica_lag`";

    invalidates_require_without_result:
        r#"#[invalidates("user:<id>", guard = «"require"»)]
           async fn rename(id: u64) { load().await }"#
            => "`rename` cannot refuse: it returns no `Result` that can be named",
                "return a `Result`, or write `guard`: the write then goes on in one phase";

    invalidates_result_without_ok:
        r#"#[invalidates(«"user:<result>"»)]
           async fn rename(id: u64) -> Result<u64, String> { load().await }"#
            => "`<result>` has no value after an error",
                r#"add `when = "ok"`, or name a parameter instead"#;

    invalidates_tag_of_result_without_ok:
        r#"#[invalidates(tag = «"team:<result>"»)]
           async fn rename(id: u64) -> u64 { load().await }"#
            => "`<result>` has no value after an error",
                r#"add `when = "ok"`, or name a parameter instead"#;

    invalidates_tag_pattern:
        r#"#[invalidates("user:<id>", tag = «"team:*"»)]
           async fn rename(id: u64) -> u64 { load().await }"#
            => "a tag is no pattern",
                "name it exactly: give the entries one more tag that they all share";

    invalidates_tag_twice:
        r#"#[invalidates(tag = "users", tag = «"users"»)]
           async fn rename(id: u64) -> u64 { load().await }"#
            => "this tag is named twice",
                "remove one of them";

    invalidates_tag_without_value:
        "#[invalidates(«tag»)]
         async fn rename(id: u64) -> u64 { load().await }"
            => "`tag` needs a value",
                "write `tag = …`";

    invalidates_unknown_guard:
        r#"#[invalidates("user:<id>", guard = «"try"»)]
           async fn rename(id: u64) -> Result<u64, String> { load().await }"#
            => "`guard` is neither of its two words",
                r#"write `guard`, `guard = "prefer"` or `guard = "require"`"#;

    invalidates_unknown_option:
        r#"#[invalidates("user:<id>", «label» = "team", «whem» = "ok")]
           async fn rename(id: u64) -> Result<u64, String> { load().await }"#
            => "`label` is no option of `#[invalidates]`",
                r#"write `tag = "team:<team>"`, once for each"#
            => "`whem` is no option of `#[invalidates]`",
                "did you mean `when`? it takes exact keys, then `tag`, `when`, `guard`, `replica_lag`, `publish`, `settled`, `cache` and `crate`";

    invalidates_unknown_parameter:
        r#"#[invalidates(«"user:<uid>"»)]
           async fn rename(id: u64) -> Result<u64, String> { load().await }"#
            => "`<uid>` names no parameter of `rename`",
                "did you mean `<id>`? its parameters: `id`";

    invalidates_unknown_when:
        r#"#[invalidates("user:<id>", when = «"after"»)]
           async fn rename(id: u64) -> Result<u64, String> { load().await }"#
            => "`when` is none of its three words",
                r#"write `"always"`, `"ok"` or `"before"`"#;

    invalidates_zero_replica_lag:
        r#"#[invalidates("user:<id>", replica_lag = «"0s"»)]
           async fn rename(id: u64) -> Result<u64, String> { load().await }"#
            => "`replica_lag` is less than a millisecond",
                r#"write seconds (`300`, `0.25`), a string ("250ms", "5m", "1h30m"), or a const `Duration` expression"#;
}

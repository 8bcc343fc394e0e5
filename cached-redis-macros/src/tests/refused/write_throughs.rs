//! Writers under `#[write_through]`.

use super::refused;

refused! {
    write_through_key_of_result:
        r#"#[write_through(key = «"user:<result.0>"», ttl = 60, tags = [])]
           async fn create(name: String) -> Result<(u64, String), String> { load().await }"#
            => "the key is needed before the function runs, when `<result>` is unknown",
                r#"name parameters; for what is known only afterwards: `#[invalidates(…, when = "ok")]`"#;

    write_through_missing_key:
        "#[write_through(ttl = 60, tags = [])]
         async fn rename(id: u64) -> Result<u64, String> { load().await }"
            => "`key` is missing",
                r#"write the key of the function that reads it: `key = "user:<id>"`"#;

    write_through_missing_ttl:
        r#"#[write_through(key = "user:<id>", tags = [])]
           async fn rename(id: u64) -> Result<u64, String> { load().await }"#
            => "`ttl` is missing",
                r#"write `ttl = 300`, `ttl = "5m"`, or name a policy: `policy = "…"`"#;

    write_through_not_async:
        r#"#[write_through(key = "user:<id>", ttl = 60, tags = [])]
           «fn» rename(id: u64) -> u64 { load().await }"#
            => "`#[write_through]` needs an async function",
                "write `async fn rename`";

    write_through_returns_nothing:
        r#"#[write_through(key = "user:<id>", ttl = 60, tags = [])]
           async fn «rename»(id: u64) { load().await }"#
            => "`rename` returns nothing that could be kept",
                "return the value, or remove `#[write_through]`";

    write_through_returns_reference:
        r#"#[write_through(key = "user:<id>", ttl = 60, tags = [])]
           async fn rename(id: u64, name: &str) -> Result<«&str», String> { load().await }"#
            => "a write-through cannot return a reference",
                "return an owned value, such as `String` for `&str`";

    write_through_unknown_option:
        r#"#[write_through(key = "user:<id>", ttl = 60, «replica_lag» = "2s", «tll» = 5, tags = [])]
           async fn rename(id: u64) -> Result<u64, String> { load().await }"#
            => "`replica_lag` is an option of `#[invalidates]`, not of `#[write_through]`",
                "remove it, or put it on a function under `#[invalidates]`"
            => "`tll` is no option of `#[write_through]`",
                "did you mean `ttl`? it takes `key`, `ttl`, `ttl_with`, `jitter`, `negative_ttl`, `stale_while_revalidate`, `stale_if_error`, `compress`, `tags`, `codec`, `unless`, `cache`, `policy`, `crate` and `settled`";

    write_through_unknown_parameter:
        r#"#[write_through(key = «"user:<name>"», ttl = 60, tags = [])]
           async fn rename(id: u64) -> Result<u64, String> { load().await }"#
            => "`<name>` names no parameter of `rename`",
                "its parameters: `id`";
}
